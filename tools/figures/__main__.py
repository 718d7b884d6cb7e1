"""`python -m tools.figures`: pictures of the README, docs/registration.md, docs/photos.md and
docs/views.md."""

from pathlib import Path

from . import hero, photo, views

FOLDER = Path(__file__).parents[2] / "docs" / "figures"
hero.draw(FOLDER)
photo.draw(FOLDER)
views.draw(FOLDER)
