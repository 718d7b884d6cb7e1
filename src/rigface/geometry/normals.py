"""Normals of noisy surfaces: of a mesh averaged as far as noise asks for, of a cloud by planes."""

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from rigface.geometry.mesh import unique_edges, vertex_normals

_NOISE = 0.75
"""An average that leaves less than this share of the disagreement has removed noise, not form."""
_MOST = 20
_HINT = 0.02
"""Weight of the hint against that of the neighbours."""


def calm_normals(
    vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]
) -> tuple[Float[np.ndarray, "verts 3"], int]:
    """Unit vertex normals, averaged over neighbours, and how many times they were.

    Noise of 0.3 mm turns the normals of a mesh with edges of 0.5 mm at random. Averaging removes
    most of the disagreement between neighbours where it is noise and little of it where it is
    form; it goes on while a pass takes away a quarter. A clean mesh keeps its plain normals.
    """
    normals = vertex_normals(vertices, faces)
    edges = unique_edges(faces)
    if not len(edges):
        return normals, 0
    ends = np.concatenate([edges, edges[:, ::-1]]).T
    ones = np.ones(ends.shape[1])
    neighbours = sp.csr_matrix((ones, (ends[0], ends[1])), shape=(len(vertices),) * 2)
    before = _disagreement(normals, edges)
    for passes in range(_MOST):
        smoother = unit(normals + neighbours @ normals)
        after = _disagreement(smoother, edges)
        if after > _NOISE * before:
            return normals, passes
        normals, before = smoother, after
    return normals, _MOST


def _disagreement(normals: np.ndarray, edges: np.ndarray) -> float:
    """Median length of the difference of two neighbouring unit normals."""
    return float(np.median(np.linalg.norm(normals[edges[:, 0]] - normals[edges[:, 1]], axis=-1)))


def plane_normals(
    points: Float[np.ndarray, "points 3"],
    neighbours: int = 14,
    asked: Int[np.ndarray, " asked"] | None = None,
) -> Float[np.ndarray, "asked_or_points 3"]:
    """Unit normals of the planes through the neighbours of points; their sign is arbitrary."""
    centres = points if asked is None else points[asked]
    _, index = cKDTree(points).query(centres, k=min(neighbours, len(points)))
    near = points[index]
    near = near - near.mean(axis=1, keepdims=True)
    _, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", near, near))
    return axes[:, :, 0]


def agreed_signs(
    points: Float[np.ndarray, "points 3"],
    normals: Float[np.ndarray, "points 3"],
    hint: Float[np.ndarray, " points"],
    neighbours: int = 12,
) -> Float[np.ndarray, " points"]:
    """+1 or -1 per normal, so that neighbours agree and the whole follows the hint.

    `hint` is the cosine to a direction that is roughly outward: right for most points and wrong
    for whole patches, such as the wings of a nose. The signs minimise (s_i -+ s_j)^2 over pairs of
    neighbours, weighted by how parallel their normals are, plus a little of (s_i - hint_i)^2.
    """
    count = len(points)
    _, index = cKDTree(points).query(points, k=min(neighbours + 1, count))
    near = index[:, 1:]
    alike = np.einsum("nkd,nd->nk", normals[near], normals) ** 3
    row = np.repeat(np.arange(count), near.shape[1])
    ties = sp.csr_matrix((alike.ravel(), (row, near.ravel())), shape=(count, count))
    ties = ties + ties.T
    strength = np.asarray(abs(ties).sum(axis=1)).ravel()
    system = sp.diags((1 + _HINT) * strength + 1e-9) - ties
    signs, _ = spla.cg(system, _HINT * strength * hint, rtol=1e-4, maxiter=500)
    return np.where(signs < 0, -1.0, 1.0)


def unit(vectors: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Vectors of length one; those of no length stay."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
