"""J^T H J where J is block sparse: each cluster of vertices is moved by few bones."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_WORKERS = 2

JacobianBlock = Callable[[Int[np.ndarray, " rows"], Int[np.ndarray, " bones"]], Tensor]
"""J of some vertices and bones: (rows, 3, bones * width + tail), single precision."""


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
    touches: Bool[np.ndarray, "verts bones"],
    block: JacobianBlock,
    width: int,
    tail: int,
) -> Float[Tensor, "params params"]:
    """J^T H J for symmetric H with 3x3 blocks, columns bone by bone and then the tail.

    `touches` says which bones move which vertex; `tail` columns are common to all vertices. Each
    cluster meets half of its own Hessian block and all of the blocks with later clusters; adding
    the transpose completes the sum.
    """
    rows = _upper_rows(hessian, clusters)
    members = np.array([touches[ids].any(axis=0) for ids in clusters])
    bones = touches.shape[1]

    def partial_sum(worker: int) -> _Blocks:
        # Many small products: two threads with one core each beat one thread with two.
        torch.set_num_threads(1)
        out = _Blocks.zeros(bones, width, tail)
        for c in range(worker, len(clusters), _WORKERS):
            _add_cluster(out, clusters[c], members[c], rows[c], touches, block)
        return out

    with ThreadPoolExecutor(_WORKERS) as pool:
        return _Blocks.symmetric_sum(list(pool.map(partial_sum, range(_WORKERS))))


@dataclass(frozen=True)
class _Rows:
    """The Hessian rows of one cluster, up to and including its own columns halved."""

    columns: Int[np.ndarray, " columns"]
    """Vertex ids met."""
    matrix: Float[Tensor, "rows3 columns3"]


def _upper_rows(hessian: sp.bsr_matrix, clusters: list[np.ndarray]) -> list[_Rows]:
    rank = np.empty(sum(len(ids) for ids in clusters), dtype=np.int64)
    place = np.empty_like(rank)
    for c, ids in enumerate(clusters):
        rank[ids], place[ids] = c, np.arange(len(ids))
    row = np.repeat(np.arange(len(rank)), np.diff(hessian.indptr))
    kept = np.flatnonzero(rank[row] <= rank[hessian.indices])
    kept = kept[np.argsort(rank[row[kept]], kind="stable")]
    row, column, data = row[kept], hessian.indices[kept], hessian.data[kept].astype(np.float32)
    data[rank[row] == rank[column]] *= 0.5
    ends = np.searchsorted(rank[row], np.arange(len(clusters) + 1))
    out = []
    for c, ids in enumerate(clusters):
        run = slice(ends[c], ends[c + 1])
        columns, where = np.unique(column[run], return_inverse=True)
        dense = np.zeros((len(ids), 3, len(columns), 3), dtype=np.float32)
        dense[place[row[run]], :, where, :] = data[run]
        matrix = torch.from_numpy(dense.reshape(3 * len(ids), 3 * len(columns)))
        out.append(_Rows(columns, matrix))
    return out


@dataclass(frozen=True)
class _Blocks:
    """A symmetric matrix under construction, by pairs of bones, so that blocks are added whole."""

    pairs: Float[np.ndarray, "bones bones width width"]
    side: Float[np.ndarray, "bones width tail"]
    corner: Float[np.ndarray, "tail tail"]

    @staticmethod
    def zeros(bones: int, width: int, tail: int) -> "_Blocks":
        return _Blocks(
            np.zeros((bones, bones, width, width), dtype=np.float32),
            np.zeros((bones, width, tail), dtype=np.float32),
            np.zeros((tail, tail), dtype=np.float32),
        )

    @staticmethod
    def symmetric_sum(parts: "list[_Blocks]") -> Float[Tensor, "params params"]:
        """S + S^T of the sum S of the parts, as one matrix."""
        first = parts[0]
        bones, width, tail = first.side.shape
        split = bones * width
        for part in parts[1:]:
            first.pairs[...] += part.pairs
            first.side[...] += part.side
            first.corner[...] += part.corner
        out = np.empty((split + tail, split + tail), dtype=first.pairs.dtype)
        whole = first.pairs + first.pairs.transpose(1, 0, 3, 2)
        out[:split, :split] = whole.transpose(0, 2, 1, 3).reshape(split, split)
        side = first.side.reshape(split, tail)
        out[:split, split:], out[split:, :split] = side, side.T
        out[split:, split:] = first.corner + first.corner.T
        return torch.from_numpy(out)


def _add_cluster(
    out: _Blocks,
    ids: np.ndarray,
    member: np.ndarray,
    rows: _Rows,
    touches: np.ndarray,
    block: JacobianBlock,
) -> None:
    """J_c^T H_c J over the columns that H_c meets."""
    own = np.flatnonzero(member)
    if len(own) == 0 and out.corner.shape[0] == 0:
        return
    union = np.flatnonzero(member | touches[rows.columns].any(axis=0))
    width = out.pairs.shape[-1]
    tail = out.corner.shape[0]
    met = block(rows.columns, union)
    product = rows.matrix @ met.reshape(-1, met.shape[-1])
    rest = len(union) * width
    mine = torch.from_numpy(np.searchsorted(rows.columns, ids))
    kept = torch.from_numpy(np.flatnonzero(member[union]))
    here = met[mine]
    moving = here[..., :rest].unflatten(-1, (len(union), width))[:, :, kept].flatten(2)
    here = torch.cat([moving, here[..., rest:]], dim=-1) if tail else moving
    sandwich = (here.reshape(-1, here.shape[-1]).T @ product).numpy()
    pairs = sandwich[: len(own) * width, :rest].reshape(len(own), width, len(union), width)
    out.pairs[own[:, None], union] += pairs.transpose(0, 2, 1, 3)
    if tail:
        out.side[own] += sandwich[: len(own) * width, rest:].reshape(len(own), width, tail)
        mirrored = sandwich[len(own) * width :, :rest].reshape(tail, len(union), width)
        out.side[union] += mirrored.transpose(1, 2, 0)
        out.corner[...] += sandwich[len(own) * width :, rest:]
