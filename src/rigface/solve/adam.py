"""Adam (Kingma and Ba, 2015) on whitened parameters: the first-order reference."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rigface.solve.problem import GradientProblem
from rigface.solve.result import Result, Solution


@dataclass(frozen=True)
class Adam:
    """Rate and length of the descent; one unit of a parameter is its scale."""

    rate: float = 1e-3
    max_steps: int = 300
    beta1: float = 0.9
    beta2: float = 0.999


def adam(
    problem: GradientProblem,
    start: Float[Tensor, " params"],
    scale: Float[Tensor, " params"],
    solver: Adam = Adam(),
    refresh: Callable[[int, Tensor], None] | None = None,
) -> Solution:
    """Minimise from `start`; `refresh(step, x)` may renew correspondences before each step.

    Parameters are x = start + scale * y with y = 0 at the start; a zero scale fixes an entry.
    """
    y = torch.zeros_like(start)
    first, second = torch.zeros_like(start), torch.zeros_like(start)
    energies, seconds = [], []
    for step in range(1, solver.max_steps + 1):
        began = time.perf_counter()
        x = start + scale * y
        if refresh is not None:
            refresh(step - 1, x)
        energy, gradient = problem.value_and_gradient(x)
        if not math.isfinite(energy):
            return Solution(x, Result.NON_FINITE, tuple(energies), seconds=tuple(seconds))
        energies.append(energy)
        g = gradient * scale
        first = solver.beta1 * first + (1 - solver.beta1) * g
        second = solver.beta2 * second + (1 - solver.beta2) * g * g
        hat_first = first / (1 - solver.beta1**step)
        hat_second = second / (1 - solver.beta2**step)
        y = y - solver.rate * hat_first / (hat_second.sqrt() + 1e-8)
        seconds.append(time.perf_counter() - began)
    return Solution(start + scale * y, Result.MAX_STEPS, tuple(energies), seconds=tuple(seconds))
