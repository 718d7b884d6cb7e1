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
