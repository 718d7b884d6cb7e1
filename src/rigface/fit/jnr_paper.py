"""JNR's own schedule (sections 3.1 and 4.3): Adam on Eq. 7, joints and code in turns."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rigface.models.jnr import CODE, JnrModel
from rigface.solve.adam import Adam, adam
from rigface.terms.energy import Energy
from rigface.terms.joint_limits import JointLimits, JointMagnitude
from rigface.terms.root_error import Reading, RootErrorTerm, umbrella_laplacian

UNIT = 0.1
"""Metres of one unit, as in the papers of this lineage: 1 = 100 mm. Our assumption."""
LAMBDA_M, LAMBDA_X, LAMBDA_P = 0.03, 0.3, 0.3


@dataclass(frozen=True)
class JnrPaperRecipe:
    """500 steps of the joints and 500 of the code, two cycles."""

    steps: int = 500
    cycles: int = 2
    rate: float = 1e-3
    reading: Reading = "rmse"
    """The text says RMSE. Read as printed, with 1/N outside the root, the data weigh sqrt(N) = 65
    times less and the joints hardly leave their rest: see docs/jnr.md."""


def fit_known_paper(
    model: JnrModel,
    targets: Float[np.ndarray, "verts 3"],
    recipe: JnrPaperRecipe = JnrPaperRecipe(),
) -> Float[Tensor, " params"]:
    """Parameters for known correspondences (metres, model space)."""
    problem = JnrPaperProblem(model, targets, recipe.reading)
    x = model.table.zeros()
    joints = torch.arange(model.table.size) < model.variables
    code = model.table.mask([CODE]) if CODE in model.table else torch.zeros_like(joints)
    turns = [mask for _ in range(recipe.cycles) for mask in (joints, code) if bool(mask.any())]
    for number, mask in enumerate(turns):

        def fade(step: int, _: Tensor, done: int = number) -> None:
            problem.fade = 1.0 - (done + step / recipe.steps) / len(turns)

        scale = problem.scale * mask
        x = adam(problem, x, scale, Adam(recipe.rate, recipe.steps), fade).value
    return x


class JnrPaperProblem:
    """Eq. 7, its magnitude term fading as the fit goes on."""

    def __init__(
        self, model: JnrModel, targets: Float[np.ndarray, "verts 3"], reading: Reading = "rmse"
    ):
        self.model = model
        self.fade = 1.0
        """Factor on lambda_m."""
        laplacian = umbrella_laplacian(model.faces.numpy(), len(targets))
        self.vertex_terms = [
            RootErrorTerm(targets, None, reading, UNIT),
            RootErrorTerm(targets, laplacian, reading, UNIT / LAMBDA_P),
        ]
        self.magnitude, self.limits = joint_terms(model)
        self.scale = torch.from_numpy(self.magnitude.unit).clone()
        """Adam's rate is per unit: angles, scales and code as they are, lengths in units."""

    def value_and_gradient(
        self, x: Float[Tensor, " params"]
    ) -> tuple[float, Float[Tensor, " params"]]:
        """L_r and its derivative."""
        small = JointMagnitude(
            LAMBDA_M * self.fade * self.magnitude.count, self.magnitude.unit, self.magnitude.scale
        )
        return Energy(self.model, self.vertex_terms, [small, self.limits]).value_and_gradient(x)


def joint_terms(model: JnrModel) -> tuple[JointMagnitude, JointLimits]:
    """Eq. 4 without its lambda and Eq. 5 with it, on a model's own table; the root is free."""
    table = model.table
    size, joints = table.size, len(model.joint_names)
    count, unit = np.zeros(size), np.ones(size)
    scale: Bool[np.ndarray, " params"] = np.zeros(size, dtype=bool)
    count[: model.variables] = np.count_nonzero(model.spread.numpy(), axis=0) / joints
    for name, run in table.slices.items():
        if name.endswith(".translation"):
            unit[run] = UNIT
        scale[run] = name.endswith(".log_scale")
        if name.startswith("Root."):
            count[run] = 0.0
    lower, upper = table.column("lower").numpy(), table.column("upper").numpy()
    return (
        JointMagnitude(count, unit, scale),
        JointLimits(LAMBDA_X * count, unit, lower, upper),
    )
