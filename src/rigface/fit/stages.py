"""A recipe is a list of stages; each says what is free, what pulls, how stiff, and how long."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rigface.fit.matching import Matcher, MatchRule
from rigface.models.face_model import FaceModel
from rigface.solve.levenberg_marquardt import Box, LevenbergMarquardt, levenberg_marquardt
from rigface.solve.result import Result, Solution
from rigface.terms.energy import Energy
from rigface.terms.prior import ParameterPrior
from rigface.terms.smoothness import DeformationEnergy, Stiffness
from rigface.terms.term import OneSidedTerm, VertexTerm

Report = Callable[[float, str], None]
"""Called with the share that is done and the name of the stage."""


@dataclass(frozen=True)
class Stage:
    """Some outer steps (renew the pairs, then step) with settings that glide from start to end."""

    name: str
    steps: int
    free: tuple[str, ...]
    """Parameter names; the others keep their values."""
    rule: MatchRule
    """Matching rule of the first step."""
    final_trim: float | None = None
    """Trim distance (metres) that the last step reaches, geometrically; None keeps it."""
    prior: dict[str, float] | None = None
    """Weight of each named parameter's pull to its initial value, in units of 1 / sigma^2."""
    stiff_start: "Wavelengths | None" = None
    stiff_end: "Wavelengths | None" = None
    damping: float = 1e-3
    """Levenberg-Marquardt damping of the first step."""
    inner_steps: int = 1
    """Levenberg-Marquardt steps on each set of pairs."""


@dataclass(frozen=True)
class Wavelengths:
    """Deformation with waves shorter than these (metres) is suppressed, by direction."""

    normal: float
    tangent: float
    membrane: float = 0.0
    """Wavelength of the tangential membrane; 0 leaves it out."""

    def stiffness(self, sigma: float) -> Stiffness:
        """Data of 1/2 (r / sigma)^2 per mm^2 and bending balance at b = (l / 2 pi)^4 / sigma^2."""
        unit = 1 / (sigma**2 * 1e-6)
        return Stiffness(
            bend_normal=unit * (self.normal / (2 * np.pi)) ** 4,
            bend_tangent=unit * (self.tangent / (2 * np.pi)) ** 4,
            stretch_tangent=unit * (self.membrane / (2 * np.pi)) ** 2,
        )

    def blend(self, other: "Wavelengths", share: float) -> "Wavelengths":
        """Geometric interpolation, component by component."""

        def mix(a: float, b: float) -> float:
            return a * (b / a) ** share if a > 0 and b > 0 else (1 - share) * a + share * b

        return Wavelengths(
            mix(self.normal, other.normal),
            mix(self.tangent, other.tangent),
            mix(self.membrane, other.membrane),
        )


@dataclass(frozen=True)
class StageReport:
    """What a stage did."""

    name: str
    seconds: float
    steps: int
    energy: float
    matched: float
    """Share of scan samples with a partner at the end."""
    result: Result

    @staticmethod
    def of(name: str, steps: int, solved: Solution) -> "StageReport":
        """Of a solution with known correspondences, all of which match."""
        energy = solved.energies[-1] if solved.energies else float("nan")
        return StageReport(name, sum(solved.seconds), steps, energy, 1.0, solved.result)


def box_for(model: FaceModel, free: tuple[str, ...]) -> Box:
    """Solver limits from the parameter table."""
    table = model.table
    return Box(
        floor=1 / table.column("sigma") ** 2,
        lower=table.column("lower"),
        upper=table.column("upper"),
        max_step=table.column("max_step"),
        free=table.mask(free),
    )


def prior_for(
    model: FaceModel, weights: dict[str, float], mean: Float[Tensor, " params"] | None = None
) -> ParameterPrior:
    """Eq. 12 on the whitened parameters: weight / sigma^2 for each named block."""
    table = model.table
    weight = torch.zeros(table.size, dtype=torch.float64)
    for name, value in weights.items():
        if name in table:
            weight[table.slices[name]] = value / table[name].sigma ** 2
    centre = torch.zeros_like(weight) if mean is None else mean
    return ParameterPrior(weight.numpy(), centre.numpy())


def run_stage(
    model: FaceModel,
    matcher: Matcher,
    stage: Stage,
    x: Float[Tensor, " params"],
    deformation: DeformationEnergy | None = None,
    barriers: tuple[OneSidedTerm, ...] = (),
    extra: tuple[VertexTerm, ...] = (),
    progress: Report = lambda fraction, text: None,
    within: Bool[Tensor, " params"] | None = None,
) -> tuple[Float[Tensor, " params"], StageReport]:
    """One stage from `x`; `deformation` holds the shape that smoothness refers to.

    `within` restricts what the stage frees further.
    """
    began = time.perf_counter()
    box = box_for(model, stage.free)
    if within is not None:
        box = replace(box, free=box.free & within)
    terms_of_parameters = [prior_for(model, stage.prior)] if stage.prior else []
    damping, energy, matched, result = stage.damping, float("nan"), 0.0, Result.MAX_STEPS
    for step in range(stage.steps):
        share = step / max(stage.steps - 1, 1)
        rule = stage.rule
        if stage.final_trim is not None:
            rule = replace(rule, trim=rule.trim * (stage.final_trim / rule.trim) ** share)
        with torch.no_grad():
            vertices = model.vertices(x).numpy()
        matches = matcher.match(vertices, rule)
        matched = float(matches.good.mean())
        terms: list[VertexTerm] = [*matches.terms(vertices, rule), *extra]
        if stage.stiff_start is not None and deformation is not None:
            wave = stage.stiff_start.blend(stage.stiff_end or stage.stiff_start, share)
            terms.append(deformation.term(wave.stiffness(rule.sigma)))
        solver = LevenbergMarquardt(max_steps=stage.inner_steps, damping=damping)
        problem = Energy(model, terms, terms_of_parameters, barriers)
        solution = levenberg_marquardt(problem, x, box, solver)
        x, result = solution.value, solution.result
        damping = float(np.clip(solution.damping, 1e-6, 1e2))
        energy = solution.energies[-1] if solution.energies else float("nan")
        progress((step + 1) / stage.steps, stage.name)
        if not result.ok:
            break
    return x, StageReport(
        stage.name, time.perf_counter() - began, stage.steps, energy, matched, result
    )
