"""The identity prior carried to JNR's variables, so that a photo can tell them.

As `learn.prior` carries vertex modes to ASM's bones: x0 is the JNR face nearest to the prior's mean
head, and a mode is the small motion of the variables whose skin is nearest to the prior's mode,

    argmin_m  |J m - M|_W^2 / sigma^2 + |m / sigma_x|^2 / n,   W of unit trace, n variables,

with J JNR's derivative at x0, M the derivative of the prior's skin along the mode, and sigma_x the
sizes of JNR's table.
"""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rigface.models.identity import AsmIdentity
from rigface.models.jnr import JnrModel
from rigface.models.jnr_asset import JnrKind, load_jnr
from rigface.models.jnr_identity import JnrIdentity
from rigface.rig.skin_metric import training_metric
from rigface.rig.template_io import load_template

SIGMA = 1e-3
"""Metres; a skin that is off by this (RMS) costs as much as all variables being off by sigma_x."""
STEPS = 12


@lru_cache(maxsize=1)
def jnr_identity(kind: JnrKind) -> JnrIdentity:
    """JNR with the shipped identity prior and the template's 52 shapes, built once per process."""
    template = load_template()
    jnr = load_jnr(template, kind, asymmetric=True, expressions=template.expressions.names)
    prior = AsmIdentity.build(expressions=False)
    return carry(prior, jnr, training_metric(template))


def carry(prior: AsmIdentity, jnr: JnrModel, metric: Float[np.ndarray, " verts"]) -> JnrIdentity:
    """The same Gaussian over faces in JNR's variables, as far as they can make these faces."""
    here, table = prior.linearize(prior.table.zeros()), jnr.table
    weight = torch.from_numpy(metric / metric.sum()).repeat_interleave(3) / SIGMA**2
    count = table.size - len(jnr.shapes)
    held = 1 / table.column("sigma")[:count] ** 2 / count
    lower, upper = (table.column(name)[:count] for name in ("lower", "upper"))
    x = torch.zeros(count, dtype=torch.float64)
    for _ in range(STEPS):
        vertices, motion, factor = _normal_equations(jnr, x, weight, held)
        pull = motion @ (weight * (here.vertices - vertices).flatten()) - held * x
        step = torch.cholesky_solve(pull[:, None], factor)[:, 0]
        x = torch.minimum(torch.maximum(x + step, lower), upper)
    _, motion, factor = _normal_equations(jnr, x, weight, held)
    skin = here.rows(np.arange(len(metric))).flatten(0, 1)  # (coordinates, modes)
    modes = torch.cholesky_solve(motion @ (weight[:, None] * skin), factor)
    return JnrIdentity.of(jnr, x, modes.T.contiguous())


def _normal_equations(
    jnr: JnrModel,
    x: Float[Tensor, " own"],
    weight: Float[Tensor, " coordinates"],
    held: Float[Tensor, " own"],
) -> tuple[Float[Tensor, "verts 3"], Float[Tensor, "own coordinates"], Float[Tensor, "own own"]]:
    """The skin, J^T, and the Cholesky factor of the quadratic form above."""
    vertices, columns = jnr.columns(torch.cat([x, x.new_zeros(len(jnr.shapes))]))
    motion = columns[: len(x)].flatten(1)
    return vertices, motion, torch.linalg.cholesky((motion * weight) @ motion.T + held.diag())
