"""JNR on a scan: its joints (and code) take the free form's surface, then the scan decides."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rigface.fit.matching import Matcher, MatchRule
from rigface.fit.stages import Stage, StageReport, box_for, prior_for, run_stage
from rigface.models.jnr import CODE, JnrModel
from rigface.models.posed import POSE, PosedModel
from rigface.solve.levenberg_marquardt import LevenbergMarquardt, levenberg_marquardt
from rigface.solve.result import Result
from rigface.terms.energy import Energy
from rigface.terms.robust import GemanMcClure
from rigface.terms.term import OneSidedTerm
from rigface.terms.vertex_targets import VertexTargetTerm

_MM = 1e-3


@dataclass(frozen=True)
class JnrSettings:
    """Lengths in metres; priors multiply (x / sigma)^2 / 2 of every joint variable."""

    goal_sigma: float = 1 * _MM
    """How far the free form is trusted."""
    goal_prior: float = 1.0
    scan_prior: float = 3.0
    code_prior: float = 1.0
    goal_steps: tuple[int, int] = (12, 15)
    """Steps with the code at zero, as the paper has it, and with everything free."""
    scan_steps: int = 8


def fit_known(
    model: PosedModel,
    start: Float[Tensor, " params"],
    targets: Float[np.ndarray, "verts 3"],
    weights: Float[np.ndarray, " verts"],
    settings: JnrSettings = JnrSettings(),
    barriers: tuple[OneSidedTerm, ...] = (),
) -> tuple[Float[Tensor, " params"], tuple[StageReport, ...]]:
    """JNR with known correspondences: joints first, then joints and code at once."""
    term = VertexTargetTerm(targets, weights, settings.goal_sigma)
    joints = tuple(n for n in _moving(model) if n != CODE)
    stages = [("joints", joints, settings.goal_steps[0])]
    if CODE in model.table:
        stages.append(("code", (*joints, CODE), settings.goal_steps[1]))
    x, reports = start, []
    for name, free, steps in stages:
        prior = prior_for(model, _priors(model, settings.goal_prior, settings.code_prior))
        problem = Energy(model, [term], [prior], barriers)
        solved = levenberg_marquardt(
            problem, x, box_for(model, free), LevenbergMarquardt(max_steps=steps)
        )
        x = solved.value
        energy = solved.energies[-1] if solved.energies else float("nan")
        reports.append(StageReport(name, sum(solved.seconds), steps, energy, 1.0, solved.result))
    return x, tuple(reports)


def fit_jnr(
    face: JnrModel,
    start: Float[Tensor, " params"],
    goal: Float[np.ndarray, "verts 3"],
    certain: Bool[np.ndarray, " verts"],
    matcher: Matcher,
    barriers: tuple[OneSidedTerm, ...] = (),
    settings: JnrSettings = JnrSettings(),
) -> tuple[PosedModel, Float[Tensor, " params"], tuple[StageReport, ...]]:
    """From the pose in `start`: the goal surface vertex by vertex, then the scan itself.

    `certain` marks skin that the scan shows; the rest counts a tenth. `barriers` keep lips, lids
    and eyeballs apart.
    """
    model = PosedModel.build(face)
    weights = np.where(certain, 1.0, 0.1)
    x, reports = fit_known(model, start, goal, weights, settings, barriers)
    free = _moving(model)
    rule = MatchRule(6 * _MM, 0.6, 0.5 * _MM, GemanMcClure(8.0), slide=0.01, reverse=0.3)
    hold = VertexTargetTerm(goal, weights, 2 * settings.goal_sigma)
    stage = Stage(
        "scan",
        settings.scan_steps,
        free,
        rule,
        3 * _MM,
        _priors(model, settings.scan_prior, settings.code_prior),
    )
    x, done = run_stage(model, matcher, stage, x, barriers=barriers, extra=(hold,))
    assert done.result is not Result.NON_FINITE or torch.isfinite(x).all()
    return model, x, (*reports, done)


def _moving(model: PosedModel) -> tuple[str, ...]:
    """Everything but the root, which would do what the pose does."""
    return tuple(n for n in model.table.slices if not n.startswith("Root."))


def _priors(model: PosedModel, joints: float, code: float) -> dict[str, float]:
    """By block; the pose is held by nothing but the data."""
    names = (n for n in _moving(model) if n not in POSE)
    return {name: code if name == CODE else joints for name in names}
