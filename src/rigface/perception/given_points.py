"""The detector that asks nobody: the user's own landmarks."""

import math
from pathlib import Path

import numpy as np
from jaxtyping import Float

from rigface.errors import InputError
from rigface.evidence.face import FaceMasks, FaceObservation, FaceQuality, face_size
from rigface.evidence.face_mesh import EYE_CORNERS, MESH_COUNT, face_mesh
from rigface.evidence.landmarks import IBUG_COUNT
from rigface.evidence.photo import Photo
from rigface.io.face_points import read_face_points
from rigface.perception.crops import Crop, Pyramid
from rigface.perception.masks import face_masks
from rigface.perception.sharpness import sharpness
from rigface.perception.visibility import visible_landmarks

_SOURCE = "file"


class GivenPoints:
    """`FaceDetector` that returns the one face of a landmarks file, whatever the photo shows.

    The sigmas are those of the networks, for lack of better; the masks come from the mesh alone.
    Raises InputError as `read_face_points` does.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._points = read_face_points(path)

    def detect(self, photo: Photo) -> list[FaceObservation]:
        """The face, in the pixels of `photo` even where the reader has reduced the file.

        Raises InputError where most of the points lie outside the photo.
        """
        points = self._points * photo.scale
        inside = (points[:, :2] >= 0).all(axis=1) & (
            points[:, :2] <= (photo.width, photo.height)
        ).all(axis=1)
        if inside.mean() < 0.5:
            raise InputError(
                f"{self._path}: {(~inside).sum()} of {len(points)} landmarks lie outside the "
                f"photo of {photo.width / photo.scale:.0f} x {photo.height / photo.scale:.0f} "
                "pixels. Expected pixels of the upright photo (EXIF rotation applied)."
            )
        if face_size(points[:, :2]) < 1.0:
            raise InputError(f"{self._path}: the landmarks have no extent. Check the file.")
        return [_ibug(points, photo) if len(points) == IBUG_COUNT else _mesh(points, photo)]


def _mesh(points: Float[np.ndarray, "478 columns"], photo: Photo) -> FaceObservation:
    flat = np.ascontiguousarray(points[:, :2])
    known_depth = points.shape[1] == 3
    z = points[:, 2] if known_depth else np.full(MESH_COUNT, math.nan)
    right, left = flat[list(EYE_CORNERS)]
    roll = math.atan2(*(left - right)[::-1])
    pyramid = Pyramid(photo.pixels)
    masks, _ = face_masks(flat, roll, pyramid, None)
    return FaceObservation(
        landmarks=flat,
        z=z,
        sigma=face_mesh().jitter * max(float(np.linalg.norm(left - right)), 0.4 * face_size(flat)),
        visible=visible_landmarks(flat, z if known_depth else np.zeros(MESH_COUNT)),
        presence=1.0,
        source=_SOURCE,
        image_size=(photo.width, photo.height),
        quality=FaceQuality(sharpness=_sharpness(pyramid, flat, roll)),
        masks=masks,
    )


def _ibug(points: Float[np.ndarray, "68 columns"], photo: Photo) -> FaceObservation:
    flat = np.ascontiguousarray(points[:, :2])
    roll = math.atan2(*(flat[45] - flat[36])[::-1])
    masks: FaceMasks | None = None  # 68 points bound no forehead
    return FaceObservation(
        landmarks=np.full((MESH_COUNT, 2), math.nan),
        z=np.full(MESH_COUNT, math.nan),
        sigma=np.full(MESH_COUNT, math.inf),
        visible=np.zeros(MESH_COUNT, dtype=bool),
        presence=1.0,
        source=_SOURCE,
        image_size=(photo.width, photo.height),
        quality=FaceQuality(sharpness=_sharpness(Pyramid(photo.pixels), flat, roll)),
        masks=masks,
        given_ibug68=flat,
    )


def _sharpness(pyramid: Pyramid, flat: Float[np.ndarray, "points 2"], roll: float) -> float:
    low, high = flat.min(axis=0), flat.max(axis=0)
    x, y = ((low + high) / 2).tolist()
    return sharpness(pyramid, Crop((x, y), float((high - low).max()), roll))
