"""Which photo has which camera of a file: by the picture's name, at the photo's size."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath

from rigface.cameras import Camera
from rigface.errors import InputError
from rigface.evidence.photo import Photo

_LISTED = 20
"""Image names of a file that a message shows."""


def cameras_of(
    photos: Sequence[Photo], cameras: Mapping[str, Camera], path: str | Path
) -> tuple[Camera, ...]:
    """The camera of each photo, at the size of its pixels.

    Names match without case, with or without extension and folders; folders count where the names
    alone do not decide. A file that was made from pictures larger or smaller by a whole factor is
    scaled, and so is the camera of a photo that was reduced when it was read.

    Raises InputError that names every photo without a camera and every one whose size does not
    match; `path` is the camera file, for the message.
    """
    names = list(cameras)
    matches = [_matching(photo, names) for photo in photos]
    problems = [
        f"{_called(photo)} may be any of {_listed(match)}"
        for photo, match in zip(photos, matches, strict=True)
        if len(match) > 1
    ]
    missing = [_called(p) for p, match in zip(photos, matches, strict=True) if not match]
    if missing:
        problems.append(f"no camera for {', '.join(missing)}; the file has {_listed(names)}")
    found = {number: match[0] for number, match in enumerate(matches) if len(match) == 1}
    problems += _shared(photos, found)
    out: list[Camera] = []
    for number, name in found.items():
        camera = _sized(photos[number], cameras[name])
        if isinstance(camera, str):
            problems.append(camera)
        else:
            out.append(camera)
    if problems:
        raise InputError(
            f"The cameras in {path} do not match the photos: {'; '.join(problems)}. Give the "
            "photos from which the cameras were computed."
        )
    return tuple(out)


def _matching(photo: Photo, names: list[str]) -> list[str]:
    """Names in the camera file that may be this photo's; one, if all is well."""
    if photo.source is None:
        return []
    own = _parts(str(photo.source))
    stem = _stem(own[-1])
    whole = [name for name in names if _parts(name)[-1] == own[-1]]
    bare = [name for name in names if _parts(name)[-1] == stem]
    other = [name for name in names if _stem(_parts(name)[-1]) == stem]
    found = whole or bare or other
    shared = [_shared_parts(own[:-1], _parts(name)[:-1]) for name in found]
    return [name for name, count in zip(found, shared, strict=True) if count == max(shared)]


def _parts(name: str) -> tuple[str, ...]:
    """Folders and file name, lower case; both kinds of slashes."""
    return tuple(part.lower() for part in PureWindowsPath(name).parts) or ("",)


def _stem(name: str) -> str:
    return PureWindowsPath(name).stem


def _shared_parts(own: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many folders agree, from the last one upwards."""
    count = 0
    for a, b in zip(reversed(own), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count


def _shared(photos: Sequence[Photo], found: Mapping[int, str]) -> list[str]:
    """One camera cannot have taken two files."""
    claims: dict[str, dict[str, None]] = {}
    for number, name in found.items():
        claims.setdefault(name, {})[str(photos[number].source)] = None
    return [
        f"'{name}' of the file may be any of {', '.join(sources)}"
        for name, sources in claims.items()
        if len(sources) > 1
    ]


def _sized(photo: Photo, camera: Camera) -> Camera | str:
    """The camera at the photo's size, or what keeps it from that."""
    width, height = photo.width, photo.height
    if _fits(photo, camera.size):
        ratio = camera.focal.new_tensor([width / camera.size[0], height / camera.size[1]])
        return replace(
            camera, focal=camera.focal * ratio, centre=camera.centre * ratio, size=(width, height)
        )
    upright = round(width / photo.scale), round(height / photo.scale)
    text = (
        f"{_called(photo)} is {upright[0]} x {upright[1]} px, its camera is for "
        f"{camera.size[0]} x {camera.size[1]}"
    )
    if _fits(photo, (camera.size[1], camera.size[0])):
        text += (
            " (turned: the photo is upright by its EXIF, and the cameras are of the pixels as they "
            "are stored; save the photos upright, without EXIF orientation, and compute the "
            "cameras again)"
        )
    return text


def _fits(photo: Photo, size: tuple[int, int]) -> bool:
    """Whether a size is the upright photo's, a whole number of times it, or the reverse."""
    times = size[0] * photo.scale / photo.width
    whole = float(round(times)) if times >= 1 else 1 / round(1 / times)
    rounded = max(1.0, 1 / whole) + (0.5 if photo.scale < 1 else 0.0)
    sides = zip(size, (photo.width, photo.height), strict=True)
    return all(abs(side * photo.scale / whole - own) < rounded for side, own in sides)


def _called(photo: Photo) -> str:
    return str(photo.source) if photo.source else "a photo without a file name"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
