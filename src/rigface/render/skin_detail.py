"""Fine detail of skin where it is only painted: pores, freckles, moles, blotches.

A solid texture: a function of the place in space, so it sits fast on a surface that does not move,
whatever its mesh and whoever looks at it, and it is as fine as the picture asks for. It says
nothing of the shape: every head is carved out of the same block.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.render.albedo import Albedo
from rigface.render.attributes import interpolate

MM = 1e-3


@dataclass(frozen=True)
class Spots:
    """Round spots, at most one in each cell of a cubic lattice."""

    cell: float
    """Side of a cell, metres."""
    share: float
    """Of the cells that hold one."""
    radius: tuple[float, float]
    """From, to; metres, less than half a cell."""
    depth: tuple[float, float]
    """From, to: what part of the green light is lost in the middle."""
    seed: int

    def cover(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, " points"]:
        """Part of the green light that is lost."""
        place = points / self.cell
        cell = place.floor()
        chance = _chances(cell.long(), self.seed, 6)
        low, high = (r / self.cell for r in self.radius)
        radius = low + (high - low) * chance[:, 3]
        # The spot stays inside its cell, so a point looks at its own cell alone.
        middle = radius[:, None] + (1 - 2 * radius[:, None]) * chance[:, :3]
        away = (place - cell - middle).norm(dim=-1) / radius
        shape = (1 - away.clamp_max(1) ** 2) ** 2
        depth = self.depth[0] + (self.depth[1] - self.depth[0]) * chance[:, 4]
        return depth * shape * (chance[:, 5] < self.share)


FRECKLES = Spots(4.0 * MM, 0.45, (0.7 * MM, 1.6 * MM), (0.08, 0.35), 1)
MOLES = Spots(24.0 * MM, 0.35, (1.2 * MM, 2.5 * MM), (0.5, 0.75), 2)
PORES = Spots(1.6 * MM, 0.8, (0.4 * MM, 0.7 * MM), (0.05, 0.20), 3)
_TINT = (0.7, 1.0, 1.1)
"""Loss of red, green and blue where melanin is, relative to green."""
_WAVES = 48
_FINEST, _COARSEST = 3.0 * MM, 25.0 * MM


@dataclass(frozen=True)
class SkinDetail:
    """What multiplies an even skin."""

    spots: tuple[Spots, ...] = (FRECKLES, MOLES, PORES)
    blotches: float = 0.06
    """Root mean square of the relative strength of waves of 3 to 25 mm."""
    seed: int = 0

    def at(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
        """Factors of linear RGB at places in metres, about 1 on average."""
        tint = torch.tensor(_TINT).to(points)
        factor = 1 - self.blotches * self._waves(points)[:, None] * tint
        for spots in self.spots:
            factor = factor * (1 - spots.cover(points)[:, None] * tint).clamp_min(0.05)
        return factor.clamp_min(0.05)

    def _waves(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, " points"]:
        """Plane waves of all directions; root mean square 1."""
        rng = np.random.default_rng(self.seed)
        ways = rng.normal(size=(3, _WAVES))
        lengths = np.geomspace(_FINEST, _COARSEST, _WAVES)
        vectors = 2 * np.pi * ways / np.linalg.norm(ways, axis=0) / lengths
        phase = torch.from_numpy(rng.uniform(0, 2 * np.pi, _WAVES)).to(points)
        waves = torch.sin(points @ torch.from_numpy(vectors).to(points) + phase)
        return waves.sum(dim=-1) / (_WAVES / 2) ** 0.5


@dataclass(frozen=True)
class Detailed:
    """An albedo with fine detail, on a mesh that keeps its shape."""

    base: Albedo
    detail: SkinDetail
    vertices: Float[Tensor, "verts 3"]
    faces: Int[Tensor, "faces 3"]
    spared: Float[Tensor, "balls 4"]
    """Centres and radii (metres) of places that are no skin: the eyes."""

    def at(
        self, face: Int[Tensor, " pixels"], bary: Float[Tensor, "pixels 3"]
    ) -> Float[Tensor, "pixels 3"]:
        """Linear RGB at points on faces."""
        place = interpolate(self.vertices, self.faces, face, bary)
        share = torch.ones_like(place[:, :1])
        for ball in self.spared.to(place):
            away = (place - ball[:3]).norm(dim=-1, keepdim=True) - ball[3]
            share = share * (away / MM).clamp(0, 1)
        return self.base.at(face, bary).to(place) * (1 + share * (self.detail.at(place) - 1))


def _chances(cell: Int[Tensor, "points 3"], seed: int, count: int) -> Float[Tensor, "points n"]:
    """`count` uniform numbers of each cell, by a hash: the same cell, the same numbers."""
    base = (cell * torch.tensor([73_856_093, 19_349_663, 83_492_791])).unbind(dim=-1)
    mixed = base[0] ^ base[1] ^ base[2] ^ (seed * 2_654_435_761)
    keys = mixed[:, None] + torch.arange(count) * 40_503_007
    for shift, factor in ((16, 0x45D9F3B), (15, 0x45D9F3B), (16, 1)):
        keys = keys & 0xFFFFFFFF
        keys = (keys ^ (keys >> shift)) * factor
    return (keys & 0xFFFFFF).double() / 0x1000000
