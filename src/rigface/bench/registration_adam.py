"""Adam against Levenberg-Marquardt on one and the same problem: the last stage of the recipe.

Both start where the bones have been brought to the free-form surface, with the same variables
free. In each step Adam gets the terms of that stage anew: the pairs by the rule that the recipe
ends with, the prior, the stiffness, the lip contact. Its unknowns are whitened by the sigmas of
the parameter table. What came before the stage is charged to both.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from rigface.bench.registration_setup import Prepared, skin_of
from rigface.fit.registration import lip_gap
from rigface.fit.stages import Wavelengths, box_for, prior_for
from rigface.models.posed import PosedModel
from rigface.solve.adam import Adam, adam
from rigface.terms.energy import Energy
from rigface.terms.smoothness import DeformationEnergy

RATES = (0.3, 0.1, 0.03, 0.01, 0.003)
"""In sigmas of the parameter table per step."""
CAP = 5000
_LOOK = 10
"""Steps between two looks at the error; looking is not charged."""


class _Stop(Exception):
    """Ends a descent from within its refresh."""


@dataclass(frozen=True)
class Descent:
    """One rate: when it got to the wanted mean, or that it did not."""

    rate: float
    reached: bool
    seconds: float
    """Of the steps alone."""
    steps: int
    best_mean: float
    """Millimetres, the lowest seen."""

    @property
    def ms_per_step(self) -> float:
        return 1000 * self.seconds / max(self.steps, 1)


@dataclass(frozen=True)
class AdamReference:
    """All rates beside the recipe's own last stage."""

    descents: tuple[Descent, ...]
    wanted_mean: float
    """Millimetres over the skin: what the recipe reaches."""
    start_mean: float
    before: float
    """Seconds of everything before the stage, charged to both."""
    ours: float
    """Seconds of the recipe's last stage."""
    our_steps: int

    @property
    def best(self) -> Descent:
        """The first to arrive; if none does, the one that ran longest."""
        arrived = [one for one in self.descents if one.reached]
        if arrived:
            return min(arrived, key=lambda one: one.seconds)
        return max(self.descents, key=lambda one: one.seconds)

    @property
    def ratio(self) -> float:
        """Whole fit with Adam over whole fit with ours; a lower bound if none arrives."""
        return (self.before + self.best.seconds) / (self.before + self.ours)

    @property
    def stage_ratio(self) -> float:
        """The last stage alone."""
        return self.best.seconds / self.ours


@dataclass
class _Watch:
    """Renews the terms before each step, and looks at the error now and then."""

    prepared: Prepared
    model: PosedModel
    build: Callable[[Tensor], Energy]
    wanted: float
    limit: float
    spent: float = 0.0
    steps: int = 0
    best: float = float("inf")
    reached: bool = False
    energy: Energy | None = None
    _began: float = field(default_factory=time.perf_counter)

    def refresh(self, step: int, x: Tensor) -> None:
        """Called by `adam` before each step."""
        self.spent += time.perf_counter() - self._began
        self.steps = step
        if step and step % _LOOK == 0:
            with torch.no_grad():
                skin = self.model.vertices(x).numpy()
            mean = self.prepared.skin_errors(skin).mean
            self.best = min(self.best, mean)
            self.reached = mean <= self.wanted
            if self.reached or self.spent > self.limit or not mean < 10:
                raise _Stop
        self._began = time.perf_counter()
        self.energy = self.build(x)

    def value_and_gradient(self, x: Tensor) -> tuple[float, Tensor]:
        """Of the terms that the last refresh made."""
        assert self.energy is not None
        return self.energy.value_and_gradient(x)


def adam_reference(
    prepared: Prepared, seconds_per_rate: float = float("inf"), rates: tuple[float, ...] = RATES
) -> AdamReference:
    """Run the recipe's last stage, then Adam with each rate until it is as close.

    A rate may not take longer than the best one before it, nor than `seconds_per_rate`.
    """
    settings = prepared.config.registration
    began = time.perf_counter()
    first = prepared.bones(replace(settings, fine_steps=0))
    before = prepared.seconds + time.perf_counter() - began
    ours = prepared.bones(settings)
    stage = ours.reports[-1]
    wanted = prepared.skin_errors(skin_of(ours)).mean
    start_mean = prepared.skin_errors(skin_of(first)).mean
    build = _energy_builder(prepared, ours.model)
    scale = ours.model.table.column("sigma")
    free = (*settings.free, *(("expression",) if "expression" in ours.model.table else ()))
    scale = torch.where(box_for(ours.model, free).free, scale, torch.zeros_like(scale))
    limit, descents = seconds_per_rate, []
    for rate in rates:
        watch = _Watch(prepared, ours.model, build, wanted, limit)
        try:
            adam(watch, first.x, scale, Adam(rate=rate, max_steps=CAP), watch.refresh)
        except _Stop:
            pass
        descents.append(Descent(rate, watch.reached, watch.spent, watch.steps, watch.best))
        if watch.reached:
            limit = min(limit, watch.spent)
    return AdamReference(tuple(descents), wanted, start_mean, before, stage.seconds, stage.steps)


def _energy_builder(prepared: Prepared, model: PosedModel) -> Callable[[Tensor], Energy]:
    settings, matcher = prepared.config.registration, prepared.matcher
    rule = matcher.last_rule
    assert rule is not None, "the recipe has to run first"
    soft = Wavelengths(settings.fine_normal, settings.fine_tangent, settings.fine_membrane)
    deformation = DeformationEnergy(prepared.goal, matcher.faces, prepared.local)
    smooth = deformation.term(soft.stiffness(rule.sigma))
    gap, prior = lip_gap(prepared.template), prior_for(model, settings.prior)

    def build(x: Tensor) -> Energy:
        with torch.no_grad():
            vertices = model.vertices(x).numpy()
        terms = matcher.match(vertices, rule).terms(vertices, rule)
        return Energy(model, [*terms, gap, smooth], [prior])

    return build
