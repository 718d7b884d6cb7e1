"""Many heads at once: Levenberg-Marquardt on JNR's variables with known correspondences."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rigface.models.jnr import JnrModel


@dataclass(frozen=True)
class HeadFit:
    """How far to go; the energy is in square millimetres summed over coordinates."""

    steps: int = 10
    prior: float = 0.3
    """Weight of sum (x / sigma)^2: only breaks ties, a millimetre of one vertex is dearer."""
    code_prior: float = 0.3
    """The same for the code Z."""
    damping: float = 1e-2
    batch: int = 8


USUAL = HeadFit()


def fit_heads(
    model: JnrModel,
    targets: Float[Tensor, "heads verts 3"],
    start: Float[Tensor, "heads params"],
    settings: HeadFit = HeadFit(),
    free: Bool[Tensor, " params"] | None = None,
) -> Float[Tensor, "heads params"]:
    """Variables (within their limits) that bring the model's vertices to the targets (metres)."""
    runs = torch.arange(len(targets)).split(settings.batch)
    return torch.cat([_fit(model, targets[run], start[run], settings, free) for run in runs])


def vertex_errors(
    model: JnrModel,
    targets: Float[Tensor, "heads verts 3"],
    x: Float[Tensor, "heads params"],
    batch: int = 16,
) -> Float[Tensor, "heads verts"]:
    """Distance of every vertex from its target, millimetres."""
    with torch.no_grad():
        runs = torch.arange(len(targets)).split(batch)
        gaps = [(model.vertices(x[run]) - targets[run]).norm(dim=-1) for run in runs]
    return 1e3 * torch.cat(gaps)


def _fit(model: JnrModel, targets: Tensor, x: Tensor, s: HeadFit, free: Tensor | None) -> Tensor:
    table = model.table
    sigma, lower, upper = (table.column(name).to(x) for name in ("sigma", "lower", "upper"))
    prior = torch.full_like(sigma, s.prior)
    prior[model.variables :] = s.code_prior
    prior = prior / sigma**2
    allowed = torch.ones_like(sigma, dtype=torch.bool) if free is None else free
    damping = torch.full_like(x[:, 0], s.damping)
    energy = _energy(model, targets, x, prior)
    for _ in range(s.steps):
        vertices, columns = model.columns(x)
        rows = 1e3 * columns.flatten(-2)
        miss = 1e3 * (targets - vertices).flatten(-2)
        gradient = (rows @ miss[..., None])[..., 0] - prior * x
        hessian = rows @ rows.transpose(-1, -2)
        stuck = ((x <= lower) & (gradient < 0)) | ((x >= upper) & (gradient > 0)) | ~allowed
        step = _step(hessian, gradient, prior, damping, stuck)
        trial = (x + step).clamp(lower, upper)
        trial = torch.where(allowed, trial, x)
        new = _energy(model, targets, trial, prior)
        better = new < energy
        x = torch.where(better[:, None], trial, x)
        energy = torch.where(better, new, energy)
        damping = torch.where(better, damping / 3, damping * 6).clamp(1e-7, 1e5)
    return x


def _step(
    hessian: Tensor, gradient: Tensor, prior: Tensor, damping: Tensor, stuck: Tensor
) -> Tensor:
    kept = (~stuck).to(gradient)
    system = hessian * kept[..., None] * kept[..., None, :]
    diagonal = hessian.diagonal(dim1=-2, dim2=-1)
    lift = prior + damping[:, None] * (diagonal + 10 * prior) + 1e-9 * diagonal
    system = system + torch.diag_embed(torch.where(stuck, torch.ones_like(lift), lift))
    factor, info = torch.linalg.cholesky_ex(system)
    solved = torch.cholesky_solve((gradient * kept)[..., None], factor)[..., 0]
    return torch.where((info == 0)[:, None], solved, torch.zeros_like(solved))


def _energy(model: JnrModel, targets: Tensor, x: Tensor, prior: Tensor) -> Tensor:
    with torch.no_grad():
        gap = 1e6 * (model.vertices(x) - targets).square().sum((-1, -2))
    return gap + (prior * x * x).sum(-1)
