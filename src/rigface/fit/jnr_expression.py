"""One person with one or many expressions, correspondences known (section 3.3).

The paper fits joints and code, then expression coefficients, and repeats. So do we, each turn by
Levenberg-Marquardt over all heads of the person, and then everything at once: turns alone creep,
because a head between two expressions is a good start for neither identity nor expression.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.errors import InputError
from rigface.fit.stages import StageReport
from rigface.geometry.rotations import vector_from_rotation
from rigface.geometry.similarity import align_points
from rigface.models.jnr import CODE, JnrModel
from rigface.models.jnr_expressive import Expression, ExpressionSpace
from rigface.solve.levenberg_marquardt import Box, LevenbergMarquardt, levenberg_marquardt
from rigface.solve.problem import Quadratic

_MM = 1e-3
_POSE = ("Root.rotation", "Root.translation")
_POSE_SIGMA = 0.3


@dataclass(frozen=True)
class ExpressionSettings:
    """Priors multiply (x / sigma)^2 / 2."""

    goal_sigma: float = 1 * _MM
    """How far vertices are trusted (metres)."""
    identity_prior: float = 1.0
    firm_prior: float = 10.0
    """Of the identity's own values of variables that express: a single head does not say whether
    its mouth is open or made so."""
    code_prior: float = 1.0
    expression_prior: float = 1.0
    cycles: int = 3
    """Turns of identity and expression; the first leaves the code at zero, as the paper has it."""
    steps: int = 5
    """Of each turn."""
    last_steps: int = 15
    """With everything free; 0 stops after the paper's turns."""


USUAL = ExpressionSettings()


@dataclass(frozen=True)
class ExpressionFit:
    """A person, and what the person does in each head."""

    identity: Float[Tensor, " params"]
    """Expression weights and pose are zero."""
    expression: Expression
    """One per head."""
    pose: Float[Tensor, "heads 6"]
    """Root rotation and translation of each head."""
    x: Float[Tensor, "heads params"]
    """Identity, expression and pose together."""
    errors_mm: Float[np.ndarray, "heads verts"]
    """Distance of every vertex from its target."""
    reports: tuple[StageReport, ...]


def fit_expressions(
    model: JnrModel,
    targets: Float[np.ndarray, "heads verts 3"],
    weights: Float[np.ndarray, " verts"] | None = None,
    settings: ExpressionSettings = USUAL,
    neutral: tuple[int, ...] = (),
) -> ExpressionFit:
    """Heads of one person (metres, any rigid pose) as one identity and an expression each.

    The model must have expressions and both sides free. `neutral` names heads that are known to
    show no expression. Raises InputError for targets of another topology or a model without
    expressions.
    """
    space = ExpressionSpace.of(model)
    if targets.shape[1:] != tuple(model.rest.shape) or len(targets) == 0:
        raise InputError(
            f"targets have the shape {targets.shape}; expected (heads, {len(model.rest)}, 3), "
            "the vertices of the model for at least one head."
        )
    certain = np.ones(targets.shape[1]) if weights is None else weights
    problem = _OnePerson(model, space, targets, certain, settings, neutral)
    y, reports = _first_pose(problem, targets, certain), []
    for name, free, steps in _turns(problem, settings):
        solved = levenberg_marquardt(
            problem, y, problem.box(y, free), LevenbergMarquardt(max_steps=steps)
        )
        y = problem.limited(solved.value)
        reports.append(StageReport.of(name, steps, solved))
    return problem.result(y, tuple(reports))


def fit_expression(
    model: JnrModel,
    target: Float[np.ndarray, "verts 3"],
    weights: Float[np.ndarray, " verts"] | None = None,
    settings: ExpressionSettings = USUAL,
) -> ExpressionFit:
    """The same for a single head."""
    return fit_expressions(model, target[None], weights, settings)


