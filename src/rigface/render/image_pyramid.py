"""Brightness of a photo at any pixel and any scale, with its slope."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)
_TAPS = (0.125, 0.375, 0.375, 0.125)
"""Binomial: a halving's samples lie between two pixels, so its coordinates are exactly halved."""
_SMALLEST = 4
"""Pixels of the shorter side of the coarsest level."""


@dataclass(frozen=True)
class ImagePyramid:
    """Luma (sRGB codes / 255) of a photo and its Gaussian halvings, all in one list of cells."""

    cells: Float[Tensor, " cells"]
    """Float32, rows of level after level."""
    rows: Int[Tensor, " levels"]
    columns: Int[Tensor, " levels"]
    starts: Int[Tensor, " levels"]
    """First cell of each level."""
    first: int = 0
    """Halvings that the first stored level has seen."""

    @staticmethod
    def of(pixels: UInt8[np.ndarray, "height width 3"], first: int = 0) -> "ImagePyramid":
        """All levels from `first` on; a large photo of which only coarse levels are looked at
        needs less memory without the others."""
        codes = torch.from_numpy(np.ascontiguousarray(pixels)).float()
        level = (codes @ torch.tensor(_LUMA) / 255)[None, None]
        levels, seen = [], 0
        while True:
            if seen >= first:
                levels.append(level[0, 0])
            if min(level.shape[-2:]) < 2 * _SMALLEST:
                break
            level, seen = _halved(level), seen + 1
        levels = levels or [level[0, 0]]
        counts = torch.tensor([plane.numel() for plane in levels])
        return ImagePyramid(
            torch.cat([plane.flatten() for plane in levels]),
            torch.tensor([plane.shape[0] for plane in levels]),
            torch.tensor([plane.shape[1] for plane in levels]),
            counts.cumsum(0) - counts,
            min(first, seen),
        )

    def sample(
        self, pixels: Float[Tensor, "points 2"], level: Float[Tensor, " points"]
    ) -> tuple[Float[Tensor, " points"], Float[Tensor, "points 2"]]:
        """Brightness at continuous pixel coordinates of the photo, and its derivative by them.

        `level` counts halvings (1: cells of two pixels) and is held within the stored ones.
        Bilinear within a level and linear between levels; the border is repeated.
        """
        inner = (level - self.first).clamp(0, len(self.rows) - 1)
        low = inner.floor().clamp_max(max(len(self.rows) - 2, 0))
        part = inner - low
        coarse = (low + 1).clamp_max(len(self.rows) - 1)
        value, slope = self._bilinear(pixels, low.long())
        other, other_slope = self._bilinear(pixels, coarse.long())
        mixed = slope + part[:, None] * (other_slope - slope)
        return value + part * (other - value), mixed

    def _bilinear(self, pixels: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        width = 2.0 ** (level + self.first).to(pixels)[:, None]
        limit = torch.stack([self.columns[level], self.rows[level]], dim=-1)
        free = pixels / width - 0.5
        inside = (free > 0) & (free < limit - 1)
        place = torch.minimum(free.clamp_min(0), (limit - 1).to(free))
        corner = torch.minimum(place.floor().long(), (limit - 2).clamp_min(0))
        x, y = (place - corner).unbind(-1)
        stride = self.columns[level]
        base = self.starts[level] + corner[:, 1] * stride + corner[:, 0]
        right = (limit[:, 0] > 1).long()
        down = stride * (limit[:, 1] > 1)
        a, b, c, d = (self.cells[base + step].to(pixels) for step in (0, right, down, right + down))
        top, bottom = a + x * (b - a), c + x * (d - c)
        across = (b - a) + y * ((d - c) - (b - a))
        slope = torch.stack([across, bottom - top], dim=-1) * inside / width
        return top + y * (bottom - top), slope


def _halved(plane: Float[Tensor, "1 1 rows columns"]) -> Float[Tensor, "1 1 high wide"]:
    """Half as many pixels, smoothed by the binomial of four; odd borders are repeated."""
    rows, columns = plane.shape[-2:]
    padding = (1, 1 + columns % 2, 1, 1 + rows % 2)
    padded = torch.nn.functional.pad(plane, padding, mode="replicate")
    taps = torch.tensor(_TAPS)
    across = torch.nn.functional.conv2d(padded, taps.reshape(1, 1, 1, 4), stride=(1, 2))
    return torch.nn.functional.conv2d(across, taps.reshape(1, 1, 4, 1), stride=(2, 1))
