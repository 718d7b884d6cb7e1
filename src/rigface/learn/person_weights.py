"""Weights of one person: given the joints, a small ridge problem per vertex in closed form.

sum_i w_i (T_i v - target) is to vanish with w near the base weights, sum w = 1 and w >= 0. Three
equations per vertex, so the solution is a 3x3 system; entries that come out negative are fixed at
zero and the rest solved again (section 3.2's re-solving of weights, for whole batches of heads).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from rigface.models.jnr import JnrModel

_ROUNDS = 4


def person_weights(
    model: JnrModel,
    targets: Float[Tensor, "heads verts 3"],
    x: Float[Tensor, "heads params"],
    ridge: float,
) -> Float[Tensor, "heads free"]:
    """Free weights that bring `model`'s vertices to the targets with joints as in x.

    `ridge` is the square millimetres that a weight off by one costs. Of a half model of symmetric
    heads: both sides share the numbers.
    """
    with torch.no_grad():
        gap = 1e3 * (model.moved(x) - targets[:, :, None])
        unused = model.slots == len(model.free)
        base = model.gathered(model.free).expand(len(x), -1, -1)
        w = _solve(gap, base, (~unused).expand_as(base), ridge)
        return spread_to_slots(model, w)


def spread_to_slots(
    model: JnrModel, weights: Float[Tensor, "heads verts influences"]
) -> Float[Tensor, "heads free"]:
    """Mean of each free weight over its influences; slots that no vertex has keep theirs."""
    size = len(model.free)
    flat = model.slots.flatten()
    total = weights.new_zeros(len(weights), size + 1).index_add_(1, flat, weights.flatten(1))
    count = torch.bincount(flat, minlength=size + 1)[:-1]
    return torch.where(count > 0, total[:, :-1] / count.clamp_min(1), model.free)


def _solve(gap: Tensor, base: Tensor, active: Tensor, ridge: float) -> Tensor:
    eye = ridge * torch.eye(3, dtype=gap.dtype, device=gap.device)
    w = base
    for _ in range(_ROUNDS):
        count = active.sum(-1, keepdim=True).clamp_min(1)
        kept = torch.where(active, base, torch.zeros_like(base))
        start = torch.where(active, kept + (1 - kept.sum(-1, keepdim=True)) / count, kept)
        arms = torch.where(active[..., None], gap, torch.zeros_like(gap))
        middle = arms.sum(-2, keepdim=True) / count[..., None]
        arms = torch.where(active[..., None], arms - middle, torch.zeros_like(arms))
        miss = (start[..., None] * gap).sum(-2)
        system = arms.transpose(-1, -2) @ arms + eye
        force = torch.linalg.solve(system, miss[..., None])
        w = start - (arms @ force)[..., 0]
        active = active & (w > 0)
    w = torch.where(active, w, torch.zeros_like(w)).clamp_min(0)
    return w / w.sum(-1, keepdim=True).clamp_min(1e-6)
