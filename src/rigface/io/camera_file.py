"""What a camera file of any program hands over."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rigface.cameras import Camera
from rigface.errors import InputError


@dataclass(frozen=True)
class CameraFile:
    """Named pictures with one pinhole camera each; cam_from_world, float64."""

    cameras: Mapping[str, Camera]
    """By the image's name as the file has it."""
    source: Path
    metric: bool
    """The file says that its unit is the metre. If not, the unit is whatever the program chose."""
    notes: tuple[str, ...] = ()
    """What was ignored."""


def joined_notes(path: Path, notes: Iterable[str | None]) -> tuple[str, ...]:
    """Each different note once, with the file's name."""
    return tuple(f"{path.name}: {note}" for note in dict.fromkeys(notes) if note)


def checked_name(name: object, taken: Mapping[str, Camera], key: str, where: str) -> str:
    """The name of a picture. Raises InputError where it is missing or taken."""
    if not isinstance(name, str) or not name:
        raise InputError(f"{where} lacks the name of its picture under '{key}'.")
    if name in taken:
        raise InputError(f"{where} names the picture '{name[:60]}' a second time.")
    return name
