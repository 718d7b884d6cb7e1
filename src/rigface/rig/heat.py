"""Initial skinning weights by heat diffusion on the skin (Pinocchio's bone heat, geodesic)."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import splu

from rigface.geometry.mesh import face_areas, unique_edges


def cotangent_laplacian(
    vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]
) -> tuple[sp.csr_matrix, Float[np.ndarray, " verts"]]:
    """Positive semi-definite stiffness matrix and lumped vertex areas (square metres).

    Negative cotangent edge weights are dropped, so that solutions obey the maximum principle.
    """
    verts = len(vertices)
    stiffness = sp.csr_matrix((verts, verts))
    for corner in range(3):
        apex, i, j = (faces[:, (corner + step) % 3] for step in range(3))
        to_i, to_j = vertices[i] - vertices[apex], vertices[j] - vertices[apex]
        sine = np.linalg.norm(np.cross(to_i, to_j), axis=-1)
        cotangent = 0.5 * np.einsum("fd,fd->f", to_i, to_j) / np.maximum(sine, 1e-15)
        part = sp.coo_matrix((cotangent, (i, j)), shape=(verts, verts))
        stiffness = stiffness + part + part.T
    stiffness.data = np.maximum(stiffness.data, 0)
    laplacian = sp.diags(np.asarray(stiffness.sum(axis=1)).ravel()) - stiffness
    return laplacian.tocsr(), vertex_areas(vertices, faces)


def vertex_areas(
    vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]
) -> Float[np.ndarray, " verts"]:
    """A third of the area of the faces around each vertex."""
    areas = np.repeat(face_areas(vertices, faces) / 3, 3)
    return np.bincount(faces.ravel(), areas, minlength=len(vertices))


def surface_distances(
    vertices: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
    sources: Sequence[tuple[Int[np.ndarray, " seeds"], Float[np.ndarray, " seeds"]]],
) -> Float[np.ndarray, "sources verts"]:
    """Distance over the surface from sets of seed vertices with starting distances (metres).

    Dijkstra over edges and the diagonals of neighbouring triangle pairs: a few percent long.
    """
    verts, count = len(vertices), len(sources)
    pairs = np.concatenate([unique_edges(faces), _diagonals(faces)])
    length = np.linalg.norm(vertices[pairs[:, 0]] - vertices[pairs[:, 1]], axis=-1)
    start = np.concatenate([np.full(len(ids), verts + s) for s, (ids, _) in enumerate(sources)])
    ids = np.concatenate([ids for ids, _ in sources])
    offset = np.concatenate([offset for _, offset in sources])
    # offset by a constant so that a zero distance is not taken for a missing edge
    lift = 1e-6
    rows, columns = np.r_[pairs[:, 0], start], np.r_[pairs[:, 1], ids]
    graph = sp.coo_matrix(
        (np.r_[length, offset + lift], (rows, columns)), shape=(verts + count, verts + count)
    ).tolil()
    graph = (graph + sp.coo_matrix((length, pairs.T[::-1]), shape=graph.shape)).tocsr()
    found = dijkstra(graph, directed=True, indices=np.arange(verts, verts + count))
    return np.maximum(found[:, :verts] - lift, 0)


def heat_weights(
    vertices: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
    distances: Float[np.ndarray, "bones verts"],
    sharpness: float = 1.0,
    floor: float = 1e-3,
) -> Float[np.ndarray, "verts bones"]:
    """Solve (L + M H) w = M H p with H = sharpness / d^2 and p the nearest bone (ties are shared).

    `floor` (metres) keeps H finite at the bones. Rows are non-negative and sum to one.
    """
    laplacian, area = cotangent_laplacian(vertices, faces)
    nearest = distances.min(axis=0)
    owner = (distances <= nearest + 1e-5).astype(float)
    owner /= owner.sum(axis=0)
    heat = area * sharpness / (nearest + floor) ** 2
    weights = splu((laplacian + sp.diags(heat)).tocsc()).solve((owner * heat).T)
    weights = np.maximum(weights, 0)
    return weights / weights.sum(axis=1, keepdims=True)


def _diagonals(faces: np.ndarray) -> np.ndarray:
    """Vertex pairs opposite to each inner edge."""
    edges = np.concatenate([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]])
    apex = faces.T.ravel()
    edges = np.sort(edges, axis=1)
    order = np.lexsort(edges.T)
    edges, apex = edges[order], apex[order]
    twin = np.flatnonzero((edges[1:] == edges[:-1]).all(axis=1))
    return np.stack([apex[twin], apex[twin + 1]], axis=1)
