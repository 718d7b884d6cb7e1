"""Weights given the joints: sparse least squares on the simplex, every vertex at once.

With sum w = 1 the error of a vertex is sum_j w_j (T_j v - target), so over any number of heads its
square is w^T G w with one small Gram matrix G per vertex (section 3.1; DESIGN: minutes, not hours).
"""

from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.models.jnr import JnrModel

_ROUNDS = 400


def joint_grams(
    model: JnrModel,
    targets: Float[Tensor, "heads verts 3"],
    x: Float[Tensor, "heads params"],
    candidates: Int[Tensor, "verts candidates"],
    batch: int = 8,
) -> Float[Tensor, "verts candidates candidates"]:
    """G of every vertex for its candidate joints, square millimetres summed over heads."""
    total = targets.new_zeros(*candidates.shape, candidates.shape[1])
    for run in torch.arange(len(targets)).split(batch):
        with torch.no_grad():
            rows = model.transforms(x[run])[:, candidates]
            moved = (rows[..., :3] @ model.rest[None, :, None, :, None])[..., 0] + rows[..., 3]
        gap = 1e3 * (moved - targets[run][:, :, None])
        total += torch.einsum("hvid,hvjd->vij", gap, gap)
    return total


def project_simplex(
    w: Float[Tensor, "*batch n"], allowed: Bool[Tensor, "*batch n"]
) -> Float[Tensor, "*batch n"]:
    """Nearest point with non-negative entries that sum to one; zero where not allowed."""
    low = torch.where(allowed, w, torch.full_like(w, -1e9))
    ordered = low.sort(dim=-1, descending=True).values
    excess = ordered.cumsum(-1) - 1
    count = torch.arange(1, w.shape[-1] + 1, dtype=w.dtype, device=w.device)
    size = ((ordered - excess / count) > 0).sum(-1, keepdim=True).clamp_min(1)
    level = excess.gather(-1, size - 1) / size
    return torch.where(allowed, (low - level).clamp_min(0), torch.zeros_like(w))


def simplex_least_squares(
    gram: Float[Tensor, "verts n n"],
    pull: Float[Tensor, "verts n"],
    allowed: Bool[Tensor, "verts n"],
    rounds: int = _ROUNDS,
) -> Float[Tensor, "verts n"]:
    """argmin w G w / 2 - pull w on the simplex over the allowed entries (ADMM)."""
    n = gram.shape[-1]
    size = gram.diagonal(dim1=-2, dim2=-1).mean(-1).clamp_min(1e-9)
    rho = 0.05 * size[:, None]
    eye = torch.eye(n, dtype=gram.dtype, device=gram.device)
    inverse = torch.linalg.inv(gram + rho[..., None] * eye)
    kept = project_simplex(torch.zeros_like(pull), allowed)
    dual = torch.zeros_like(kept)
    for _ in range(rounds):
        w = (inverse @ (pull + rho * (kept - dual))[..., None])[..., 0]
        kept = project_simplex(w + dual, allowed)
        dual = dual + w - kept
    return kept


def thin_out(
    gram: Float[Tensor, "verts n n"],
    pull: Float[Tensor, "verts n"],
    sizes: Iterable[int],
    start: Bool[Tensor, "verts n"] | None = None,
    rounds: int = 150,
) -> dict[int, tuple[Bool[Tensor, "verts n"], Float[Tensor, " verts"]]]:
    """Best-effort supports of at most each size (descending) and their energies, by elimination."""
    allowed = torch.ones_like(pull, dtype=torch.bool) if start is None else start.clone()
    out = {}
    for size in sorted(sizes, reverse=True):
        while int(allowed.sum(-1).max()) > size:
            w = simplex_least_squares(gram, pull, allowed, rounds)
            over = allowed.sum(-1) > size
            weakest = torch.where(allowed, w, torch.full_like(w, 9.0)).argmin(-1)
            allowed = allowed.clone()
            allowed[over, weakest[over]] = False
        w = simplex_least_squares(gram, pull, allowed, rounds)
        energy = 0.5 * (w * (gram @ w[..., None])[..., 0]).sum(-1) - (pull * w).sum(-1)
        out[size] = (allowed & (w > 1e-4), energy)
    return out
