"""Levenberg-Marquardt with bounds, a damping floor per parameter and an honest ending."""

import math
import time
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rigface.solve.problem import Problem, Quadratic
from rigface.solve.result import Result, Solution
from rigface.solve.threads import as_before

_HINGE_ROUNDS = 12


@dataclass(frozen=True)
class LevenbergMarquardt:
    """Step rule (damped Gauss-Newton), damping rule (Nielsen 1999) and stop rule."""

    max_steps: int = 20
    """Accepted steps."""
    max_rejects: int = 4
    """Rejected trials in a row after which the state counts as an optimum."""
    tolerance: float = 1e-4
    """Relative change of the energy that counts as converged."""
    damping: float = 1e-3
    """Initial damping, relative to the curvature of each parameter."""


@dataclass(frozen=True)
class Box:
    """What each parameter may do. All shapes (params,)."""

    floor: Float[Tensor, " params"]
    """Smallest curvature that damping assumes: 1 / sigma^2 of the parameter table."""
    lower: Float[Tensor, " params"]
    upper: Float[Tensor, " params"]
    max_step: Float[Tensor, " params"]
    free: Bool[Tensor, " params"]


def levenberg_marquardt(
    problem: Problem,
    start: Float[Tensor, " params"],
    box: Box,
    solver: LevenbergMarquardt = LevenbergMarquardt(),
) -> Solution:
    """Minimise `problem` from `start`; the result says why it ended and never raises for it."""
    trace = _Trace(solver.damping)
    x = start.clamp(box.lower, box.upper)
    model = problem.quadratic(x, box.free)
    if not math.isfinite(model.energy) or not torch.isfinite(model.gradient).all():
        return trace.solution(x, Result.NON_FINITE)
    trace.energies.append(model.energy)
    rejects = 0
    while len(trace.energies) <= solver.max_steps:
        began = time.perf_counter()
        with as_before():
            step = _step(model, x, box, trace.damping)
        if step is None:
            if trace.damping > 1e6:
                return trace.solution(x, Result.SINGULAR)
            trace.reject()
            continue
        trial = (x + step).clamp(box.lower, box.upper)
        moved = trial - x
        energy = problem.energy(trial)
        expected = model.decrease(moved)
        gain = model.energy - energy
        trace.seconds.append(time.perf_counter() - began)
        if not math.isfinite(energy) or gain <= 0 or expected <= 0:
            trace.reject()
            rejects += 1
            if rejects >= solver.max_rejects:
                return trace.solution(x, Result.STALLED)
            continue
        rejects = 0
        trace.accept(gain / expected, energy)
        x = trial
        if gain < solver.tolerance * model.energy:
            return trace.solution(x, Result.CONVERGED)
        if len(trace.energies) <= solver.max_steps:
            model = problem.quadratic(x, box.free)
    return trace.solution(x, Result.MAX_STEPS)


@dataclass
class _Trace:
    damping: float
    growth: float = 2.0
    rejected: int = 0
    energies: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def accept(self, ratio: float, energy: float) -> None:
        self.damping = max(self.damping * max(1 / 3, 1 - (2 * ratio - 1) ** 3), 1e-9)
        self.growth = 2.0
        self.energies.append(energy)

    def reject(self) -> None:
        self.damping *= self.growth
        self.growth *= 2
        self.rejected += 1

    def solution(self, x: Tensor, result: Result) -> Solution:
        return Solution(
            x, result, tuple(self.energies), self.damping, self.rejected, tuple(self.seconds)
        )


def _step(model: Quadratic, x: Tensor, box: Box, damping: float) -> Float[Tensor, " params"] | None:
    """Minimise the damped model over the free, unblocked parameters; None if not factorable."""
    gradient = model.gradient
    blocked = ((x <= box.lower) & (gradient > 0)) | ((x >= box.upper) & (gradient < 0))
    active = torch.nonzero(box.free & ~blocked)[:, 0]
    if len(active) == 0:
        return torch.zeros_like(x)
    whole = len(active) == len(x)
    h = model.hessian.clone() if whole else model.hessian[active][:, active]
    diagonal = h.diagonal()
    diagonal += damping * torch.maximum(diagonal, box.floor[active])
    factor, info = torch.linalg.cholesky_ex(h)
    if int(info) != 0:
        return None
    if model.hinges is None:
        solved = torch.cholesky_solve(-gradient[active][:, None], factor)[:, 0]
    else:
        smooth = (gradient - model.hinges.pull())[active]
        solved = _with_hinges(factor, smooth, model.hinges.lack, model.hinges.rows[:, active])
    step = torch.zeros_like(x)
    step[active] = solved
    return step.clamp(-box.max_step, box.max_step)


def _with_hinges(factor: Tensor, gradient: Tensor, lack: Tensor, rows: Tensor) -> Tensor:
    """argmin g d + d H d / 2 + sum max(0, lack + rows d)^2 / 2 with H = factor factor^T.

    An active-set iteration; each of its solves is as small as the number of hinges (Woodbury).
    """
    right = torch.cat([-gradient[:, None], rows.T], dim=1)
    half = torch.linalg.solve_triangular(factor, right, upper=False)
    free, spread = half[:, 0], half[:, 1:]
    coupling = spread.T @ spread
    ahead = lack + free @ spread
    active = lack > 0
    forces = torch.zeros_like(lack)
    for _ in range(_HINGE_ROUNDS):
        on = torch.nonzero(active)[:, 0]
        system = coupling[on][:, on] + torch.eye(len(on), dtype=lack.dtype)
        forces = torch.zeros_like(lack)
        forces[on] = torch.linalg.solve(system, ahead[on])
        left = ahead - coupling @ forces
        renewed = torch.where(active, forces > 0, left > 0)
        if bool((renewed == active).all()):
            break
        active = renewed
    left = (free - spread @ forces)[:, None]
    return torch.linalg.solve_triangular(factor.T, left, upper=True)[:, 0]
