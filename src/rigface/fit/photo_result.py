"""What a photo fit hands back: the head, the cameras that see it, and how sure it all is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor

from rigface.cameras import Camera
from rigface.evidence.face import FaceObservation
from rigface.evidence.photo import Photo
from rigface.fit.iris import Gaze, HeadSize
from rigface.fit.parts import Head
from rigface.fit.photo_choice import advice
from rigface.fit.result import FittedRig
from rigface.models.face_model import FaceModel
from rigface.rig.template import Template

FocalHow = Literal["from the file", "estimated", "cameras"]
"""What told the focal lengths: all files, the fit, or known cameras."""


@dataclass(frozen=True)
class PhotoView:
    """One photo of the fitted head."""

    photo: Photo
    face: FaceObservation
    camera: Camera
    """cam_from_model, metres of the result."""
    expression: Mapping[str, float]
    """ARKit weights in this photo, those above one percent."""
    gaze: Mapping[str, Gaze]
    """By side, L and R; empty where the irises are not seen."""
    reprojection_percent: float
    """Median distance of visible landmarks from their places, % of the inter-ocular distance."""
    yaw: float
    """Radians from the camera's axis, positive when the subject turns to their own left."""


@dataclass(frozen=True)
class PhotoResult:
    """A fitted head. Model space: metres, +Y up, +Z out of the face, size by `size`."""

    template: Template
    model: FaceModel
    x: Float[Tensor, " params"]
    """Parameters of `model` behind a similarity, without expression (as in a scan's result)."""
    identity: Float[np.ndarray, " modes"]
    """Coefficients of the prior, standard deviations."""
    rests: Float[np.ndarray, " rests"]
    """Coefficients of the rest shapes, standard deviations; none after a single photo. `model` has
    them in its template."""
    variables: int
    head: Head
    """Without expression."""
    rig: FittedRig
    views: tuple[PhotoView, ...]
    size: HeadSize
    sigma: Float[np.ndarray, " skin"]
    """Standard deviation of each skin vertex, metres, of shape alone: the size has its own."""
    focal_how: FocalHow
    ok: bool
    reason: str | None
    warnings: tuple[str, ...]
    settings: Mapping[str, Any]
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def neutral(self) -> Float[np.ndarray, "verts 3"]:
        """All parts without expression, model space."""
        return self.head.vertices

    @property
    def fitted(self) -> Float[np.ndarray, "verts 3"]:
        """All parts with the expression of the first photo."""
        return self.posed(0)

    def posed(self, view: int) -> Float[np.ndarray, "verts 3"]:
        """All parts as one photo shows them, eyes aside."""
        out = self.head.vertices.copy()
        for name, weight in self.views[view].expression.items():
            index, offset = self.head.expressions.of(name)
            out[index] += weight * offset
        return out

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """cam_from_model of each photo."""
        return tuple(view.camera for view in self.views)

    @property
    def advice(self) -> str | None:
        """The photo that would add most; None where all sides of the face are seen."""
        return advice([view.yaw for view in self.views])

    @property
    def reprojection_percent(self) -> float:
        """The median over the photos."""
        return float(np.median([view.reprojection_percent for view in self.views]))
