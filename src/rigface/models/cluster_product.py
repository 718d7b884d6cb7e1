"""J^T H J where J is block sparse: each cluster of vertices is moved by few bones."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor

_WORKERS = 2


def cluster_by_position(points: Float[np.ndarray, "points dim"], size: int) -> list[np.ndarray]:
    """Halve along the longer axis until no cluster holds more than `size` points."""
    pending, done = [np.arange(len(points))], []
    while pending:
        ids = pending.pop()
        if len(ids) <= size:
            done.append(ids)
            continue
        axis = int(np.argmax(np.ptp(points[ids], axis=0)))
        order = ids[np.argsort(points[ids, axis], kind="stable")]
        pending += [order[: len(ids) // 2], order[len(ids) // 2 :]]
    return done


def cluster_sandwich(
    hessian: sp.bsr_matrix,
    clusters: list[np.ndarray],
    blocks: list[tuple[Tensor, np.ndarray]],
    width: int,
    bones: int,
) -> Float[Tensor, "params params"]:
    """sum over cluster pairs (c, d) of J_c^T H_cd J_d for symmetric H.

    `blocks[c]` is J of cluster c: (3 verts, its bones * width + tail) and the bone ids; the tail
    columns are common to all clusters. Each cluster meets half of its own Hessian block and all
    of the blocks with later clusters; adding the transpose completes the sum.
    """
    tail = blocks[0][0].shape[1] - width * len(blocks[0][1])
    dtype = blocks[0][0].dtype
    permuted, starts, owner = _by_cluster(hessian, clusters)
    permuted = permuted.astype(np.float32 if dtype == torch.float32 else np.float64)
    size = bones * width + tail

    def partial_sum(worker: int) -> Tensor:
        # Many small products: two threads with one core each beat one thread with two.
        torch.set_num_threads(1)
        out = torch.zeros(size, size, dtype=dtype)
        for c in range(worker, len(blocks), _WORKERS):
            row = _cluster_row(c, permuted, starts, owner, blocks, width)
            _scatter(out, *row, width, tail)
        return out

    with ThreadPoolExecutor(_WORKERS) as pool:
        out = torch.stack(list(pool.map(partial_sum, range(_WORKERS)))).sum(dim=0)
    return (out + out.T).double()


def _cluster_row(
    c: int,
    permuted: sp.csr_matrix,
    starts: np.ndarray,
    owner: np.ndarray,
    blocks: list[tuple[Tensor, np.ndarray]],
    width: int,
) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """J_c^T (H_cc J_c / 2 + sum over later d of H_cd J_d), its row bones and column bones."""
    block, ids = blocks[c]
    tail = block.shape[1] - width * len(ids)
    rows = permuted[starts[c] : starts[c + 1]]
    inside = torch.from_numpy(rows[:, starts[c] : starts[c + 1]].toarray())
    beyond = rows[:, starts[c + 1] :].tocsc()
    touched = np.flatnonzero(np.diff(beyond.indptr))
    later = touched + starts[c + 1]
    neighbours = np.unique(owner[later])
    union = np.unique(np.concatenate([ids, *(blocks[d][1] for d in neighbours)]))
    product = torch.zeros(len(block), len(union) * width + tail, dtype=block.dtype)
    _add_columns(product, 0.5 * (inside @ block), ids, union, width)
    if len(later):
        gathered = torch.zeros(len(later), product.shape[1], dtype=block.dtype)
        for d in neighbours:
            mine = np.flatnonzero(owner[later] == d)
            part = blocks[d][0][torch.from_numpy(later[mine] - starts[d])]
            _add_columns(gathered[mine[0] : mine[-1] + 1], part, blocks[d][1], union, width)
        product += torch.from_numpy(beyond[:, touched].toarray()) @ gathered
    return block.T @ product, ids, union


def _by_cluster(
    hessian: sp.bsr_matrix, clusters: list[np.ndarray]
) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    order = np.concatenate(clusters)
    flat = (3 * order[:, None] + np.arange(3)).reshape(-1)
    permuted = hessian.tocsr()[flat][:, flat]
    starts = np.concatenate([[0], np.cumsum([3 * len(c) for c in clusters])])
    return permuted, starts, np.repeat(np.arange(len(clusters)), np.diff(starts))


def _add_columns(out: Tensor, part: Tensor, ids: np.ndarray, union: np.ndarray, width: int) -> None:
    """Add bone-major columns of `ids` (and the tail) at their place among `union`."""
    place = torch.from_numpy(np.searchsorted(union, ids))
    bone_part = part[:, : len(ids) * width].reshape(len(part), len(ids), width)
    out[:, : len(union) * width].view(len(out), len(union), width).index_add_(1, place, bone_part)
    out[:, len(union) * width :] += part[:, len(ids) * width :]


def _scatter(
    out: Tensor, part: Tensor, ids: np.ndarray, union: np.ndarray, width: int, tail: int
) -> None:
    """Add a (ids x union) block, bone by bone, into the full bone-major matrix."""
    split = len(out) - tail
    target = torch.from_numpy(union)
    strips = part[:, : len(union) * width].reshape(-1, len(union), width)
    for i, bone in enumerate(ids):
        strip = out[bone * width : (bone + 1) * width]
        strip[:, :split].view(width, -1, width).index_add_(
            1, target, strips[i * width : (i + 1) * width]
        )
        strip[:, split:] += part[i * width : (i + 1) * width, len(union) * width :]
    if tail == 0:
        return
    lower = out[split:, :split].view(tail, -1, width)
    lower.index_add_(1, target, strips[len(ids) * width :])
    out[split:, split:] += part[len(ids) * width :, len(union) * width :]
