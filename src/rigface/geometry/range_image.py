"""Depth pictures as surfaces: which neighbours belong together, what flies, which pieces hang."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.ndimage import gaussian_filter
from scipy.sparse.csgraph import connected_components


def linked(
    depth: Float[np.ndarray, "height width"], limit: Float[np.ndarray, "height width"]
) -> tuple[Bool[np.ndarray, "height right"], Bool[np.ndarray, "below width"]]:
    """Whether a pixel and its right (lower) neighbour lie on one surface.

    They do if their depths differ by less than the smaller `limit` of the two. NaN links nothing.
    """

    def close(a: np.ndarray, b: np.ndarray, at_a: np.ndarray, at_b: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.abs(a - b) < np.minimum(at_a, at_b)

    right = close(depth[:, :-1], depth[:, 1:], limit[:, :-1], limit[:, 1:])
    below = close(depth[:-1], depth[1:], limit[:-1], limit[1:])
    return right, below


def beside_jumps(
    depth: Float[np.ndarray, "height width"], limit: Float[np.ndarray, "height width"]
) -> Bool[np.ndarray, "height width"]:
    """Pixels with a measured neighbour on another surface: there a sensor mixes the two."""
    right, below = linked(depth, limit)
    valid = np.isfinite(depth)
    out = np.zeros(depth.shape, dtype=bool)
    across = valid[:, :-1] & valid[:, 1:] & ~right
    out[:, :-1] |= across
    out[:, 1:] |= across
    down = valid[:-1] & valid[1:] & ~below
    out[:-1] |= down
    out[1:] |= down
    return out


def surface_pieces(
    depth: Float[np.ndarray, "height width"], limit: Float[np.ndarray, "height width"]
) -> Int[np.ndarray, "height width"]:
    """The number of the connected surface that each pixel belongs to; -1 where there is none."""
    right, below = linked(depth, limit)
    ids = np.arange(depth.size).reshape(depth.shape)
    first = np.concatenate([ids[:, :-1][right], ids[:-1][below]])
    second = np.concatenate([ids[:, 1:][right], ids[1:][below]])
    graph = sp.coo_matrix((np.ones(len(first)), (first, second)), shape=(depth.size,) * 2)
    _, label = connected_components(graph, directed=False)
    valid = np.isfinite(depth).ravel()
    out = np.full(depth.size, -1)
    _, out[valid] = np.unique(label[valid], return_inverse=True)
    return out.reshape(depth.shape)


def grid_faces(
    kept: Bool[np.ndarray, "height width"],
    depth: Float[np.ndarray, "height width"],
    limit: Float[np.ndarray, "height width"],
) -> Int[np.ndarray, "faces 3"]:
    """Triangles between linked pixels, numbered in the order of `kept`; they face the camera."""
    right, below = linked(np.where(kept, depth, np.nan), limit)
    ids = np.full(kept.shape, -1)
    ids[kept] = np.arange(kept.sum())
    a, b, c, d = ids[:-1, :-1], ids[1:, :-1], ids[1:, 1:], ids[:-1, 1:]
    whole = right[:-1] & right[1:] & below[:, :-1] & below[:, 1:]
    first, second = np.stack([a, b, c], axis=-1), np.stack([a, c, d], axis=-1)
    return np.concatenate([first[whole], second[whole]])


def smoothed(
    depth: Float[np.ndarray, "height width"],
    pixels: float,
    limit: Float[np.ndarray, "height width"],
) -> Float[np.ndarray, "height width"]:
    """A Gaussian average over measured pixels; what it moves by more than `limit` stays."""
    valid = np.isfinite(depth)
    share = gaussian_filter(valid.astype(float), pixels)
    total = gaussian_filter(np.where(valid, depth, 0.0), pixels)
    mean = np.divide(total, share, out=np.zeros_like(total), where=share > 1e-6)
    near = valid & (np.abs(mean - np.where(valid, depth, 0.0)) < np.where(valid, limit, 0.0))
    return np.where(near, mean, depth)
