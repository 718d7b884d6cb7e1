"""Adam against Levenberg-Marquardt on one and the same problem: the last stage of the recipe.

Both start where the bones have been brought to the free-form surface, with the same variables
free. In each step Adam gets the terms of that stage anew: the pairs by the rule that the recipe
ends with, the prior, the stiffness, the lip contact. Its unknowns are whitened by the sigmas of
the parameter table. What came before the stage is charged to both.
"""

import time
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from rigface.bench.registration_setup import Prepared, RecordingMatcher, skin_of
from rigface.fit.matching import MatchRule
from rigface.fit.stages import Wavelengths, box_for, prior_for
from rigface.models.posed import PosedModel
from rigface.solve.adam import Adam, adam
from rigface.terms.prior import ParameterPrior
from rigface.terms.smoothness import DeformationEnergy
from rigface.terms.term import OneSidedTerm, VertexTerm

RATES = (0.03, 0.01, 0.1, 0.003, 0.3)
"""In sigmas of the parameter table per step; the likeliest first: no other may take longer."""
CAP = 5000
_LOOK = 10
"""Steps between two looks at the error; looking is not charged."""
_LOST = 10.0
"""Millimetres: a descent that got here is over."""


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
    """The stage as Adam sees it; looks at the error now and then, off the clock."""

    prepared: Prepared
    model: PosedModel
    energy: "_RenewedEnergy"
    wanted: float
    limit: float
    spent: float = 0.0
    steps: int = 0
    best: float = float("inf")
    reached: bool = False
    _began: float = field(default_factory=time.perf_counter)

    def look(self, step: int, x: Tensor) -> None:
        """Called by `adam` before each step."""
        self.spent += time.perf_counter() - self._began
        self.steps = step
        if step and step % _LOOK == 0:
            with torch.no_grad():
                skin = self.model.vertices(x).numpy()
            mean = self.prepared.skin_errors(skin).mean
            self.best = min(self.best, mean)
            self.reached = mean <= self.wanted
            if self.reached or not mean < _LOST:
                raise _Stop
        if self.spent > self.limit:
            raise _Stop
        self._began = time.perf_counter()


@dataclass
class _RenewedEnergy:
    """Pairs are searched anew at every x, with the one forward pass that the gradient needs."""

    model: PosedModel
    matcher: RecordingMatcher
    rule: MatchRule
    fixed: tuple[VertexTerm | OneSidedTerm, ...]
    prior: ParameterPrior

    def value_and_gradient(self, x: Tensor) -> tuple[float, Tensor]:
        """Of the terms at the pairs of this very x."""
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            moved = self.model.vertices(leaf)
            vertices = moved.detach().numpy()
            pairs = self.matcher.match(vertices, self.rule).terms(vertices, self.rule)
            terms = [*pairs, *self.fixed]
            pull = np.sum([term.gradient(vertices) for term in terms], axis=0)
            moved.backward(torch.from_numpy(pull))
        assert leaf.grad is not None
        values = x.numpy()
        gradient = leaf.grad + torch.from_numpy(self.prior.gradient(values))
        energy = sum(term.energy(vertices) for term in terms) + self.prior.energy(values)
        return energy, gradient


def adam_reference(
    prepared: Prepared, seconds_per_rate: float = float("inf"), rates: tuple[float, ...] = RATES
) -> AdamReference:
    """Run the recipe's last stage, then Adam with each rate until it is as close.

    A rate may not take longer than the best one before it, nor than `seconds_per_rate`.
    """
    settings = prepared.config.registration
    began = time.perf_counter()
    first = prepared.bones(replace(settings, fine_steps=0, repair_rounds=0))
    before = prepared.seconds + time.perf_counter() - began
    ours = prepared.bones(settings)
    seconds = sum(report.seconds for report in ours.reports)
    steps = sum(report.steps for report in ours.reports)
    wanted = prepared.skin_errors(skin_of(ours)).mean
    start_mean = prepared.skin_errors(skin_of(first)).mean
    energy = _stage_energy(prepared, ours.model)
    energy.value_and_gradient(first.x)  # what torch loads on its first gradient is not charged
    scale = ours.model.table.column("sigma")
    free = (*settings.free, *(("expression",) if "expression" in ours.model.table else ()))
    scale = torch.where(box_for(ours.model, free).free, scale, torch.zeros_like(scale))
    limit, descents = seconds_per_rate, []
    for rate in rates:
        watch = _Watch(prepared, ours.model, energy, wanted, limit)
        try:
            adam(energy, first.x, scale, Adam(rate=rate, max_steps=CAP), watch.look)
        except _Stop:
            pass
        descents.append(Descent(rate, watch.reached, watch.spent, watch.steps, watch.best))
        if watch.reached:
            limit = min(limit, watch.spent)
    return AdamReference(tuple(descents), wanted, start_mean, before, seconds, steps)


def _stage_energy(prepared: Prepared, model: PosedModel) -> _RenewedEnergy:
    settings, matcher = prepared.config.registration, prepared.matcher
    rule = matcher.last_rule
    assert rule is not None, "the recipe has to run first"
    soft = Wavelengths(settings.fine_normal, settings.fine_tangent, settings.fine_membrane)
    goal = prepared.goal
    deformation = DeformationEnergy(goal.surface, matcher.faces, goal.local)
    fixed = (*goal.barriers, deformation.term(soft.stiffness(rule.sigma)))
    return _RenewedEnergy(model, matcher, rule, fixed, prior_for(model, settings.prior))
