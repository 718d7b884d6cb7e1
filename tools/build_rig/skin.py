"""The template skin as the builder needs it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.spatial import cKDTree

from rigface.geometry.mesh import face_areas, face_normals
from rigface.geometry.surface import Surface


@dataclass(frozen=True)
class Skin:
    """Exactly symmetric skin; metres, template frame."""

    vertices: np.ndarray
    faces: np.ndarray
    mirror: np.ndarray
    outer_faces: np.ndarray
    """Faces seen from outside with the eyeballs in place."""
    eyeball_left: np.ndarray

    @cached_property
    def outer_verts(self) -> np.ndarray:
        """Vertices of outer faces."""
        mask = np.zeros(len(self.vertices), dtype=bool)
        mask[self.faces[self.outer_faces]] = True
        return mask

    @cached_property
    def centers(self) -> np.ndarray:
        """Face centres."""
        return self.vertices[self.faces].mean(axis=1)

    @cached_property
    def areas(self) -> np.ndarray:
        """Face areas, square metres."""
        return face_areas(self.vertices, self.faces)

    @cached_property
    def face_region(self) -> np.ndarray:
        """Outer faces of the face proper: no scalp, ears or neck."""
        _, y, z = self.centers.T
        return self.outer_faces & (z > -0.045) & (y > -0.112) & (y < 0.075)

    @cached_property
    def ear_region(self) -> np.ndarray:
        """Outer faces of both ears."""
        x, y, z = np.abs(self.centers).T * np.array([[1], [0], [1]])
        y = self.centers[:, 1]
        near = (x > 0.068) & (z > 0.05) & (z < 0.1)
        return self.outer_faces & near & (y < 0.008) & (y > -0.05)


def skin_from_dump(path: str) -> Skin:
    """Skin from a raw head dump; stands in until the template asset exists."""
    dump = np.load(path)
    raw = dump["v"]
    points = np.stack([raw[:, 0], raw[:, 2], -raw[:, 1]], axis=1)
    is_left_eye = dump["comp"] == 2
    eye = points[is_left_eye]
    center = 0.5 * (eye.min(axis=0) + eye.max(axis=0))
    points = points - center * np.array([0, 1, 1])
    count = int((dump["comp"] == 0).sum())
    faces = dump["f"]
    eye_faces = faces[is_left_eye[faces].all(axis=1)]
    ids, flat = np.unique(eye_faces, return_inverse=True)
    vertices, skin_faces = points[:count], faces[(faces < count).all(axis=1)]
    _, mirror = cKDTree(vertices).query(vertices * [-1, 1, 1])
    vertices = 0.5 * (vertices + vertices[mirror] * [-1, 1, 1])
    outer = _seen_from_outside(vertices, skin_faces, points[ids], flat.reshape(-1, 3))
    return Skin(vertices, skin_faces, mirror, outer, center * [1, 0, 0])


def _seen_from_outside(vertices, faces, eye, eye_faces, share: float = 0.08) -> np.ndarray:
    count, both = len(vertices), len(eye)
    all_vertices = np.concatenate([vertices, eye, eye * [-1, 1, 1]])
    all_faces = np.concatenate([faces, eye_faces + count, eye_faces[:, ::-1] + count + both])
    surface = Surface(torch.tensor(all_vertices), torch.tensor(all_faces))
    directions = np.random.default_rng(0).normal(size=(400, 3))
    directions = np.concatenate([directions, directions * [-1, 1, 1]])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    start = vertices[faces].mean(axis=1) + 2e-4 * face_normals(vertices, faces)
    escape = surface.escape_share(torch.tensor(start), torch.tensor(directions), 1.0)
    return escape.numpy() > share
