"""What is seen of one face in one photo, whoever saw it: a network, or the user's own points."""

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, UInt8

from rigface.evidence.face_mesh import (
    EYE_CORNERS,
    IBUG_RINGS,
    LEFT_IRIS,
    RIGHT_IRIS,
    RIGHT_SIDE,
    RINGS,
    face_mesh,
)
from rigface.evidence.ibug import IBUG_PAIRS
from rigface.evidence.label_map import LabelMap

MAX_RECROP_CHANGE = 4.0
MAX_MIRROR_CHANGE = 4.0
"""Percent of the face size; above either the landmarks are not to be trusted."""

BLURRED_BELOW = 0.006
"""Sharpness of a sharp portrait blurred by a Gaussian of 1 to 1.4 % of the face size."""

_IBUG_EYE_CORNERS = (36, 45)


@dataclass(frozen=True)
class FaceQuality:
    """How far the landmarks can be trusted; NaN where a back-end does not measure it."""

    recrop_change: float = math.nan
    """Mean move of the landmarks when the face is cropped again by them, % of the face size."""
    mirror_change: float = math.nan
    """Mean difference to the landmarks found in the mirrored photo, % of the face size."""
    sharpness: float = math.nan
    """Variance of the Laplacian over the variance of the luminance, face at 192 px."""
    outside_person: float = math.nan
    """Part of the mesh that the person mask does not cover, %: a hint of occlusion or a miss."""

    @property
    def trusted(self) -> bool:
        """Whether the measured changes pass the gate; what was not measured passes."""
        return not (
            self.recrop_change > MAX_RECROP_CHANGE or self.mirror_change > MAX_MIRROR_CHANGE
        )

    @property
    def blurred(self) -> bool:
        return self.sharpness < BLURRED_BELOW


@dataclass(frozen=True)
class FaceMasks:
    """Masks over a square of the photo; cells outside the photo are off."""

    box: tuple[int, int, int, int]
    """Left, top, right, bottom in pixels of the photo; it may reach beyond the photo's edge."""
    skin: Bool[np.ndarray, "cells cells"]
    """Inside the mesh, on the person, and neither eye nor inner mouth."""
    person: UInt8[np.ndarray, "cells cells"] | None = None
    """Probability of person (hair, clothes and hands too) times 255; None without a segmenter."""

    @property
    def cell(self) -> float:
        """Photo pixels per cell."""
        return (self.box[2] - self.box[0]) / self.skin.shape[1]


@dataclass(frozen=True)
class FaceObservation:
    """One face in the pixels of a `Photo`: origin at its top left corner, pixel centres at + 0.5.

    The 478 points are MediaPipe's face mesh (`evidence.face_mesh`); left and right are the
    subject's. Where only the user's iBUG-68 are known, `landmarks` are NaN, `sigma` is infinite
    and `given_ibug68` holds the points.
    """

    landmarks: Float[np.ndarray, "478 2"]
    z: Float[np.ndarray, "478"]
    """Depth in the unit of the landmarks, away from the camera; weak: a start, no measurement."""
    sigma: Float[np.ndarray, "478"]
    """Standard deviation in pixels of each landmark."""
    visible: Bool[np.ndarray, "478"]
    """Not turned away, not behind another part of the face; an iris: its eye is open too."""
    presence: float
    """How sure the back-end is that this is a face, in [0, 1]."""
    source: str
    """The back-end and its version."""
    image_size: tuple[int, int]
    """Width and height of the photo in pixels."""
    quality: FaceQuality = field(default_factory=FaceQuality)
    blendshapes: dict[str, float] | None = None
    """Scores by ARKit name in [0, 1], where the back-end gives them; a weak hint."""
    masks: FaceMasks | None = None
    given_ibug68: Float[np.ndarray, "68 2"] | None = None
    labels: LabelMap | None = None
    """The user's face parsing of the whole photo, if there is one."""

    @property
    def trusted(self) -> bool:
        return self.quality.trusted

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the known points."""
        points = self._known_points()
        low, high = points.min(axis=0), points.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @property
    def size(self) -> float:
        """Face size in pixels: the root of the area of `box`. Quality is in percent of it."""
        return face_size(self._known_points())

    @property
    def interocular(self) -> float:
        """Pixels between the outer corners of the eyes."""
        if self.given_ibug68 is not None:
            right, left = self.given_ibug68[list(_IBUG_EYE_CORNERS)]
        else:
            right, left = self.landmarks[list(EYE_CORNERS)]
        return float(np.linalg.norm(left - right))

    @property
    def iris(self) -> Float[np.ndarray, "2 5 2"]:
        """Right and left iris: the centre, then four points of the rim."""
        starts = (RIGHT_IRIS, LEFT_IRIS)
        return np.stack([self.landmarks[start : start + 5] for start in starts])

    @property
    def iris_seen(self) -> Bool[np.ndarray, "2"]:
        """Right and left: all five points are known, and the iris is visible."""
        return np.isfinite(self.iris).all(axis=(1, 2)) & self.visible[[RIGHT_IRIS, LEFT_IRIS]]

    @property
    def yaw(self) -> float:
        """Radians from the weak z, positive when the subject turns to their own left.

        Good to some 10 degrees: for warnings and a start. NaN where z is not known.
        """
        across = self._across()
        return math.atan2(across[2], math.hypot(across[0], across[1]))

    @property
    def roll(self) -> float:
        """Radians in the image plane, positive when the head turns clockwise as one sees it."""
        across = self._across()
        return math.atan2(across[1], across[0])

    def ibug68(self) -> Float[np.ndarray, "68 2"]:
        """The iBUG-68 in pixels: as given, or means of mesh points (PeizhiYan's map)."""
        if self.given_ibug68 is not None:
            return self.given_ibug68
        return self.landmarks[IBUG_PAIRS].mean(axis=1)

    def ibug68_sigma(self) -> Float[np.ndarray, "68"]:
        """Standard deviation in pixels of each of `ibug68`; the jaw's meaning differs anyway."""
        if self.given_ibug68 is not None:
            return face_mesh().jitter[IBUG_PAIRS].mean(axis=1) * self.interocular
        return self.sigma[IBUG_PAIRS].mean(axis=1)

    def contour(self, name: str) -> Float[np.ndarray, "points 2"]:
        """A closed contour in order: eye_right, eye_left, lips_outer, lips_inner or oval."""
        if self.given_ibug68 is not None:
            return self.given_ibug68[list(IBUG_RINGS[name])]
        return self.landmarks[list(RINGS[name])]

    def _known_points(self) -> Float[np.ndarray, "points 2"]:
        return self.landmarks if self.given_ibug68 is None else self.given_ibug68

    def _across(self) -> Float[np.ndarray, "3"]:
        """Mean direction from the right half of the face to the left: x, y, z."""
        if self.given_ibug68 is not None:
            eyes = self.given_ibug68[list(_IBUG_EYE_CORNERS)]
            return np.array([*(eyes[1] - eyes[0]), np.nan])
        return across(self.landmarks, self.z)


def across(
    landmarks: Float[np.ndarray, "478 2"], z: Float[np.ndarray, "478"]
) -> Float[np.ndarray, "3"]:
    """Sum of the vectors from points of the right half to their mirror points on the left."""
    points = np.column_stack([landmarks, z])
    right = np.array(RIGHT_SIDE)
    return (points[face_mesh().mirror[right]] - points[right]).sum(axis=0)


def face_size(points: Float[np.ndarray, "points 2"]) -> float:
    """Root of the area of the points' box."""
    return float(np.sqrt(np.prod(np.ptp(points, axis=0))))
