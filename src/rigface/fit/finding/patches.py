"""Local relief around points of a cloud: height over the tangent plane in polar cells.

The patch of a point is what a camera looking along its normal would see: in every polar cell the
mean height of the topmost layer. Matching takes the smooth part (a plane and a bowl) out, so that
what is left is relief: the nose on its cheeks, the eyes in their sockets.
"""

# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportCallIssue=false
# (warp kernels are a language of their own inside Python's annotations)

from dataclasses import dataclass
from functools import cache
from typing import no_type_check

import numpy as np
import warp as wp
from jaxtyping import Bool, Float

from rigface.geometry.surface import start_warp

ANGLES = 16
RING_BORDERS = (0.0, 8e-3, 16e-3, 24e-3, 33e-3, 42e-3, 52e-3, 63e-3, 75e-3)
"""Metres at the template's scale."""
RINGS = len(RING_BORDERS) - 1
CELLS = RINGS * ANGLES
_NORMAL_SIGMA = 0.020
_LAYER = 0.010
"""Points this far (metres) below the top of their cell belong to a hidden layer."""
_HIDDEN = 0.060
"""Points farther than this (metres) from the tangent plane do not count."""


@dataclass(frozen=True)
class Patches:
    """Height maps of S seeds; metres."""

    centres: Float[np.ndarray, "seeds 3"]
    frames: Float[np.ndarray, "seeds 3 3"]
    """Columns: two tangents and the outward normal."""
    height: Float[np.ndarray, "seeds cells"]
    """Ring-major cells, zero where unseen."""
    seen: Bool[np.ndarray, "seeds cells"]

    def arrays(self) -> tuple[np.ndarray, ...]:
        return self.centres, self.frames, self.height, self.seen

    def __getitem__(self, chosen: np.ndarray) -> "Patches":
        return Patches(*(each[chosen] for each in self.arrays()))


@no_type_check
@wp.kernel
def _patch_kernel(
    grid: wp.uint64,
    cloud: wp.array(dtype=wp.vec3),
    centres: wp.array(dtype=wp.vec3),
    cell_at: wp.array2d(dtype=wp.int32),
    reach: float,
    sigma: float,
    layer: float,
    hidden: float,
    frames: wp.array(dtype=wp.mat33),
    extreme: wp.array3d(dtype=float),
    total: wp.array3d(dtype=float),
    number: wp.array3d(dtype=float),
):
    i = wp.tid()
    centre = centres[i]
    side = cell_at.shape[0]
    per_metre = 0.5 * wp.float32(side) / reach
    moment = wp.mat33(0.0)
    mean = wp.vec3(0.0)
    mass = wp.float32(0.0)
    j = wp.int32(0)
    near = wp.hash_grid_query(grid, centre, 2.8 * sigma)
    while wp.hash_grid_query_next(near, j):
        d = cloud[j] - centre
        w = wp.exp(-0.5 * wp.dot(d, d) / (sigma * sigma))
        if w > 0.02:
            mass = mass + w
            mean = mean + w * d
            moment = moment + w * wp.outer(d, d)
    mean = mean / mass
    moment = moment / mass - wp.outer(mean, mean)
    axes, lengths = wp.eig3(moment)
    least = wp.int32(0)
    if lengths[1] < lengths[least]:
        least = 1
    if lengths[2] < lengths[least]:
        least = 2
    normal = wp.normalize(wp.vec3(axes[0, least], axes[1, least], axes[2, least]))
    helper = wp.vec3(1.0, 0.0, 0.0)
    if wp.abs(normal[0]) > 0.7:
        helper = wp.vec3(0.0, 1.0, 0.0)
    first = wp.normalize(wp.cross(helper, normal))
    second = wp.cross(normal, first)
    frames[i] = wp.mat33(
        first[0], second[0], normal[0],
        first[1], second[1], normal[1],
        first[2], second[2], normal[2],
    )  # fmt: skip
    around = wp.hash_grid_query(grid, centre, 1.2 * reach)
    while wp.hash_grid_query_next(around, j):
        d = cloud[j] - centre
        h = wp.dot(d, normal)
        x = (wp.dot(d, first) + reach) * per_metre
        y = (wp.dot(d, second) + reach) * per_metre
        limit = wp.float32(side)
        if wp.abs(h) < hidden and x >= 0.0 and y >= 0.0 and x < limit and y < limit:
            cell = cell_at[wp.int32(x), wp.int32(y)]
            if cell >= 0:
                for side_of in range(2):
                    up = h
                    if side_of == 1:
                        up = -h
                    top = extreme[i, side_of, cell]
                    if up > top + layer:
                        total[i, side_of, cell] = up
                        number[i, side_of, cell] = 1.0
                    elif up > top - layer:
                        total[i, side_of, cell] = total[i, side_of, cell] + up
                        number[i, side_of, cell] = number[i, side_of, cell] + 1.0
                    extreme[i, side_of, cell] = wp.max(top, up)


