"""Levels of detail: fixed sparse operators that refine a skin and keep its vertices.

Fine vertices lie on the Loop limit surface whose control points were moved beforehand so that the
surface passes through the coarse vertices (plain Loop pulls a face inwards by 0.3 mm). The
operator is linear, so it applies to posed vertices, offsets and derivatives alike.
"""

from functools import reduce

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int

from rigface.geometry.adjacency import adjacency
from rigface.geometry.mesh import boundary_edges, unique_edges

# Influences below this share are dropped and the rest renormalised.
_DROP = 1e-4


def subdivide(
    faces: Int[np.ndarray, "faces 3"], levels: int, verts: int | None = None
) -> tuple[sp.csr_matrix, Int[np.ndarray, "fine_faces 3"]]:
    """Operator (fine verts, verts) and fine faces, four times as many per level.

    The first rows are the identity: coarse vertices come first and stay where they are. Rows sum
    to one. Corner i of fine face 4f + i descends from corner i of face f. Raises ValueError for
    negative levels.
    """
    if levels < 0:
        raise ValueError(f"levels={levels}; expected 0 or more")
    count = int(faces.max()) + 1 if verts is None else verts
    if levels == 0:
        return sp.identity(count, format="csr"), faces.copy()
    refinements, fine = [], faces
    for _ in range(levels):
        step = _loop_refinement(fine, refinements[-1].shape[0] if refinements else count)
        fine = split_faces(fine, step.shape[1])
        refinements.append(step)
    limit = _loop_limit(fine, refinements[-1].shape[0])
    surface = reduce(lambda done, step: step @ done, [*refinements, limit])
    controls = _inverse(_loop_limit(faces, count))
    rest = _pruned((surface[count:] @ controls).tocsr())
    return sp.vstack([sp.identity(count), rest]).tocsr(), fine


def subdivide_uv(
    uv_faces: Int[np.ndarray, "faces 3"], levels: int, uvs: int
) -> tuple[sp.csr_matrix, Int[np.ndarray, "fine_faces 3"]]:
    """The same refinement for per-corner UV: midpoints, so that the texture does not swim."""
    operator, fine = sp.identity(uvs, format="csr"), uv_faces
    for _ in range(levels):
        edges = unique_edges(fine)
        rows = np.repeat(np.arange(len(edges)), 2)
        count = operator.shape[0]
        middle = sp.coo_matrix((np.full(edges.size, 0.5), (rows, edges.ravel())),
                               shape=(len(edges), count))  # fmt: skip
        fine = split_faces(fine, count)
        operator = sp.vstack([sp.identity(count), middle]).tocsr() @ operator
    return operator, fine


def split_faces(faces: Int[np.ndarray, "faces 3"], verts: int) -> Int[np.ndarray, "fine_faces 3"]:
    """Each triangle into four; edge midpoints are numbered from `verts` in `unique_edges` order."""
    edges = unique_edges(faces)
    key = edges[:, 0] * (faces.max() + 1) + edges[:, 1]
    a, b, c = faces.T

    def middle(p, q):
        low, high = np.minimum(p, q), np.maximum(p, q)
        return verts + np.searchsorted(key, low * (faces.max() + 1) + high)

    ab, bc, ca = middle(a, b), middle(b, c), middle(c, a)
    quarters = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.stack([np.stack(quarter, axis=1) for quarter in quarters], axis=1).reshape(-1, 3)


def _loop_refinement(faces: np.ndarray, verts: int) -> sp.csr_matrix:
    """One level of Loop: moved vertices first, then edge points in `unique_edges` order."""
    edges = unique_edges(faces)
    inner, rim = _neighbours(faces, verts)
    valence = np.asarray(inner.sum(axis=1)).ravel()
    beta = _loop_beta(valence)
    on_rim = np.asarray(rim.sum(axis=1)).ravel() > 0
    ring = sp.diags(np.where(on_rim, 0, beta)) @ inner + 0.125 * rim
    vertex = ring + sp.diags(1 - np.asarray(ring.sum(axis=1)).ravel())
    ends = sp.coo_matrix(
        (np.ones(edges.size), (np.repeat(np.arange(len(edges)), 2), edges.ravel())),
        shape=(len(edges), verts),
    ).tocsr()
    opposite = _opposite(faces, edges, verts)
    pair = np.asarray(opposite.sum(axis=1)).ravel() == 2
    edge = sp.diags(np.where(pair, 0.375, 0.5)) @ ends + sp.diags(pair * 0.125) @ opposite
    return sp.vstack([vertex, edge]).tocsr()


def _loop_limit(faces: np.ndarray, verts: int) -> sp.csr_matrix:
    """Control points to the limit positions of the vertices."""
    inner, rim = _neighbours(faces, verts)
    valence = np.asarray(inner.sum(axis=1)).ravel()
    beta = _loop_beta(valence)
    on_rim = np.asarray(rim.sum(axis=1)).ravel() > 0
    share = 1 / (valence + 3 / (8 * beta))
    ring = sp.diags(np.where(on_rim, 0, share)) @ inner + rim / 6
    return (ring + sp.diags(1 - np.asarray(ring.sum(axis=1)).ravel())).tocsr()


def _loop_beta(valence: np.ndarray) -> np.ndarray:
    valence = np.maximum(valence, 3)
    return (0.625 - (0.375 + 0.25 * np.cos(2 * np.pi / valence)) ** 2) / valence


def _neighbours(faces: np.ndarray, verts: int) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Adjacency over all edges, and over boundary edges only."""
    return adjacency(unique_edges(faces), verts), adjacency(boundary_edges(faces), verts)


def _opposite(faces: np.ndarray, edges: np.ndarray, verts: int) -> sp.csr_matrix:
    """(edges, verts): the one or two vertices that face each edge."""
    sides = np.sort(np.concatenate([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]]), axis=1)
    key = edges[:, 0] * verts + edges[:, 1]
    row = np.searchsorted(key, sides[:, 0] * verts + sides[:, 1])
    return sp.coo_matrix(
        (np.ones(len(row)), (row, faces.T.ravel())), shape=(len(edges), verts)
    ).tocsr()


def _inverse(matrix: sp.csr_matrix, rounds: int = 60) -> sp.csr_matrix:
    """Sparse inverse of a diagonally heavy matrix by damped Richardson steps with dropping."""
    identity = sp.identity(matrix.shape[0], format="csr")
    scale = sp.diags(1 / matrix.diagonal())
    inverse = scale.tocsr()
    for _ in range(rounds):
        residual = identity - matrix @ inverse
        if abs(residual).max() < _DROP:
            break
        inverse = (inverse + 0.75 * (scale @ residual)).tocsr()
        inverse.data[np.abs(inverse.data) < 0.03 * _DROP] = 0
        inverse.eliminate_zeros()
    return inverse


def _pruned(matrix: sp.csr_matrix) -> sp.csr_matrix:
    matrix.data[np.abs(matrix.data) < _DROP] = 0
    matrix.eliminate_zeros()
    return (sp.diags(1 / np.asarray(matrix.sum(axis=1)).ravel()) @ matrix).tocsr()
