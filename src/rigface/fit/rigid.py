"""A cloud laid on a surface by rigid motion: robust point-to-plane ICP (Chen and Medioni 1991)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from rigface.geometry.mesh import Mesh, boundary_edges, vertex_normals
from rigface.geometry.normals import unit
from rigface.geometry.similarity import Similarity
from rigface.geometry.surface import Surface

REACHES = (0.02, 0.015, 0.01, 0.01, 0.007, 0.007, *(0.005,) * 14)
"""Metres within which a point looks for the surface, one per step."""
_FACING = 0.3
"""Least cosine between the surface's normal and the direction to the camera."""
_STILL = 1e-6
"""Metres of motion that end the search."""


@dataclass(frozen=True)
class RigidFit:
    """Where the cloud lies, and how well."""

    surface_from_cloud: Similarity
    share: float
    """Of the points that lie on the surface within the last reach."""
    median: float
    """Of their distances, metres; NaN if there are none."""


class RigidTarget:
    """A surface (metres) onto which clouds are laid."""

    def __init__(self, mesh: Mesh):
        self._mesh = mesh
        self._normals = vertex_normals(mesh.vertices, mesh.faces)
        self._border = np.zeros(len(mesh.vertices), dtype=bool)
        self._border[boundary_edges(mesh.faces).ravel()] = True
        self._surface = Surface(torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces))

    def lay(
        self,
        points: Float[np.ndarray, "points 3"],
        toward: Float[np.ndarray, "points 3"],
        start: Similarity,
        reaches: Sequence[float] = REACHES,
    ) -> RigidFit:
        """Move the points from `start` so that they meet the surface; its scale is kept.

        `toward` are unit vectors to the camera: a point meets only what faces it. Matches on the
        surface's border do not count. Geman-McClure weights with a third of the reach.
        """
        pose = start
        for reach in reaches:
            moved = pose.apply(points)
            offset, normal, good = self._meet(moved, pose.rotate(toward), reach)
            if good.sum() < 6:
                return RigidFit(pose, 0.0, float("nan"))
            step = _step(moved[good], offset[good], normal[good], reach / 3)
            pose = step @ pose
            if np.abs(step.apply(moved) - moved).max() < _STILL and reach == reaches[-1]:
                break
        offset, normal, good = self._meet(pose.apply(points), pose.rotate(toward), reaches[-1])
        if not good.any():
            return RigidFit(pose, 0.0, float("nan"))
        distance = np.linalg.norm(offset[good], axis=1)
        return RigidFit(pose, float(good.mean()), float(np.median(distance)))

    def _meet(
        self, moved: np.ndarray, toward: np.ndarray, reach: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """From the surface to each point, the normal there, and whether the pair counts."""
        found = self._surface.closest(torch.from_numpy(moved), reach)
        face, bary = found.face.numpy(), found.bary.numpy()
        corners = self._mesh.faces[np.maximum(face, 0)]
        normal = unit(np.einsum("nc,ncd->nd", bary, self._normals[corners]))
        on_border = (self._border[corners] | (bary < 1e-4)).all(axis=1)
        good = (face >= 0) & ~on_border & ((normal * toward).sum(axis=1) > _FACING)
        return moved - found.point.numpy(), normal, good


def _step(points: np.ndarray, offset: np.ndarray, normal: np.ndarray, width: float) -> Similarity:
    """The small motion that takes the distances along the normals away, about the middle."""
    middle = points.mean(axis=0)
    height = (offset * normal).sum(axis=1)
    weight = 1 / (1 + (height / width) ** 2) ** 2
    rows = np.concatenate([np.cross(points - middle, normal), normal], axis=1)
    matrix = rows.T @ (weight[:, None] * rows)
    matrix += 1e-9 * np.trace(matrix) / 6 * np.eye(6)
    turn = np.linalg.solve(matrix, -rows.T @ (weight * height))
    rotation = Rotation.from_rotvec(turn[:3]).as_matrix()
    return Similarity(1.0, rotation, middle + turn[3:] - rotation @ middle)