def polar_patches(
    cloud: Float[np.ndarray, "points 3"],
    centres: Float[np.ndarray, "seeds 3"],
) -> tuple[Patches, Patches]:
    """The patches of the seeds seen from either side of the surface; metres."""
    count = len(centres)
    start_warp()
    points = wp.array(np.ascontiguousarray(cloud, np.float32), dtype=wp.vec3, device="cpu")
    grid = wp.HashGrid(32, 32, 32, device="cpu")
    grid.build(points, 0.5 * RING_BORDERS[-1])
    extreme = np.full((count, 2, CELLS), -1e9, np.float32)
    total, number = np.zeros_like(extreme), np.zeros_like(extreme)
    frames = np.zeros((count, 3, 3), np.float32)
    wp.launch(
        _patch_kernel,
        dim=count,
        inputs=[
            grid.id,
            points,
            wp.array(np.ascontiguousarray(centres, np.float32), dtype=wp.vec3, device="cpu"),
            wp.array(_cell_table(), dtype=wp.int32, device="cpu"),
            RING_BORDERS[-1],
            _NORMAL_SIGMA,
            _LAYER,
            _HIDDEN,
            wp.array(frames, dtype=wp.mat33, device="cpu", copy=False),
            *(wp.array(each, dtype=float, device="cpu", copy=False)
              for each in (extreme, total, number)),
        ],
        device="cpu",
    )  # fmt: skip
    seen = number > 0
    height = total / np.maximum(number, 1)
    frames = frames.astype(float)
    return (
        Patches(centres, frames, height[:, 0], seen[:, 0]),
        Patches(centres, frames * [1, -1, -1], _backwards(height[:, 1]), _backwards(seen[:, 1])),
    )


@cache
def _cell_table(side: int = 150) -> np.ndarray:
    """Cell of every point of a square grid over the patch, -1 outside the disc."""
    axis = ((np.arange(side) + 0.5) / side * 2 - 1) * RING_BORDERS[-1]
    x, y = np.meshgrid(axis, axis, indexing="ij")
    ring = np.searchsorted(RING_BORDERS, np.hypot(x, y), side="right") - 1
    turn = np.floor((np.arctan2(y, x) / (2 * np.pi) + 1) * ANGLES).astype(int) % ANGLES
    return np.where(ring < RINGS, ring * ANGLES + turn, -1).astype(np.int32)


def _backwards(cells: np.ndarray) -> np.ndarray:
    """The cells when the second tangent points the other way."""
    return cells.reshape(-1, RINGS, ANGLES)[:, :, ::-1].reshape(-1, CELLS)


@cache
def cell_weights() -> Float[np.ndarray, " cells"]:
    """Weights growing with the radius, but less than the area does; their mean is 1."""
    weight = np.sqrt(np.repeat(np.diff(np.square(RING_BORDERS)), ANGLES))
    return weight / weight.mean()


@cache
def smooth_basis() -> Float[np.ndarray, "cells 4"]:
    """The functions that carry no relief: constant, plane (x, y) and bowl, at the cell centres.

    The radius of the patch is their unit of length.
    """
    borders = np.array(RING_BORDERS)
    radius = np.repeat(0.5 * (borders[1:] + borders[:-1]), ANGLES) / borders[-1]
    angle = np.tile((np.arange(ANGLES) + 0.5) / ANGLES * 2 * np.pi, RINGS)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    return np.stack([np.ones(CELLS), x, y, radius**2], axis=1)


@dataclass(frozen=True)
class Relief:
    """Patches taken apart: what is smooth and what is left."""

    weight: Float[np.ndarray, "seeds cells"]
    """Cell weights, zero where unseen."""
    smooth: Float[np.ndarray, "seeds 4 cells"]
    """The smooth functions, orthonormal under those weights."""
    relief: Float[np.ndarray, "seeds cells"]
    """Heights without their smooth part, zero where unseen; metres."""

    @property
    def size(self) -> Float[np.ndarray, " seeds"]:
        """Weighted RMS of the relief; metres."""
        power = (self.weight * self.relief**2).sum(1)
        return np.sqrt(power / np.maximum(self.weight.sum(1), 1e-9))

    def __getitem__(self, chosen: np.ndarray) -> "Relief":
        return Relief(self.weight[chosen], self.smooth[chosen], self.relief[chosen])


def relief_of(patches: Patches) -> Relief:
    """Split the heights into a smooth part and relief."""
    weight, basis = cell_weights() * patches.seen, smooth_basis()
    products = (basis[:, :, None] * basis[:, None, :]).reshape(CELLS, -1)
    gram = (weight @ products).reshape(-1, 4, 4) + 1e-5 * np.eye(4)
    smooth = np.linalg.inv(np.linalg.cholesky(gram)) @ basis.T
    fitted = smooth @ (weight * patches.height)[:, :, None]
    rest = patches.height - (fitted.transpose(0, 2, 1) @ smooth)[:, 0]
    return Relief(weight, smooth, np.where(patches.seen, rest, 0.0))
