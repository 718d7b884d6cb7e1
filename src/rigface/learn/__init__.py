"""Populations of heads and what is trained on them."""
