"""`python -m tools.figures`: the picture of the README and that of docs/registration.md."""

from pathlib import Path

from .hero import draw

draw(Path(__file__).parents[2] / "docs" / "figures")
