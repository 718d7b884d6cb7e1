"""A level decoder from the fields of a code: how many directions each level gets, and which."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rigface.models.level_decoder import LevelDecoder
from rigface.models.weight_field import WeightField

_SMALL = 0.05
"""Scale of the hidden units at the start: swish is x / 2 there, and the decoder linear."""


@dataclass(frozen=True)
class _Level:
    """One level's fields of all codes: left (codes x directions), sizes, numbers per direction."""

    left: Tensor
    size: Tensor
    numbers: Tensor


def level_decoder(
    fields: Float[Tensor, "codes half 3"], field: WeightField, floats: int
) -> LevelDecoder:
    """Nearest to `fields` (codes of unit second moment) with at most so many floats.

    Each level is fitted to what those above it leave, and its fields are ordered by singular value;
    the budget then goes to the directions that explain most per float.
    """
    field = field.to(torch.float64)
    codes, left_over, levels = len(fields), fields.double(), []
    for index in range(len(field.widths)):
        level = _level(left_over, field, index)
        levels.append(level)
        numbers = (level.left * level.size) @ level.numbers
        left_over = left_over - field.field(index, numbers)
    gain = torch.cat([lv.size.square() / (lv.numbers.shape[1] + codes) for lv in levels])
    cost = torch.cat([torch.full((len(lv.size),), lv.numbers.shape[1] + codes) for lv in levels])
    owner = torch.cat([torch.full((len(lv.size),), i) for i, lv in enumerate(levels)])
    order = gain.argsort(descending=True)
    bought = order[cost[order].cumsum(0) <= floats]
    counts = torch.bincount(owner[bought], minlength=len(levels)).tolist()
    hidden = [lv.left[:, :count] for lv, count in zip(levels, counts, strict=True)]
    matrices = [
        (2.0 / _SMALL * lv.size[:count, None] * lv.numbers[:count]).float()
        for lv, count in zip(levels, counts, strict=True)
    ]
    return LevelDecoder((_SMALL * torch.cat(hidden, dim=1)).float(), tuple(matrices))


def _level(fields: Tensor, field: WeightField, index: int) -> _Level:
    """The least-squares share of this level in the fields, by singular values."""
    flat = fields.permute(1, 0, 2).flatten(1)
    share = flat
    if index < len(field.spread):
        spread = field.spread[index]
        gram = spread.T @ spread + 1e-6 * torch.eye(spread.shape[1], dtype=spread.dtype)
        share = torch.linalg.solve(gram, spread.T @ flat)
    numbers = share.unflatten(1, (len(fields), 3)).permute(1, 0, 2).flatten(1)
    shown = field.field(index, numbers).flatten(1)
    value, left = torch.linalg.eigh(shown @ shown.T)
    left, size = left.flip(-1), value.flip(-1).clamp_min(0).sqrt()
    safe = size.clamp_min(1e-9 * float(size[0]))
    return _Level(left, size, (left.T @ numbers) / safe[:, None])