class _OnePerson:
    """Energy of y = (identity, then pose and expression of each head); a `Problem`."""

    def __init__(
        self,
        model: JnrModel,
        space: ExpressionSpace,
        targets: np.ndarray,
        weights: np.ndarray,
        settings: ExpressionSettings,
        neutral: tuple[int, ...],
    ):
        self.model, self.space = model, space
        self.targets = torch.from_numpy(np.ascontiguousarray(targets)).to(model.rest)
        self.trust = torch.from_numpy(weights).to(model.rest) / settings.goal_sigma**2
        table = model.table
        pose = torch.nonzero(table.mask(_POSE))[:, 0]
        self.own: Int[Tensor, " own"] = torch.cat([pose, space.columns, space.shapes])
        """Parameters that each head has for itself, besides the identity's."""
        self.params, self.heads = table.size, len(targets)
        sigma = torch.cat([torch.full((len(pose),), _POSE_SIGMA).to(model.rest), space.sigma])
        self.sigma = torch.cat([table.column("sigma"), sigma.repeat(self.heads)])
        self.step = torch.cat(
            [table.column("max_step"), table.column("max_step")[self.own].repeat(self.heads)]
        )
        strength = torch.full((self.params,), settings.identity_prior, dtype=torch.float64)
        strength[space.columns] = settings.firm_prior
        if CODE in table:
            strength[table.slices[CODE]] = settings.code_prior
        own = torch.full((len(self.own),), settings.expression_prior, dtype=torch.float64)
        own[: len(pose)] = 0.0
        self.prior = torch.cat([strength, own.repeat(self.heads)]) / self.sigma**2
        self.poses = len(pose)
        still = torch.tensor([head in neutral for head in range(self.heads)])
        self.moves = ~(still[:, None] & (torch.arange(len(self.own)) >= self.poses))

    def split(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Identity (params,) and what each head has for itself (heads, own)."""
        return y[: self.params], y[self.params :].view(self.heads, -1)

    def states(self, y: Float[Tensor, " all"]) -> Float[Tensor, "heads params"]:
        """Model parameters of every head."""
        identity, own = self.split(y)
        x = identity.repeat(self.heads, 1)
        x[:, self.own] += own
        return x

    def energy(self, x: Float[Tensor, " all"]) -> float:
        """Half the weighted square of distances and of the priors."""
        with torch.no_grad():
            gap = (self.model.vertices(self.states(x)) - self.targets).square().sum(-1)
        return 0.5 * float((gap @ self.trust).sum() + self.prior @ (x * x))

    def quadratic(
        self, x: Float[Tensor, " all"], free: Bool[Tensor, " all"] | None = None
    ) -> Quadratic:
        """Gauss-Newton; a head couples the identity with its own variables only."""
        gradient = self.prior * x
        hessian = torch.diag(self.prior)
        energy = 0.5 * float(self.prior @ (x * x))
        heads = zip(self.states(x), self.targets, strict=True)
        row = torch.cat([torch.arange(self.params), self.own])
        for head, (state, target) in enumerate(heads):
            first = self.params + head * len(self.own)
            place = torch.cat([torch.arange(self.params), first + torch.arange(len(self.own))])
            used = torch.ones_like(place, dtype=torch.bool) if free is None else free[place]
            vertices, columns = self.model.columns(state)
            miss = vertices - target
            energy += 0.5 * float(miss.square().sum(-1) @ self.trust)
            flat = columns[row[used]]
            pulled = (flat * self.trust[:, None]).flatten(1)
            at = place[used]
            gradient[at] += pulled @ miss.flatten()
            hessian[at[:, None], at] += pulled @ flat.flatten(1).T
        return Quadratic(energy, gradient, hessian)

    def box(self, y: Tensor, free: Bool[Tensor, " all"]) -> Box:
        """Limits hold for identity and expression together: each leaves room for the other."""
        identity, own = self.split(y)
        room = torch.zeros(self.heads, self.params).to(y)
        room[:, self.own] = own
        lower, upper = self.space.lower, self.space.upper
        identity_low = lower - room.amin(0).clamp(max=0.0)
        identity_high = upper - room.amax(0).clamp(min=0.0)
        low = (lower - identity)[self.own].repeat(self.heads)
        high = (upper - identity)[self.own].repeat(self.heads)
        return Box(
            1 / self.sigma**2,
            torch.cat([identity_low, low]),
            torch.cat([identity_high, high]),
            self.step,
            free,
        )

    def limited(self, y: Tensor) -> Tensor:
        """Own variables brought back within the limits, where both moved at once."""
        identity, own = self.split(y)
        low, high = ((limit - identity)[self.own] for limit in (self.space.lower, self.space.upper))
        return torch.cat([identity, torch.maximum(torch.minimum(own, high), low).flatten()])

    def masks(self) -> dict[str, Bool[Tensor, " all"]]:
        """What each turn frees: joints of the person, with the code, each head's own, pose."""
        table = self.model.table
        person = torch.arange(self.params) < self.model.variables
        person[table.mask(_POSE)] = False
        code = table.mask([CODE]) if CODE in table else torch.zeros_like(person)
        nothing = torch.zeros_like(person)
        pose = self.moves & (torch.arange(len(self.own)) < self.poses)
        return {
            "joints": torch.cat([person, pose.flatten()]),
            "identity": torch.cat([person | code, pose.flatten()]),
            "expression": torch.cat([nothing, self.moves.flatten()]),
            "all": torch.cat([person | code, self.moves.flatten()]),
        }

    def result(self, y: Tensor, reports: tuple[StageReport, ...]) -> ExpressionFit:
        """The pieces of y by name."""
        identity, own = self.split(y)
        x = self.states(y)
        with torch.no_grad():
            errors = 1e3 * (self.model.vertices(x) - self.targets).norm(dim=-1)
        pose, rest = own[:, : self.poses], own[:, self.poses :]
        count = len(self.space.columns)
        expression = Expression(self.space.variables, rest[:, :count], rest[:, count:])
        return ExpressionFit(identity, expression, pose, x, errors.numpy(), reports)


def _turns(problem: _OnePerson, settings: ExpressionSettings) -> list[tuple[str, Tensor, int]]:
    masks, out = problem.masks(), []
    for cycle in range(settings.cycles):
        for name in ("joints" if cycle == 0 else "identity", "expression"):
            out.append((name, masks[name], settings.steps))
    if settings.last_steps:
        out.append(("all", masks["all"], settings.last_steps))
    return out


def _first_pose(problem: _OnePerson, targets: np.ndarray, weights: np.ndarray) -> Tensor:
    """Every head where the rest shape lies best, rigidly; the root's joint turns about its bind."""
    y = torch.zeros(problem.params + problem.heads * len(problem.own), dtype=torch.float64)
    own = problem.split(y)[1]
    rest, bind = problem.model.rest.numpy(), problem.model.bind[0].numpy()
    for head, target in enumerate(targets):
        found = align_points(rest, target, weights, with_scale=False)
        own[head, :3] = vector_from_rotation(torch.from_numpy(found.rotation))
        own[head, 3:6] = torch.from_numpy(found.apply(bind) - bind)
    return y
