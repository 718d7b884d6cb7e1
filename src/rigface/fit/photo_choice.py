"""Which photos of one person take part in a fit, and which one more would help."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rigface.cameras import Camera
from rigface.errors import InputError
from rigface.evidence.face import FaceObservation
from rigface.evidence.photo import Photo

_FRONTAL, _HALF = math.radians(15), math.radians(25)
_UNLIKE = 0.35
"""Mean difference of the strongest expression weights that is worth a warning."""
_STRONGEST = 6


@dataclass(frozen=True)
class Chosen:
    """The photos that are fitted, their faces and cameras, and what became of the others."""

    photos: tuple[Photo, ...]
    faces: tuple[FaceObservation, ...]
    cameras: tuple[Camera, ...] | None
    warnings: tuple[str, ...]
    metric_cameras: bool = True
    """The cameras are in metres, not in a unit of their own."""

    def only(self, number: int) -> "Chosen":
        """One photo alone, its camera unknown."""
        return Chosen((self.photos[number],), (self.faces[number],), None, ())

    def without(self, number: int, why: str) -> "Chosen":
        """One photo less."""

        def rest(items: tuple) -> tuple:
            return (*items[:number], *items[number + 1 :])

        said = (*self.warnings, _left_out(self.photos[number], why))
        cameras = None if self.cameras is None else rest(self.cameras)
        left = (rest(self.photos), rest(self.faces), cameras, said)
        return Chosen(*left, metric_cameras=self.metric_cameras)


def photo_name(photo: Photo) -> str:
    """The file's name."""
    return photo.source.name if photo.source else "the photo"


def no_face(photo: Photo) -> str:
    """What to say, and what to do."""
    return (
        f"No face was found in {photo.source or 'the photo'}. A face of at least 60 pixels is "
        "needed, not turned by more than 80 degrees from the camera; crop the photo to the face, "
        "or give landmarks of your own."
    )


def choose(
    photos: Sequence[Photo],
    faces: Sequence[FaceObservation | None],
    cameras: Sequence[Camera] | None,
    metric_cameras: bool = True,
) -> Chosen:
    """Photos that show a face, each once.

    Raises InputError if none does, or if a face's landmarks are no numbers.
    """
    if all(face is None for face in faces):
        more = "" if len(photos) == 1 else f" The other {len(photos) - 1} show none either."
        raise InputError(no_face(photos[0]) + more)
    kept: list[tuple[int, FaceObservation]] = []
    warnings: list[str] = []
    seen: dict[bytes, Photo] = {}
    for number, (photo, face) in enumerate(zip(photos, faces, strict=True)):
        key = _digest(photo)
        if face is None:
            warnings.append(_left_out(photo, "no face was found in it"))
        elif key in seen:
            why = f"it is the same picture as {photo_name(seen[key])}"
            warnings.append(_left_out(photo, why))
        else:
            _check(photo, face)
            seen[key] = photo
            kept.append((number, face))
    return Chosen(
        tuple(photos[number] for number, _ in kept),
        tuple(face for _, face in kept),
        None if cameras is None else tuple(cameras[number] for number, _ in kept),
        tuple(warnings),
        metric_cameras,
    )


def _digest(photo: Photo) -> bytes:
    """Of the picture: its size counts, and what it shows."""
    content = hashlib.blake2b(np.ascontiguousarray(photo.pixels).data, digest_size=16)
    content.update(repr(photo.pixels.shape).encode())
    return content.digest()


def _left_out(photo: Photo, why: str) -> str:
    return f"{photo_name(photo)} is left out: {why}"


def _check(photo: Photo, face: FaceObservation) -> None:
    known = face.landmarks if face.given_ibug68 is None else face.given_ibug68
    if not np.isfinite(known).all():
        raise InputError(
            f"The landmarks of {photo.source or 'the photo'} are not all finite numbers. Give 68 "
            "or 478 points in pixels."
        )


def unlike_expressions(weights: np.ndarray) -> bool:
    """Whether photos show so different expressions, (photos, shapes), that shape suffers."""
    if len(weights) < 2:
        return False
    spread = np.sort(weights.max(axis=0) - weights.min(axis=0))[-_STRONGEST:]
    return bool(spread.mean() > _UNLIKE)


def advice(yaws: Sequence[float]) -> str | None:
    """The view that would add most to those at hand, by their yaws (radians); None: no need."""
    turned = np.asarray(yaws)
    if len(turned) >= 3 and turned.min() < -_HALF and turned.max() > _HALF:
        return None if (np.abs(turned) < _FRONTAL).any() else "add a photo from the front"
    if turned.max() <= _HALF and turned.min() >= -_HALF:
        return "add a photo turned 30 to 50 degrees to either side"
    if not (np.abs(turned) < _FRONTAL).any():
        return "add a photo from the front"
    side = "right" if turned.max() > _HALF else "left"
    return f"add a photo with the face turned 30 to 50 degrees to the subject's {side}"
