"""A whole body of capsules with a head: what people scan when nobody told them what to scan."""

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

_LIMBS = (
    ((0.0, 0.95, 0.0), (0.0, 1.38, 0.0), 0.14),
    ((0.0, 1.38, 0.0), (0.0, 1.50, 0.0), 0.055),
    ((0.16, 1.36, 0.0), (0.45, 0.90, 0.02), 0.045),
    ((-0.16, 1.36, 0.0), (-0.45, 0.90, 0.02), 0.045),
    ((0.09, 0.92, 0.0), (0.10, 0.08, 0.0), 0.075),
    ((-0.09, 0.92, 0.0), (-0.10, 0.08, 0.0), 0.075),
)
"""Ends and radius, metres; +y up."""
NECK_TOP = np.array([0.0, 1.60, 0.02])


def stick_body(
    head: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (metres) and faces, 1.7 m tall; without a head of its own it gets a ball."""
    parts = [_capsule(np.array(a), np.array(b), radius) for a, b, radius in _LIMBS]
    if head is None:
        ball = trimesh.creation.icosphere(subdivisions=4, radius=0.1)
        head = np.array(ball.vertices), np.array(ball.faces, dtype=np.int64)
    parts.append((head[0] + NECK_TOP, head[1]))
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    faces = [faces + start for (_, faces), start in zip(parts, starts, strict=False)]
    return np.concatenate([vertices for vertices, _ in parts]), np.concatenate(faces)


def _capsule(start: np.ndarray, stop: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    length = float(np.linalg.norm(stop - start))
    mesh = trimesh.creation.capsule(height=length, radius=radius, count=[32, 32])
    axis = (stop - start) / length
    turn = Rotation.align_vectors(axis[None], [[0.0, 0.0, 1.0]])[0].as_matrix()
    centred = np.array(mesh.vertices) - np.array(mesh.bounds).mean(axis=0)
    return centred @ turn.T + (start + stop) / 2, np.array(mesh.faces, dtype=np.int64)
