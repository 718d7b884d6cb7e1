"""The rig chart: where a chart point lies on the skin, and back (supplement Eq. 1-3)."""

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

# Tolerance of the inside test in barycentric units: a point on an edge or vertex is inside.
_ON_EDGE = 1e-12


ChartPoints = Float[Tensor, "*#batch 2"] | Float[np.ndarray, "*#batch 2"]
Barycentrics = Float[Tensor, "*batch 3"] | Float[np.ndarray, "*batch 3"]


def barycentric(point: ChartPoints, a: ChartPoints, b: ChartPoints, c: ChartPoints) -> Barycentrics:
    """(alpha, beta, gamma) of a point in the triangle ABC: 1 at A, B, C in turn (Eq. 2, 3).

    Differentiable; works on torch tensors and numpy arrays alike. Outside, some are negative.
    """
    ab, cb, pb = a - b, c - b, point - b
    ac, bc, pc = a - c, b - c, point - c
    alpha = _cross(pb, cb) / _cross(ab, cb)
    beta = _cross(pc, ac) / _cross(bc, ac)
    if isinstance(alpha, Tensor):
        return torch.stack([alpha, beta, 1 - alpha - beta], dim=-1)
    return np.stack([alpha, beta, 1 - alpha - beta], axis=-1)


def _cross(p, q):
    return p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]


class ChartLocator:
    """Finds the triangle under chart points; total: an outside point gets the nearest one.

    The inside test is inclusive; of several triangles that hold a point the lowest id wins.
    """

    def __init__(
        self,
        chart: Float[np.ndarray, "verts 2"],
        faces: Int[np.ndarray, "faces 3"],
    ):
        self.chart = np.asarray(chart, dtype=np.float64)
        self.faces = np.asarray(faces)
        corners = self.chart[self.faces]
        center = corners.mean(axis=1)
        radius = np.linalg.norm(corners - center[:, None], axis=-1).max(axis=1)
        self._corners = corners
        # one tree per size class, so that a few large triangles do not widen every search
        edges = np.quantile(radius, [0, 0.5, 0.8, 0.95, 1])
        self._classes = []
        for low, high in zip(edges[:-1], edges[1:], strict=True):
            inside = (radius >= low) & (radius <= high if high == edges[-1] else radius < high)
            ids = np.flatnonzero(inside)
            if len(ids):
                self._classes.append((ids, cKDTree(center[ids]), float(radius[ids].max())))
        self._loop_edges = _outline(self.faces)

    def locate(
        self, points: Float[np.ndarray, "points 2"]
    ) -> tuple[Int[np.ndarray, " points"], Float[np.ndarray, "points 3"]]:
        """Face and barycentric coordinates of each point; clamped to the chart where outside.

        Non-finite points are treated as the chart's origin, so the answer is never NaN.
        """
        points = np.nan_to_num(np.asarray(points, dtype=np.float64), posinf=0.0, neginf=0.0)
        if len(points) == 0:
            return np.zeros(0, dtype=int), np.zeros((0, 3))
        face, bary = self._inside(points)
        outside = np.flatnonzero(face < 0)
        if len(outside):
            face[outside], bary[outside] = self._nearest_on_outline(points[outside])
        return face, bary

    def _inside(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        point_ids, face_ids = [], []
        for ids, tree, radius in self._classes:
            hits = tree.query_ball_point(points, radius * (1 + 1e-9))
            point_ids.append(np.repeat(np.arange(len(points)), [len(hit) for hit in hits]))
            face_ids.append(ids[np.concatenate([np.asarray(h, dtype=int) for h in hits])])
        which, candidate = np.concatenate(point_ids), np.concatenate(face_ids)
        a, b, c = (self._corners[candidate, corner] for corner in range(3))
        bary = np.asarray(barycentric(points[which], a, b, c))
        holds = (bary >= -_ON_EDGE).all(axis=-1)
        which, candidate, bary = which[holds], candidate[holds], bary[holds]
        order = np.lexsort((candidate, which))
        first, index = np.unique(which[order], return_index=True)
        face, found = np.full(len(points), -1), np.zeros((len(points), 3))
        face[first] = candidate[order][index]
        found[first] = bary[order][index]
        return face, found

    def _nearest_on_outline(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Closest point of the boundary edges, as face and barycentrics."""
        owner, start, end = self._loop_edges
        a, b = self.chart[self.faces[owner, start]], self.chart[self.faces[owner, end]]
        along = b - a
        share = np.einsum("pei,ei->pe", points[:, None] - a, along) / (along**2).sum(-1)
        share = np.clip(share, 0, 1)
        gap = np.linalg.norm(points[:, None] - (a + share[..., None] * along), axis=-1)
        edge = gap.argmin(axis=1)
        rows = np.arange(len(points))
        bary = np.zeros((len(points), 3))
        bary[rows, start[edge]] = 1 - share[rows, edge]
        bary[rows, end[edge]] = share[rows, edge]
        return owner[edge], bary


def locate(
    chart: Float[np.ndarray, "verts 2"],
    faces: Int[np.ndarray, "faces 3"],
    points: Float[np.ndarray, "points 2"],
) -> tuple[Int[np.ndarray, " points"], Float[np.ndarray, "points 3"]]:
    """One-off `ChartLocator.locate`; keep a locator where many calls are made."""
    return ChartLocator(chart, faces).locate(points)


def on_surface(
    values: Float[np.ndarray, "verts dims"],
    faces: Int[np.ndarray, "faces 3"],
    face: Int[np.ndarray, " points"],
    bary: Float[np.ndarray, "points 3"],
) -> Float[np.ndarray, "points dims"]:
    """F of Eq. 4: vertex values interpolated at located points."""
    return np.einsum("pc,pcd->pd", bary, values[faces[face]])


def _outline(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boundary edges as (face, start corner, end corner)."""
    owner = np.tile(np.arange(len(faces)), 3)
    start = np.repeat([0, 1, 2], len(faces))
    end = (start + 1) % 3
    edges = np.sort(np.stack([faces[owner, start], faces[owner, end]], axis=1), axis=1)
    _, first, count = np.unique(edges, axis=0, return_index=True, return_counts=True)
    lone = first[count == 1]
    return owner[lone], start[lone], end[lone]
