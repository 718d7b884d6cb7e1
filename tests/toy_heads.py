"""A toy head: a bumpy ball with a nose, a mouth bag inside, and a template-like outer surface."""

import numpy as np
import trimesh

from rigface.geometry.mesh import Mesh
from rigface.metrics.outer import REGIONS, OuterSurface, label_surface

RADIUS = 0.09
NOSE = np.array([0.0, 0.0, 0.11])


def toy_head(subdivisions: int = 4) -> Mesh:
    """Metres, a ball of 9 cm with a nose of 2 cm at +z; closed."""
    ball = trimesh.creation.icosphere(subdivisions=subdivisions)
    direction = np.array(ball.vertices)
    angle = np.arccos(np.clip(direction[:, 2], -1, 1))
    height = RADIUS + 0.02 * np.exp(-((angle / 0.2) ** 2))
    return Mesh(direction * height[:, None], np.array(ball.faces, dtype=np.int64))


def with_pocket(head: Mesh) -> Mesh:
    """The head with a closed bag of 3 cm inside, behind the nose: no scanner could see it."""
    bag = trimesh.creation.icosphere(subdivisions=3, radius=0.03)
    vertices = np.concatenate([head.vertices, np.array(bag.vertices) + [0, 0, 0.04]])
    faces = np.concatenate([head.faces, np.array(bag.faces) + len(head.vertices)])
    return Mesh(vertices, faces.astype(np.int64))


def toy_outer(head: Mesh, floor: float = -1.0) -> OuterSurface:
    """Faces above y = floor (all by default) as outer skin: nose, cheeks elsewhere; no eyeballs."""
    middle = head.vertices[head.faces].mean(axis=1)
    kept = middle[:, 1] > floor
    nose = np.linalg.norm(middle - NOSE, axis=1) < 0.03
    region = np.where(nose, REGIONS.index("nose"), REGIONS.index("cheeks"))
    return label_surface(head.faces[kept], np.zeros((0, 3), dtype=np.int64), region[kept])
