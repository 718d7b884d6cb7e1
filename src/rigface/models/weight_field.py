"""From a field on the skin to weights (after section 3.2).

Weights of a vertex reach it through its levers: T_i v - v', where each of its joints would take it
more than all together do. So a decoder need not name 12,400 weights. It names, for every vertex of
the left half, where its weights are to take it at zero variables (millimetres), and of all weight
residuals that do so the smallest relative to the linear weights are taken.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.models.jnr import JnrModel

_STIFF = 3.0
"""Square millimetres: levers shorter than its root are not leaned on."""


@dataclass(frozen=True)
class WeightField:
    """The fixed, parameter-free half of the decoder: made from mesh, linear weights and levers."""

    arms: Float[Tensor, "free 3"]
    """Residual of each free weight per millimetre of field at its vertex."""
    vertex: Int[Tensor, " free"]
    """Half vertex of each free weight."""

    def residuals(self, field: Float[Tensor, "*batch half 3"]) -> Float[Tensor, "*batch free"]:
        """Weight residuals that move the vertices by the field, at zero variables."""
        return (field[..., self.vertex, :] * self.arms).sum(-1)

    def at_slots(
        self, slots: Int[Tensor, "verts influences"]
    ) -> Float[Tensor, "verts influences 3"]:
        """The arms of every influence; slot `free` is none, and zero."""
        return torch.cat([self.arms, torch.zeros_like(self.arms[:1])])[slots]

    def to(self, *args, **kwargs) -> "WeightField":
        """On another device or in another floating dtype."""
        return WeightField(
            self.arms.to(*args, **kwargs),
            self.vertex.to(self.arms.to(*args, **kwargs).device),
        )


def half_of(mirror: Int[np.ndarray, " verts"]) -> Int[Tensor, " half"]:
    """Vertices of the left half and the midline."""
    return torch.from_numpy(np.flatnonzero(np.arange(len(mirror)) <= mirror))


def weight_field(half: JnrModel) -> WeightField:
    """Of the left half of a linear model.

    P = W L (L^T W L + stiff)^-1 per vertex, rows dealt to the free weights.
    """
    weights = half.gathered(half.free)
    moved = half.moved(half.table.zeros().to(half.rest))
    levers = 1e3 * (moved - (weights[..., None] * moved).sum(-2, keepdim=True))
    spread = torch.einsum("vi,vic,vid->vcd", weights, levers, levers)
    stiff = _STIFF * torch.eye(3).to(spread)
    arms = weights[..., None] * (levers @ torch.linalg.inv(spread + stiff))
    size = len(half.free)
    out, vertex = arms.new_zeros(size + 1, 3), torch.zeros(size + 1, dtype=torch.long)
    # on the midline a left joint and its twin share a slot: their arms are mirror images
    slots = half.slots.flatten()
    count = torch.bincount(slots, minlength=size + 1).clamp_min(1)
    out.index_add_(0, slots, arms.flatten(0, 1))
    vertex[slots] = torch.arange(len(half.rest)).repeat_interleave(half.slots.shape[1])
    return WeightField((out / count[:, None])[:size], vertex[:size])
