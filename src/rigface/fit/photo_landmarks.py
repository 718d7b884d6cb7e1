"""Landmarks of a photo as rows of the energy: their places on the skin and how unsure they are."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from rigface.cameras import Camera
from rigface.evidence.face import FaceObservation
from rigface.evidence.ibug import IBUG_PAIRS
from rigface.rig.detector_error import DetectorError
from rigface.rig.landmark_embedding import LandmarkEmbedding
from rigface.terms.image_points import Beside, ImagePoints
from rigface.terms.robust import GemanMcClure

INNER = slice(17, None)
"""Of the 68: those without the jaw, whose outline is no fixed place on the skin."""
_FACE_MIDDLE = (0.0, -0.04, 0.08)
"""Where pixels per metre are measured, model space."""


@dataclass(frozen=True)
class LandmarkRows:
    """The landmarks of one photo that the skin can explain."""

    corners: Int[np.ndarray, "points corners"]
    bary: Float[np.ndarray, "points corners"]
    pixels: Float[np.ndarray, "points 2"]
    sigma: Float[np.ndarray, " points"]
    """Of the detector, pixels."""
    marks: Int[np.ndarray, " points"] | None
    """Numbers of the mesh points; None for the user's 68."""

    @property
    def plain(self) -> ImagePoints:
        """As the detector says them."""
        return ImagePoints(self.corners, self.bary, self.pixels, self.sigma)


def landmark_rows(embedding: LandmarkEmbedding, face: FaceObservation) -> LandmarkRows:
    """Visible mesh points, or the user's 68 without the jaw."""
    skin = len(embedding.face)
    if face.given_ibug68 is None:
        kept = np.flatnonzero(face.visible[:skin] & np.isfinite(face.landmarks[:skin]).all(axis=1))
        corners, bary = embedding.faces[embedding.face[kept]], embedding.bary[kept]
        return LandmarkRows(corners, bary, face.landmarks[kept], face.sigma[kept], kept)
    corners, bary = ibug_places(embedding)
    pixels, sigma = face.given_ibug68[INNER], face.ibug68_sigma()[INNER]
    return LandmarkRows(corners, bary, pixels, sigma, None)


def ibug_places(
    embedding: LandmarkEmbedding,
) -> tuple[Int[np.ndarray, "points corners"], Float[np.ndarray, "points corners"]]:
    """Corners and weights of the iBUG-68 without the jaw."""
    pairs = IBUG_PAIRS[INNER]
    corners = embedding.faces[embedding.face[pairs]].reshape(len(pairs), -1)
    return corners, 0.5 * embedding.bary[pairs].reshape(len(pairs), -1)


def mesh_points(
    rows: LandmarkRows, error: DetectorError, camera: Camera, trust: float
) -> ImagePoints:
    """Mesh points with what their detector is known to get wrong; `trust` multiplies sigmas."""
    assert rows.marks is not None
    own = error.sigma[rows.marks] * _px_per_metre(camera)
    beside = Beside(error.mean[rows.marks], error.modes[rows.marks])
    return _robust(rows, trust * np.hypot(rows.sigma, own), beside)


def given_points(
    rows: LandmarkRows, embedding: LandmarkEmbedding, camera: Camera, trust: float
) -> ImagePoints:
    """The user's points, of whose errors nothing is known; `trust` multiplies sigmas."""
    own = embedding.sigma[IBUG_PAIRS[INNER]].mean(axis=1)
    return _robust(rows, trust * np.hypot(rows.sigma, own * _px_per_metre(camera)))


def _robust(
    rows: LandmarkRows, sigma: Float[np.ndarray, " points"], beside: Beside | None = None
) -> ImagePoints:
    kernel = GemanMcClure(4.0)
    return ImagePoints(rows.corners, rows.bary, rows.pixels, sigma, None, kernel, beside)


def _px_per_metre(camera: Camera) -> float:
    middle = camera.to_camera(torch.tensor([_FACE_MIDDLE], dtype=torch.float64))
    return float(camera.focal.mean() / middle[0, 2])
