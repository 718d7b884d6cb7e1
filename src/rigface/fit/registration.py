"""The default way from an aligned scan to a fitted ASM: pose, shape space, bones, everything.

The embedded population (identity modes of the template) finds size, proportions and a first
correspondence; ASM then takes over that shape exactly where it can, and leaves it only as far as
the scan asks, ever less stiffly: freely along the normal, reluctantly along the surface.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rigface.fit.matching import Matcher, MatchRule
from rigface.fit.stages import Stage, StageReport, Wavelengths, box_for, prior_for, run_stage
from rigface.models.face_model import FaceModel
from rigface.models.linear import LinearModel
from rigface.models.posed import POSE, PosedModel
from rigface.solve.levenberg_marquardt import LevenbergMarquardt, levenberg_marquardt
from rigface.terms.energy import Energy
from rigface.terms.robust import GemanMcClure
from rigface.terms.smoothness import DeformationEnergy
from rigface.terms.vertex_targets import VertexTargetTerm

MM = 1e-3
POSE_NAMES = tuple(POSE.slices)
TAU = ("rotation", "translation", "log_scale")
BINDING = ("zeta",)
MIXTURE = ("log_pi", "mu", "chol")


@dataclass(frozen=True)
class RegistrationSettings:
    """One set of numbers for every scan; lengths in metres."""

    free: tuple[str, ...] = TAU + BINDING + MIXTURE
    """ASM parameters that the last stage may use (the ablation fixes some)."""
    fine_steps: int = 14
    fine_normal: float = 0.005
    """Shortest wave of the final deformation along the normal."""
    fine_tangent: float = 0.035
    """The same along the surface."""
    fine_membrane: float = 0.02
    prior: float = 0.1
    """Eq. 12 in units of 1 / sigma^2 of the parameter table."""


@dataclass(frozen=True)
class Registration:
    """A fitted model and how it came about."""

    model: PosedModel
    x: Float[Tensor, " params"]
    reports: tuple[StageReport, ...]

    @property
    def vertices(self) -> Float[np.ndarray, "verts 3"]:
        """Skin in the fit frame."""
        with torch.no_grad():
            return self.model.vertices(self.x).numpy()


Report = Callable[[float, str], None]


def fit_shape(
    shape: LinearModel, matcher: Matcher, expression: bool, report: Report
) -> Registration:
    """Similarity, then the identity modes, from the aligned scan (known to a few centimetres)."""
    model = PosedModel.build(shape)
    x = model.table.zeros()
    robust = GemanMcClure(4.0)
    pose = MatchRule(20 * MM, 0.5, 2 * MM, robust, slide=0.1, reverse=0.0)
    free = POSE_NAMES + ("identity",) + (("expression",) if expression else ())
    modes = MatchRule(14 * MM, 0.5, 1 * MM, robust, slide=0.05, reverse=0.3)
    stages = (
        Stage("pose", 8, POSE_NAMES, pose, 12 * MM),
        Stage("shape", 14, free, modes, 6 * MM, {"identity": 30.0, "expression": 30.0}),
    )
    return _run(model, matcher, stages, x, None, report)


def take_over(
    model: PosedModel, target: Registration, matcher: Matcher, settings: RegistrationSettings
) -> Float[Tensor, " params"]:
    """ASM parameters that reproduce a fitted shape vertex by vertex (known correspondences)."""
    x = model.table.zeros()
    x[: POSE.size] = target.x[: POSE.size]
    weights = np.where(np.isin(np.arange(len(matcher.rim)), matcher.looking), 1.0, 0.1)
    term = VertexTargetTerm(target.vertices, weights, 0.5 * MM)
    prior = prior_for(model, {name: 0.3 for name in settings.free})
    problem = Energy(model, [term], [prior])
    free = tuple(name for name in settings.free if name in TAU)
    solver = LevenbergMarquardt(max_steps=5, tolerance=2e-3)
    return levenberg_marquardt(problem, x, box_for(model, free), solver).value


def fit_bones(
    model: PosedModel,
    matcher: Matcher,
    start: Float[Tensor, " params"],
    reference: Float[np.ndarray, "verts 3"],
    settings: RegistrationSettings,
    report: Report,
) -> Registration:
    """All of ASM, from stiff to soft, relative to a reference shape."""
    deformation = DeformationEnergy(reference, matcher.faces)
    prior = {name: settings.prior for name in model.inner.table.slices}
    tau = tuple(name for name in settings.free if name in TAU)
    coarse = MatchRule(6 * MM, 0.6, 0.5 * MM, GemanMcClure(8.0), slide=0.03, reverse=0.3)
    fine = MatchRule(4 * MM, 0.6, 0.5 * MM, GemanMcClure(8.0), slide=0.01, reverse=0.3)
    soft = Wavelengths(settings.fine_normal, settings.fine_tangent, settings.fine_membrane)
    medium = Wavelengths(0.02, 0.08, 0.05)
    stages = (
        Stage("bones", 4, tau, coarse, 4 * MM, prior, Wavelengths(0.05, 0.12, 0.1), medium),
        Stage("fine", settings.fine_steps, settings.free, fine, 2.5 * MM, prior, medium, soft),
    )
    return _run(model, matcher, stages, start, deformation, report)


def register(
    asm: FaceModel,
    shape: LinearModel,
    matcher: Matcher,
    settings: RegistrationSettings = RegistrationSettings(),
    report: Report = lambda fraction, text: None,
) -> Registration:
    """The default recipe."""
    first = fit_shape(shape, matcher, "expression" in settings.free, report)
    model = PosedModel.build(asm)
    start = take_over(model, first, matcher, settings)
    last = fit_bones(model, matcher, start, first.vertices, settings, report)
    return Registration(model, last.x, first.reports + last.reports)


def _run(
    model: PosedModel,
    matcher: Matcher,
    stages: tuple[Stage, ...],
    x: Tensor,
    deformation: DeformationEnergy | None,
    report: Report,
) -> Registration:
    reports = []
    for stage in stages:
        x, done = run_stage(model, matcher, stage, x, deformation, progress=report)
        reports.append(done)
    return Registration(model, x, tuple(reports))
