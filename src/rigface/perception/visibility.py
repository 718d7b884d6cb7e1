"""Which landmarks the camera can see, from the mesh and its weak depth."""

import numpy as np
from jaxtyping import Bool, Float

from rigface.evidence.face import face_size
from rigface.evidence.face_mesh import MESH_COUNT, RINGS, SKIN_COUNT, face_mesh

_BEHIND = 0.02
"""A triangle hides a point from this far in front on, in face sizes: depth is no better."""

_OPEN_EYE = 0.10
"""An iris counts as seen where the lids are this far apart, over the width of the eye."""


def visible_landmarks(
    landmarks: Float[np.ndarray, "478 2"], z: Float[np.ndarray, "478"]
) -> Bool[np.ndarray, "478"]:
    """Turned towards the camera and in front of everything else; irises follow their eye."""
    size = face_size(landmarks)
    points = np.column_stack([landmarks, z])[:SKIN_COUNT] / size
    visible = np.ones(MESH_COUNT, dtype=bool)
    visible[:SKIN_COUNT] = _facing(points) & ~_hidden(points)
    for start, ring in ((468, "eye_right"), (473, "eye_left")):
        around = list(RINGS[ring])
        seen = visible[around].mean() > 0.5 and _openness(landmarks[around]) > _OPEN_EYE
        visible[start : start + 5] = seen
    return visible


def _openness(ring: Float[np.ndarray, "16 2"]) -> float:
    """Largest distance of the lids over the distance of the corners (points 0 and 8)."""
    lids = np.linalg.norm(ring[1:8] - ring[:8:-1], axis=1)
    return float(lids.max() / max(float(np.linalg.norm(ring[8] - ring[0])), 1e-12))


def _facing(points: Float[np.ndarray, "verts 3"]) -> Bool[np.ndarray, " verts"]:
    """Whether the sum of the triangles' normals at a point leans towards the camera (-z)."""
    triangles = face_mesh().triangles
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    ab, ac = b - a, c - a
    area_z = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    total = np.bincount(triangles.ravel(), np.repeat(area_z, 3), minlength=len(points))
    return total < 0.0


def _hidden(points: Float[np.ndarray, "verts 3"]) -> Bool[np.ndarray, " verts"]:
    """Whether some triangle covers the point from in front.

    Barycentric coordinates are affine in x and y, so all pairs are three matrix products.
    """
    triangles = face_mesh().triangles
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    ab, ac = b - a, c - a
    double_area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    solid = np.abs(double_area) > 1e-9  # seen edge-on, a triangle covers nothing
    a, ab, ac, double_area = a[solid], ab[solid], ac[solid], double_area[solid, None]
    toward_b = np.column_stack([ac[:, 1], -ac[:, 0], a[:, 1] * ac[:, 0] - a[:, 0] * ac[:, 1]])
    toward_c = np.column_stack([-ab[:, 1], ab[:, 0], a[:, 0] * ab[:, 1] - a[:, 1] * ab[:, 0]])
    toward_b, toward_c = toward_b / double_area, toward_c / double_area
    depth = toward_b * ab[:, 2:] + toward_c * ac[:, 2:]
    depth[:, 2] += a[:, 2]
    at = np.vstack([points[:, :2].T, np.ones(len(points))])
    v, w = toward_b @ at, toward_c @ at
    covers = (v > 0) & (w > 0) & (v + w < 1)
    return (covers & (depth @ at < points[:, 2] - _BEHIND)).any(axis=0)
