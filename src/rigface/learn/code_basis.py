"""Weights that a short code can say: one basis of residuals for all people, solved in turns.

Weights solved for each person alone are as free as the vertices: fifty directions hold little of
them (0.57 of 0.20 mm, see docs/jnr.md). So the basis and the codes are solved for together:
given joints and codes the basis is linear least squares, vertex by vertex; given the basis, joints
and codes are found by Levenberg-Marquardt, head by head.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rigface.learn.head_fit import HeadFit, fit_heads, vertex_errors
from rigface.learn.person_weights import person_weights
from rigface.learn.support import Say
from rigface.learn.weight_sets import WeightSets
from rigface.models.jnr import JnrModel, jnr_table
from rigface.models.skinning_decoder import SkinningDecoder, undealt
from rigface.rig.jnr_variables import symmetric_motions

_CHUNK = 60
_THIN = 3
"""Joints and codes are found from every third vertex; the basis from all."""


@dataclass(frozen=True)
class CodeBasisConfig:
    """The turns."""

    codes: int = 50
    rounds: int = 2
    steps: int = 3
    """Levenberg-Marquardt steps of joints and codes in a round."""
    ridge: float = 0.3
    """Square millimetres per head that a basis entry of one costs."""
    start_ridge: float = 0.5
    """The same for the weights of each person that the first codes are taken from."""
    code_prior: float = 1.0
    spread: float = 1.0
    """Of the synthetic codes, relative to the second moment of the found ones."""


def learn_code_basis(
    model: JnrModel,
    heads: Float[Tensor, "heads verts 3"],
    x: Float[Tensor, "heads params"],
    free: Bool[Tensor, " params"],
    sets: int,
    generator: torch.Generator,
    config: CodeBasisConfig = CodeBasisConfig(),
    say: Say = lambda text: None,
) -> tuple[Float[Tensor, "heads params"], WeightSets]:
    """Joints of the heads, and synthetic weight sets in the span of the basis.

    `model` is the half model with linear weights. The first sets belong to the heads in order.
    """
    own = person_weights(model, heads, x, config.start_ridge) - model.free
    lead = torch.linalg.eigh(own @ own.T)[1].flip(-1)[:, : config.codes]
    code = lead * len(heads) ** 0.5
    few = torch.arange(0, len(model.rest), _THIN)
    both = torch.cat([free, torch.ones(config.codes, dtype=torch.bool)])
    fit = HeadFit(config.steps, code_prior=config.code_prior)
    basis = own.new_zeros(config.codes, own.shape[1])
    for turn in range(config.rounds):
        basis = solve_basis(model, heads, x, code, config.ridge)
        neural = with_linear_code(model, basis)
        start = torch.cat([x, code], dim=1)
        found = fit_heads(neural.at(few), heads[:, few], start, fit, both)
        x, code = found[:, : model.variables], found[:, model.variables :]
        say(f"basis {turn + 1}: {float(vertex_errors(neural, heads, found).mean()):.3f} mm")
    return x, _sets(basis, code, sets, generator, config.spread)


def with_linear_code(model: JnrModel, basis: Float[Tensor, "codes free"]) -> JnrModel:
    """The model with a decoder of one linear layer."""
    table = jnr_table(symmetric_motions(), len(basis))
    decoder = SkinningDecoder((undealt(basis),), basis.shape[1])
    return replace(model, decoder=decoder, table=table)


def solve_basis(
    model: JnrModel,
    heads: Float[Tensor, "heads verts 3"],
    x: Float[Tensor, "heads params"],
    code: Float[Tensor, "heads codes"],
    ridge: float,
) -> Float[Tensor, "codes free"]:
    """Residual weights per unit of code that bring all heads nearest, to first order.

    A residual dw moves a vertex by sum_i dw_i (T_i v - v'); its square sum over heads and axes is
    quadratic in the (influences x codes) numbers of the vertex.
    """
    codes, size = code.shape[1], len(model.free)
    total = code.new_zeros(codes, size + 1)
    for verts in torch.arange(len(model.rest)).split(_CHUNK):
        part = model.at(verts)
        moved = 1e3 * part.moved(x)
        weights = part.gathered(part.free)
        vertices = (weights[..., None] * moved).sum(-2)
        used = (part.slots < size).to(moved)
        arm = (moved - vertices[..., None, :]) * used[..., None]
        rows = torch.einsum("hvic,hk->vhcik", arm, code).flatten(1, 2).flatten(2)
        lack = (1e3 * heads[:, verts] - vertices).permute(1, 0, 2).flatten(1)
        gram = rows.transpose(1, 2) @ rows
        gram.diagonal(dim1=-2, dim2=-1).add_(ridge * len(heads))
        pull = rows.transpose(1, 2) @ lack[..., None]
        solved = torch.cholesky_solve(pull, torch.linalg.cholesky(gram))[..., 0]
        solved = solved.unflatten(1, (-1, codes)).permute(2, 0, 1).flatten(1)
        total.index_add_(1, part.slots.flatten(), solved)
    count = torch.bincount(model.slots.flatten(), minlength=size + 1).clamp_min(1)
    return (total / count)[:, :size]


def _sets(
    basis: Tensor, code: Tensor, count: int, generator: torch.Generator, spread: float
) -> WeightSets:
    """The found codes, and others from their second moment, in an orthonormal basis."""
    shares = torch.randn(count - len(code), len(code), generator=generator).to(code)
    drawn = spread * shares @ code / len(code) ** 0.5
    every = torch.cat([code, drawn])
    left, sizes, right = torch.linalg.svd(code @ basis, full_matrices=False)
    rank = min(len(basis), len(sizes))
    directions = right[:rank]
    coefficients = every @ (basis @ directions.T)
    head = torch.cat([torch.arange(len(code)), torch.full((len(drawn),), -1)])
    del left
    return WeightSets(directions, coefficients, head, 1.0)
