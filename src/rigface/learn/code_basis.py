"""What a short code can say: one field on the skin per number of Z, for all people, in turns.

Weights solved for each person alone are as free as the vertices: fifty directions hold little of
them (0.57 of 0.20 mm, see docs/jnr.md). So fields, codes and joints are solved for together: given
joints and codes the fields are linear least squares, vertex by vertex (weights are linear in the
field, vertices in the weights); given the fields, joints and codes are found by
Levenberg-Marquardt, head by head.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rigface.learn.head_fit import HeadFit, fit_heads, vertex_errors
from rigface.learn.support import Say
from rigface.learn.weight_sets import WeightSets
from rigface.models.jnr import JnrModel, jnr_table
from rigface.models.skinning_decoder import SkinningDecoder, undealt
from rigface.models.weight_field import WeightField
from rigface.rig.jnr_variables import symmetric_motions

_CHUNK = 60
_THIN = 3
"""Joints and codes are found from every third vertex; the fields from all."""


@dataclass(frozen=True)
class CodeBasisConfig:
    """The turns."""

    codes: int = 80
    """The paper's Z has 50 numbers; docs/jnr.md has the error against the length."""
    rounds: int = 2
    joint_steps: int = 8
    steps: int = 3
    """Levenberg-Marquardt steps of the joints alone, and with the codes in a round."""
    ridge: float = 0.01
    """What a millimetre of field per unit of code costs, square millimetres per head."""
    joint_prior: float = 3.0
    """Stiffer than in a fit: what a code can say for everybody, joints should not."""
    code_prior: float = 0.03
    spread: float = 1.0
    """Of the synthetic codes, relative to the second moment of the found ones."""


@dataclass(frozen=True)
class CodeBasis:
    """Fields of a code of unit second moment, and the heads in it."""

    fields: Float[Tensor, "codes half 3"]
    """Millimetres."""
    x: Float[Tensor, "heads params"]
    """Joints of the heads."""
    code: Float[Tensor, "heads codes"]


def learn_code_basis(
    model: JnrModel,
    field: WeightField,
    heads: Float[Tensor, "heads half 3"],
    free: Bool[Tensor, " params"],
    config: CodeBasisConfig = CodeBasisConfig(),
    say: Say = lambda text: None,
) -> CodeBasis:
    """Of `heads`; `model` is the half model with linear weights and levers."""
    few = torch.arange(0, len(model.rest), _THIN)
    fit = HeadFit(config.joint_steps, prior=config.joint_prior)
    start = model.table.zeros(len(heads)).to(heads)
    x = fit_heads(model.at(few), heads[:, few], start, fit, free)
    say(f"{len(heads)} heads by joints: {float(vertex_errors(model, heads, x).mean()):.3f} mm")
    lack = 1e3 * (heads - model.vertices(x)).flatten(1)
    lead = torch.linalg.eigh(lack @ lack.T).eigenvectors.flip(-1)[:, : config.codes]
    code = lead * len(heads) ** 0.5
    both = torch.cat([free, torch.ones(config.codes, dtype=torch.bool)])
    fit = replace(fit, steps=config.steps, code_prior=config.code_prior)
    for turn in range(config.rounds):
        fields = solve_fields(model, field, heads, x, code, config.ridge)
        neural = with_linear_code(model, field.residuals(fields))
        found = fit_heads(neural.at(few), heads[:, few], torch.cat([x, code], dim=1), fit, both)
        x, code = found[:, : model.variables], whitened(found[:, model.variables :])
        say(f"fields {turn + 1}: {float(vertex_errors(neural, heads, found).mean()):.3f} mm")
    return CodeBasis(solve_fields(model, field, heads, x, code, config.ridge), x, code)


def whitened(code: Float[Tensor, "heads codes"]) -> Float[Tensor, "heads codes"]:
    """Of unit second moment."""
    value, vector = torch.linalg.eigh(code.T @ code / len(code))
    return code @ (vector / value.clamp_min(1e-9).sqrt())


def with_linear_code(model: JnrModel, basis: Float[Tensor, "codes free"]) -> JnrModel:
    """The model with a decoder of one linear layer."""
    table = jnr_table(symmetric_motions(), len(basis))
    decoder = SkinningDecoder((undealt(basis),), basis.shape[1])
    return replace(model, decoder=decoder, table=table)


def solve_fields(
    model: JnrModel,
    field: WeightField,
    heads: Float[Tensor, "heads half 3"],
    x: Float[Tensor, "heads params"],
    code: Float[Tensor, "heads codes"],
    ridge: float,
) -> Float[Tensor, "codes half 3"]:
    """Fields per unit of code that bring all heads nearest, until a weight is clipped.

    A field f moves a vertex by sum_i P_i f (T_i v - v') with the field's arms P: a 3x3 matrix per
    head and vertex, near the identity, so 3 x codes unknowns per vertex.
    """
    codes = code.shape[1]
    out = code.new_zeros(codes, len(model.rest), 3)
    for verts in torch.arange(len(model.rest)).split(_CHUNK):
        part = model.at(verts)
        moved = 1e3 * part.moved(x)
        vertices = (part.gathered(part.free)[..., None] * moved).sum(-2)
        lever = moved - vertices[..., None, :]
        pull = torch.einsum("hvia,vic->hvac", lever, field.at_slots(part.slots))
        rows = torch.einsum("hvac,hk->vhack", pull, code).flatten(1, 2).flatten(2)
        lack = (1e3 * heads[:, verts] - vertices).permute(1, 0, 2).flatten(1)
        gram = rows.transpose(1, 2) @ rows
        gram.diagonal(dim1=-2, dim2=-1).add_(ridge * len(heads))
        force = rows.transpose(1, 2) @ lack[..., None]
        solved = torch.cholesky_solve(force, torch.linalg.cholesky(gram))[..., 0]
        out[:, verts] = solved.unflatten(1, (3, codes)).permute(2, 0, 1)
    return out


def sets_in_span(
    basis: CodeBasis,
    field: WeightField,
    count: int,
    generator: torch.Generator,
    spread: float = 1.0,
) -> WeightSets:
    """Weight sets of the found codes, and of others from their second moment."""
    code = basis.code
    shares = torch.randn(count - len(code), len(code), generator=generator).to(code)
    drawn = spread * shares @ code / len(code) ** 0.5
    every = torch.cat([code, drawn])
    rows = field.residuals(basis.fields)
    directions = torch.linalg.svd(code @ rows, full_matrices=False)[2][
        : min(rows.shape[0], len(code))
    ]
    coefficients = every @ (rows @ directions.T)
    head = torch.cat([torch.arange(len(code)), torch.full((len(drawn),), -1)])
    return WeightSets(directions, coefficients, head, 1.0)
