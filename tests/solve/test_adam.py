"""Adam: torch's own steps, minima, fixed entries, refresh and bad starts."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from rigface.solve.adam import Adam, adam
from rigface.solve.problem import GradientProblem
from rigface.solve.result import Result


@dataclass(frozen=True)
class Bowl:
    """E = 1/2 sum c (x - goal)^2."""

    curvature: Tensor
    goal: Tensor

    def value_and_gradient(self, x: Tensor) -> tuple[float, Tensor]:
        gap = x - self.goal
        return 0.5 * float((self.curvature * gap * gap).sum()), self.curvature * gap


BOWL = Bowl(
    torch.tensor([1.0, 10.0, 0.3], dtype=torch.float64),
    torch.tensor([0.5, -0.2, 0.1], dtype=torch.float64),
)
ONE = torch.ones(3, dtype=torch.float64)
ZERO = torch.zeros(3, dtype=torch.float64)


def test_it_reaches_the_minimum_of_a_quadratic():
    assert isinstance(BOWL, GradientProblem)
    found = adam(BOWL, ZERO, ONE, Adam(rate=1e-2, max_steps=2000))
    torch.testing.assert_close(found.value, BOWL.goal, atol=1e-4, rtol=0)
    assert found.energies[-1] < 1e-6 * found.energies[0]


def test_its_steps_are_torch_s():
    leaf = ZERO.clone().requires_grad_()
    reference = torch.optim.Adam([leaf], lr=1e-2)
    for _ in range(25):
        reference.zero_grad()
        leaf.grad = BOWL.value_and_gradient(leaf.detach())[1]
        reference.step()
    found = adam(BOWL, ZERO, ONE, Adam(rate=1e-2, max_steps=25))
    torch.testing.assert_close(found.value, leaf.detach(), atol=1e-12, rtol=0)
    assert found.result is Result.MAX_STEPS and len(found.energies) == 25


def test_scale_is_the_unit_of_a_step_and_zero_fixes():
    scale = torch.tensor([1.0, 0.01, 0.0], dtype=torch.float64)
    found = adam(BOWL, ZERO, scale, Adam(rate=1e-3, max_steps=1))
    expected = torch.tensor([1e-3, -1e-5, 0.0], dtype=torch.float64)
    torch.testing.assert_close(found.value, expected, rtol=1e-4, atol=0)


def test_refresh_sees_each_step_first():
    seen: list[tuple[int, float]] = []
    adam(BOWL, ZERO, ONE, Adam(max_steps=3), lambda step, x: seen.append((step, float(x[0]))))
    assert [step for step, _ in seen] == [0, 1, 2]
    assert seen[0][1] == 0.0 and seen[1][1] == pytest.approx(1e-3, rel=1e-4)


def test_a_start_that_is_not_finite_is_said():
    bad = Bowl(ONE, torch.full_like(ONE, float("nan")))
    found = adam(bad, ZERO, ONE)
    assert found.result is Result.NON_FINITE
    assert torch.equal(found.value, ZERO)
