"""From a field on the skin to weights, and from few numbers to a field (after section 3.2).

Weights of a vertex reach it through its levers: T_i v - v', where each of its joints would take it
more than all together do. So a decoder need not name 12,400 weights. It names, for every vertex of
the left half, where its weights are to take it at zero variables (millimetres), and of all weight
residuals that do so the smallest relative to the linear weights are taken. The field itself is a
sum of levels, each between control vertices that are twice to four times as dense as the last's.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import splu
from torch import Tensor

from rigface.geometry.adjacency import adjacency
from rigface.geometry.mesh import unique_edges
from rigface.models.jnr import JnrModel

LEVELS = (60, 220, 700)
"""Control vertices of the levels; the last level, not listed, has every vertex."""
_STIFF = 3.0
"""Square millimetres: levers shorter than its root are not leaned on."""


@dataclass(frozen=True)
class WeightField:
    """The fixed, parameter-free half of the decoder: made from mesh, linear weights and levers."""

    arms: Float[Tensor, "free 3"]
    """Residual of each free weight per millimetre of field at its vertex."""
    vertex: Int[Tensor, " free"]
    """Half vertex of each free weight."""
    spread: tuple[Float[Tensor, "half _"], ...]
    """From the control vertices of a level to all; rows sum to one. The last level has none."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers of each level: three per control vertex."""
        return (*(3 * level.shape[1] for level in self.spread), 3 * self.half)

    @property
    def half(self) -> int:
        """Vertices of the left half and the midline."""
        return self.spread[0].shape[0]

    def field(
        self,
        level: int,
        numbers: Float[Tensor, "*batch width"],
        verts: Int[Tensor, " verts"] | slice = slice(None),
    ) -> Float[Tensor, "*batch verts 3"]:
        """What one level adds to the field at some half vertices, or at all."""
        controls = numbers.unflatten(-1, (-1, 3))
        if level == len(self.spread):
            return controls[..., verts, :]
        return self.spread[level][verts] @ controls

    def residuals(self, field: Float[Tensor, "*batch half 3"]) -> Float[Tensor, "*batch free"]:
        """Weight residuals that move the vertices by the field, at zero variables."""
        return (field[..., self.vertex, :] * self.arms).sum(-1)

    def to(self, *args, **kwargs) -> "WeightField":
        """On another device or in another floating dtype."""
        return WeightField(
            self.arms.to(*args, **kwargs),
            self.vertex.to(self.arms.to(*args, **kwargs).device),
            tuple(level.to(*args, **kwargs) for level in self.spread),
        )


def half_of(mirror: Int[np.ndarray, " verts"]) -> Int[Tensor, " half"]:
    """Vertices of the left half and the midline."""
    return torch.from_numpy(np.flatnonzero(np.arange(len(mirror)) <= mirror))


def weight_field(
    half: JnrModel, mirror: Int[np.ndarray, " verts"], levels: tuple[int, ...] = LEVELS
) -> WeightField:
    """Of the left half of a linear model whose whole mesh has the mirror map `mirror`."""
    arms, vertex = _arms(half)
    kept = half_of(mirror).numpy()
    place = np.full(len(mirror), -1)
    place[kept] = np.arange(len(kept))
    edges = place[unique_edges(half.faces.numpy())]
    edges = edges[(edges >= 0).all(axis=1)]
    graph = adjacency(edges, len(kept))
    order = _farthest_first(graph, max(levels))
    spread = tuple(torch.from_numpy(_between(graph, order[:count])) for count in levels)
    return WeightField(arms, vertex, tuple(level.to(arms) for level in spread))


def _arms(half: JnrModel) -> tuple[Tensor, Tensor]:
    """P = W L (L^T W L + stiff)^-1 per vertex, rows dealt to the free weights."""
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
    return (out / count[:, None])[:size], vertex[:size]


def _farthest_first(graph: sp.csr_matrix, count: int) -> Int[np.ndarray, " count"]:
    """Vertices so that each is the farthest, in edges, from those before it."""
    order = [0]
    away = np.full(graph.shape[0], 1e6)
    while len(order) < count:
        steps = dijkstra(graph, indices=order[-1], unweighted=True, limit=away.max() + 1)
        away = np.minimum(away, np.nan_to_num(steps, posinf=1e6))
        order.append(int(away.argmax()))
    return np.array(order)


def _between(
    graph: sp.csr_matrix, controls: Int[np.ndarray, " controls"]
) -> Float[np.ndarray, "half controls"]:
    """Twice diffused from the controls, as far as they lie apart; rows sum to one."""
    size, degree = graph.shape[0], np.asarray(graph.sum(axis=1)).ravel()
    time = size / len(controls) / 4
    solve = splu((sp.identity(size) + time * (sp.diags(degree) - graph)).tocsc()).solve
    start = np.zeros((size, len(controls)))
    start[controls, np.arange(len(controls))] = 1.0
    heat = solve(solve(start))
    return heat / heat.sum(axis=1, keepdims=True)
