"""The cotangent Laplacian of a triangle mesh."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int


def cotangent_laplacian(
    vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]
) -> tuple[sp.csr_matrix, Float[np.ndarray, " verts"]]:
    """Positive semi-definite stiffness matrix L and lumped vertex areas.

    L / area approximates minus the Laplace-Beltrami operator (Pinkall and Polthier 1993).
    Cotangents are clipped to [0.05, 20], so slivers neither dominate nor turn L indefinite.
    """
    rows, columns, values = [], [], []
    area = np.zeros(len(vertices))
    for corner in range(3):
        i, j, k = (faces[:, (corner + shift) % 3] for shift in (0, 1, 2))
        u, w = vertices[j] - vertices[i], vertices[k] - vertices[i]
        cross = np.linalg.norm(np.cross(u, w), axis=-1)
        cotangent = np.clip((u * w).sum(-1) / np.maximum(cross, 1e-30), 0.05, 20.0)
        rows += [j, k]
        columns += [k, j]
        values += [0.5 * cotangent] * 2
        np.add.at(area, i, cross / 6)
    size = (len(vertices), len(vertices))
    index = (np.concatenate(rows), np.concatenate(columns))
    adjacency = sp.csr_matrix((np.concatenate(values), index), shape=size)
    degree = sp.diags(np.asarray(adjacency.sum(axis=1)).ravel())
    floor = 0.05 * np.median(area[area > 0])
    return (degree - adjacency).tocsr(), np.maximum(area, floor)


def edge_laplacian(
    vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]
) -> sp.csr_matrix:
    """M^T M of the node-arc incidence M (Amberg et al. 2007, Eq. 10), edges over their length.

    An edge counts once per face that holds it. Dividing by the length makes the same stiffness mean
    the same on a finer mesh. Edges shorter than a thousandth of the median count as that long.
    """
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    weight = 1 / np.maximum(length, 1e-3 * np.median(length)) ** 2
    rows, columns = np.concatenate([edges, edges[:, ::-1]]).T
    size = (len(vertices), len(vertices))
    adjacency = sp.csr_matrix((np.tile(weight, 2), (rows, columns)), shape=size)
    return (sp.diags(np.asarray(adjacency.sum(axis=1)).ravel()) - adjacency).tocsr()
