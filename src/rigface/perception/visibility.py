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
    area_z = np.cross(b - a, c - a)[:, 2]
    total = np.zeros(len(points))
    for corner in range(3):
        np.add.at(total, triangles[:, corner], area_z)
    return total < 0.0


def _hidden(points: Float[np.ndarray, "verts 3"]) -> Bool[np.ndarray, " verts"]:
    """Whether some triangle that does not hold the point covers it from in front."""
    triangles = face_mesh().triangles
    a, b, c = (points[triangles[:, corner], None, :] for corner in range(3))  # (triangles, 1, 3)
    p = points[None]
    double_area = _cross(b - a, c - a)
    double_area = np.where(np.abs(double_area) < 1e-12, np.inf, double_area)
    v = _cross(p - a, c - a) / double_area
    w = _cross(b - a, p - a) / double_area
    u = 1.0 - v - w
    depth = u * a[..., 2] + v * b[..., 2] + w * c[..., 2]
    covers = (u > 0) & (v > 0) & (w > 0) & np.isfinite(double_area)
    return (covers & (depth < p[..., 2] - _BEHIND)).any(axis=0)


def _cross(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]
