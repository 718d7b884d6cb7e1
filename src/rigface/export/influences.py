"""The few strongest joints of each vertex: game engines take four."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int


def top_influences(
    weights: sp.csr_matrix | sp.csr_array, count: int
) -> tuple[Int[np.ndarray, "verts influences"], Float[np.ndarray, "verts influences"]]:
    """Joints and weights of the `count` largest influences, largest first, summing to one.

    Equal weights keep the joint of the lower index, so that the choice never depends on the
    machine. Rows with fewer influences are padded with joint 0 at weight 0.
    """
    rows: Any = sp.csr_array(weights, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    starts = np.asarray(rows.indptr)
    verts = len(starts) - 1
    vertex = np.repeat(np.arange(verts), np.diff(starts))
    order = np.lexsort((rows.indices, -rows.data, vertex))
    rank = np.arange(len(order)) - starts[vertex]
    kept = rank < count
    joints = np.zeros((verts, count), dtype=np.int64)
    values = np.zeros((verts, count))
    joints[vertex[kept], rank[kept]] = rows.indices[order][kept]
    values[vertex[kept], rank[kept]] = rows.data[order][kept]
    return joints, values / values.sum(axis=1, keepdims=True)


def pruned_weights(weights: sp.csr_matrix | sp.csr_array, count: int) -> sp.csr_array:
    """The same matrix with at most `count` influences per row, renormalised."""
    joints, values = top_influences(weights, count)
    starts = np.arange(0, joints.size + 1, count)
    pruned = sp.csr_array((values.ravel(), joints.ravel(), starts), shape=weights.shape)
    pruned.sum_duplicates()
    pruned.eliminate_zeros()
    return pruned


def single_precision(
    joints: Int[np.ndarray, "verts influences"], values: Float[np.ndarray, "verts influences"]
) -> tuple[Int[np.ndarray, "verts influences"], Float[np.ndarray, "verts influences"]]:
    """Weights as float32 whose sum is one to the last bit a client adds up.

    glTF validators refuse sums that are off by more than 2e-7 per influence and joints other than
    0 at weight 0; the largest weight takes up the rounding.
    """
    rounded = values.astype(np.float32)
    rest = rounded[:, 1:].sum(axis=1, dtype=np.float64)
    rounded[:, 0] = (1.0 - rest).astype(np.float32)
    return np.where(rounded > 0, joints, 0), rounded
