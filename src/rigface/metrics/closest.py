"""Closest points in float64: found by the float32 BVH, placed exactly on the face it names."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from rigface.geometry.surface import Surface


@dataclass(frozen=True)
class ClosestOnMesh:
    """Where each query meets the mesh; unit and frame are those of the call."""

    face: Int[np.ndarray, " queries"]
    bary: Float[np.ndarray, "queries 3"]
    point: Float[np.ndarray, "queries 3"]
    distance: Float[np.ndarray, " queries"]


def closest_on_mesh(
    points: Float[np.ndarray, "queries 3"],
    vertices: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
) -> ClosestOnMesh:
    """Closest point of the surface to each query, exact to float64 on the face found.

    The face itself is chosen in float32 after centring, so at most 1e-7 of the mesh's size is at
    stake where two faces are equally close.
    """
    if len(points) == 0:
        return ClosestOnMesh(np.zeros(0, np.int64), np.zeros((0, 3)), points, np.zeros(0))
    centre = vertices.mean(axis=0)
    surface = Surface(torch.from_numpy(vertices - centre), torch.from_numpy(faces))
    face = surface.closest(torch.from_numpy(points - centre)).face.numpy()
    bary = closest_barycentric(points, vertices[faces[face]])
    point = np.einsum("nc,ncd->nd", bary, vertices[faces[face]])
    return ClosestOnMesh(face, bary, point, np.linalg.norm(points - point, axis=1))


def closest_barycentric(
    points: Float[np.ndarray, "queries 3"], triangles: Float[np.ndarray, "queries 3 3"]
) -> Float[np.ndarray, "queries 3"]:
    """Barycentric coordinates of the point of triangle i that is closest to query i.

    Coordinates are exactly zero where the closest point lies on an edge or a corner. Degenerate
    triangles are treated as their edges.
    """
    ends = np.roll(triangles, -1, axis=1)
    along = ends - triangles
    offset = points[:, None] - triangles
    square = np.einsum("ncd,ncd->nc", along, along)
    share = np.einsum("ncd,ncd->nc", offset, along)
    share = np.divide(share, square, out=np.zeros_like(share), where=square > 0).clip(0, 1)
    gap = np.linalg.norm(offset - share[..., None] * along, axis=2)

    rows, edge = np.arange(len(points)), gap.argmin(axis=1)
    bary = np.zeros((len(points), 3))
    bary[rows, edge] = 1 - share[rows, edge]
    bary[rows, (edge + 1) % 3] += share[rows, edge]

    inner = _plane_coordinates(points, triangles)
    inside = (inner > 0).all(axis=1)
    bary[inside] = inner[inside]
    return bary


def _plane_coordinates(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Barycentric coordinates of the foot of the perpendicular; -1 for a degenerate triangle."""
    first, second = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    offset = points - triangles[:, 0]
    normal = np.cross(first, second)
    square = np.einsum("nd,nd->n", normal, normal)
    safe = np.where(square > 0, square, 1.0)
    at_second = np.einsum("nd,nd->n", np.cross(offset, second), normal) / safe
    at_third = np.einsum("nd,nd->n", np.cross(first, offset), normal) / safe
    bary = np.stack([1 - at_second - at_third, at_second, at_third], axis=1)
    return np.where((square > 0)[:, None], bary, -1.0)
