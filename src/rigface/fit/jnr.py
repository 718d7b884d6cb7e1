"""JNR on a scan: its joints (and code) take the free form's surface, then the scan decides.

With so few variables the corners of the mouth may fold over each other although the margins of the
lips do not, and lids over themselves. The last steps look for triangles that cross or are turned
over and lay them as the free form has them.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.fit.matching import Matcher, MatchRule
from rigface.fit.parting import open_triangles, part_triangles
from rigface.fit.stages import Stage, StageReport, box_for, prior_for, run_stage
from rigface.geometry.intersections import self_intersections
from rigface.metrics.mesh_quality import flipped_faces
from rigface.models.jnr import CODE, JnrModel
from rigface.models.posed import POSE, PosedModel
from rigface.solve.levenberg_marquardt import LevenbergMarquardt, levenberg_marquardt
from rigface.terms.energy import Energy
from rigface.terms.lip_gap import GapTerm
from rigface.terms.robust import GemanMcClure
from rigface.terms.term import OneSidedTerm, VertexTerm
from rigface.terms.vertex_targets import VertexTargetTerm

_MM = 1e-3
_MEND_DAMPING = 0.05
"""Terms come and go with the folds: undamped steps chase them."""


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
    scan_steps: int = 5
    mend_steps: int = 8
    """Further steps on the scan, each with what is folded by then laid open."""


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
        reports.append(StageReport.of(name, steps, solved))
    return x, tuple(reports)


def fit_jnr(
    face: JnrModel,
    start: Float[Tensor, " params"],
    goal: Float[np.ndarray, "verts 3"],
    rest: Float[np.ndarray, "verts 3"],
    certain: Bool[np.ndarray, " verts"],
    matcher: Matcher,
    barriers: tuple[OneSidedTerm, ...] = (),
    settings: JnrSettings = JnrSettings(),
) -> tuple[PosedModel, Float[Tensor, " params"], tuple[StageReport, ...]]:
    """From the pose in `start`: the goal surface vertex by vertex, then the scan itself.

    `rest` is the template with its lids as far shut, against which triangles may be turned over;
    `certain` marks skin that the scan shows; the rest counts a tenth. `barriers` keep lips, lids
    and eyeballs apart.
    """
    model = PosedModel.build(face)
    weights = np.where(certain, 1.0, 0.1)
    x, reports = fit_known(model, start, goal, weights, settings, barriers)
    free = _moving(model)
    rule = MatchRule(6 * _MM, 0.6, 0.5 * _MM, GemanMcClure(8.0), slide=0.01, reverse=0.3)
    hold = VertexTargetTerm(goal, weights, 2 * settings.goal_sigma)
    prior = _priors(model, settings.scan_prior, settings.code_prior)
    stage = Stage("scan", settings.scan_steps, free, rule, 3 * _MM, prior)
    x, done = run_stage(model, matcher, stage, x, barriers=barriers, extra=(hold,))
    final = replace(rule, trim=3 * _MM)
    last = replace(stage, name="mend", steps=1, rule=final, damping=_MEND_DAMPING)
    folds = Folds(matcher.searched, goal, rest)
    x, mended = _mend(model, matcher, last, x, folds, (hold,), barriers, settings.mend_steps)
    return model, x, (*reports, done, *mended)


@dataclass(frozen=True)
class Folds:
    """What is folded of a skin, and the terms that lay it open."""

    faces: Int[np.ndarray, "faces 3"]
    """Outer skin."""
    calm: Float[np.ndarray, "verts 3"]
    """A surface without folds."""
    rest: Float[np.ndarray, "verts 3"]

    def barriers(self, skin: Float[np.ndarray, "verts 3"]) -> tuple[int, tuple[GapTerm, ...]]:
        """Number of crossing pairs and turned triangles, and their terms."""
        pairs = self_intersections(skin, self.faces)
        turned = self.faces[flipped_faces(self.rest, skin, self.faces)]
        terms = part_triangles(self.calm, self.faces, pairs), open_triangles(self.calm, turned)
        return len(pairs) + len(turned), tuple(term for term in terms if term is not None)


def _mend(
    model: PosedModel,
    matcher: Matcher,
    stage: Stage,
    x: Float[Tensor, " params"],
    folds: Folds,
    extra: tuple[VertexTerm, ...],
    barriers: tuple[OneSidedTerm, ...],
    rounds: int,
) -> tuple[Float[Tensor, " params"], tuple[StageReport, ...]]:
    """The last of the states with the fewest folds, after `rounds` steps.

    What was folded once is kept open ever after.
    """
    best, reports = x, []
    fewest, found = folds.barriers(_skin(model, x))
    for _ in range(rounds):
        barriers = (*barriers, *found)
        x, done = run_stage(model, matcher, stage, x, barriers=barriers, extra=extra)
        reports.append(done)
        count, found = folds.barriers(_skin(model, x))
        if count <= fewest:
            best, fewest = x, count
    return best, tuple(reports)


def _skin(model: PosedModel, x: Float[Tensor, " params"]) -> Float[np.ndarray, "verts 3"]:
    with torch.no_grad():
        return model.vertices(x).numpy()


def _moving(model: PosedModel) -> tuple[str, ...]:
    """Everything but the root, which would do what the pose does."""
    return tuple(n for n in model.table.slices if not n.startswith("Root."))


def _priors(model: PosedModel, joints: float, code: float) -> dict[str, float]:
    """By block; the pose is held by nothing but the data."""
    names = (n for n in _moving(model) if n not in POSE)
    return {name: code if name == CODE else joints for name in names}
