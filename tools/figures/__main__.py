"""`python -m tools.figures`: pictures of the README, docs/registration.md and docs/photos.md."""

from pathlib import Path

from . import hero, photo

FOLDER = Path(__file__).parents[2] / "docs" / "figures"
hero.draw(FOLDER)
photo.draw(FOLDER)
