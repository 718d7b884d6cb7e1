"""The topology of MediaPipe's face mesh: 468 points on the skin and 5 on each iris.

Points 468 to 472 are the subject's right iris (centre, then its rim), 473 to 477 the left one.
Triangles and mirror map come from `tools/build_face_mesh`, which derives them from the table of
connections inside the mediapipe wheel; the rings below are that table's contours in their order.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Int
from safetensors.numpy import load_file

from rigface.evidence.ibug import MESH_OVAL

MESH_COUNT = 478
SKIN_COUNT = 468
RIGHT_IRIS = 468
LEFT_IRIS = 473
"""Index of an iris' centre; the four points of its rim follow."""

EYE_CORNERS = (33, 263)
"""The outer corners, right and left: their distance is our inter-ocular distance, as in iBUG."""

_RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
_LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
_LIPS_OUTER = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185,
)  # fmt: skip
_LIPS_INNER = (
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191,
)  # fmt: skip
RINGS = MappingProxyType(
    {
        "eye_right": _RIGHT_EYE,
        "eye_left": _LEFT_EYE,
        "lips_outer": _LIPS_OUTER,
        "lips_inner": _LIPS_INNER,
        "oval": MESH_OVAL,
    }
)
"""Closed contours, in order."""

RIGHT_SIDE = (*_RIGHT_EYE, *MESH_OVAL[19:], 61, 78)
"""Some points of the right half, none on the middle line, for a direction across the face."""

BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
NOSE_RIDGE = (8, 168, 6, 197, 195, 5, 4, 1)
_NOSE_BASE = (19, 94, 2, 97, 98, 64, 48, 115, 220, 45, 326, 327, 294, 278, 344, 440, 275)

_JITTER: tuple[tuple[float, tuple[int, ...]], ...] = (
    (0.62, _RIGHT_EYE + _LEFT_EYE),
    (0.91, _LIPS_OUTER + _LIPS_INNER),
    (0.95, BROWS),
    (1.18, NOSE_RIDGE + _NOSE_BASE),
    (1.74, (10, 338, 297, 332, 284, 251, 109, 67, 103, 54, 21)),
    (1.47, (389, 356, 454, 323, 361, 162, 127, 234, 93, 132)),
    (1.59, (288, 397, 365, 379, 378, 58, 172, 136, 150, 149)),
    (1.60, (400, 377, 152, 148, 176)),
)
_IRIS_JITTER = 0.43

IBUG_RINGS = MappingProxyType(
    {
        "eye_right": tuple(range(36, 42)),
        "eye_left": tuple(range(42, 48)),
        "lips_outer": tuple(range(48, 60)),
        "lips_inner": tuple(range(60, 68)),
        "oval": (*range(17), *range(26, 16, -1)),
    }
)
"""The same contours where only the iBUG-68 are known; their oval ends at the brows."""


@dataclass(frozen=True)
class FaceMesh:
    """How the landmarks are connected; the same for every face."""

    triangles: Int[np.ndarray, "triangles 3"]
    """852, counter-clockwise seen from outside; eyes and inner mouth are open."""
    mirror: Int[np.ndarray, "478"]
    """The point on the other side of the face; its own inverse."""
    jitter: Float[np.ndarray, "478"]
    """Standard deviation of a landmark under shifted crops, as a fraction of the inter-ocular
    distance: measured per feature, spread smoothly over the mesh between them."""


@cache
def face_mesh() -> FaceMesh:
    """The shipped topology, read once per process: callers share it, so nobody writes to it."""
    with resources.as_file(resources.files("rigface") / "assets" / "face_mesh.safetensors") as path:
        arrays = load_file(path)
    triangles = arrays["triangles"].astype(np.int64)
    return FaceMesh(triangles, arrays["mirror"].astype(np.int64), _jitter(triangles))


def _jitter(triangles: Int[np.ndarray, "triangles 3"]) -> Float[np.ndarray, "478"]:
    """The measured groups held fixed; each other point is the mean of its neighbours."""
    laplacian = np.zeros((SKIN_COUNT, SKIN_COUNT))
    for a, b in ((0, 1), (1, 2), (2, 0)):
        laplacian[triangles[:, a], triangles[:, b]] = -1.0
        laplacian[triangles[:, b], triangles[:, a]] = -1.0
    laplacian[np.diag_indices(SKIN_COUNT)] = -laplacian.sum(axis=1)
    percent = np.full(SKIN_COUNT, np.nan)
    for value, points in _JITTER:
        percent[list(points)] = value
    free = np.isnan(percent)
    load = -laplacian[np.ix_(free, ~free)] @ percent[~free]
    percent[free] = np.linalg.solve(laplacian[np.ix_(free, free)], load)
    return np.concatenate([percent, np.full(MESH_COUNT - SKIN_COUNT, _IRIS_JITTER)]) / 100.0
