"""Levenberg-Marquardt: minima, limits, and every way in which it ends."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from torch import Tensor

from rigface.solve.levenberg_marquardt import Box, LevenbergMarquardt, levenberg_marquardt
from rigface.solve.problem import Problem, Quadratic
from rigface.solve.result import Result, Solution

PATIENT = LevenbergMarquardt(max_steps=500, tolerance=1e-14, max_rejects=30)


@dataclass(frozen=True)
class Residuals:
    """E = 1/2 |r(x)|^2 with its Jacobian by autograd."""

    residual: Callable[[Tensor], Tensor]

    def energy(self, x: Tensor) -> float:
        return 0.5 * float((self.residual(x) ** 2).sum())

    def quadratic(self, x: Tensor, free: Tensor | None = None) -> Quadratic:
        jacobian = torch.autograd.functional.jacobian(self.residual, x)
        assert isinstance(jacobian, Tensor)
        return Quadratic(self.energy(x), jacobian.T @ self.residual(x), jacobian.T @ jacobian)


def rosenbrock(x: Tensor) -> Tensor:
    """Minimum 0 at all ones."""
    return torch.cat([10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1]])


def box(size: int, **limits) -> Box:
    inf = torch.full((size,), float("inf"), dtype=torch.float64)
    values = {
        "floor": torch.full_like(inf, 1e-12),
        "lower": -inf,
        "upper": inf,
        "max_step": inf,
        "free": torch.ones(size, dtype=torch.bool),
    }
    return Box(**{**values, **limits})


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def linear(seed: int = 0, size: int = 6) -> tuple[Residuals, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(2 * size, size, generator=generator, dtype=torch.float64)
    right = torch.randn(2 * size, generator=generator, dtype=torch.float64)
    solution = torch.linalg.lstsq(matrix, right[:, None]).solution[:, 0]
    return Residuals(lambda x: matrix @ x - right), solution


def test_a_quadratic_is_solved_in_one_step():
    problem, expected = linear()
    assert isinstance(problem, Problem)
    solver = LevenbergMarquardt(max_steps=1, damping=1e-14)
    found = levenberg_marquardt(problem, torch.zeros(6).double(), box(6), solver)
    torch.testing.assert_close(found.value, expected, atol=1e-10, rtol=0)
    assert len(found.energies) == 2 and found.energies[1] < found.energies[0]


@pytest.mark.parametrize("size", [2, 5])
def test_rosenbrock_s_valley_is_followed_to_its_end(size):
    start = torch.full((size,), -1.2, dtype=torch.float64)
    found = levenberg_marquardt(Residuals(rosenbrock), start, box(size), PATIENT)
    reference = least_squares(lambda x: rosenbrock(torch.from_numpy(x)).numpy(), start.numpy())
    assert reference.success and found.result.ok
    assert problem_energy(found) <= reference.cost + 1e-12
    torch.testing.assert_close(found.value, torch.ones(size).double(), atol=1e-5, rtol=0)


def problem_energy(found: Solution) -> float:
    return Residuals(rosenbrock).energy(found.value)


def test_energies_never_rise_and_belong_to_the_value():
    found = levenberg_marquardt(Residuals(rosenbrock), tensor(-1.2, 1.0), box(2), PATIENT)
    assert (np.diff(found.energies) < 0).all()
    assert found.energies[-1] == pytest.approx(problem_energy(found))
    assert len(found.seconds) >= len(found.energies) - 1


def test_a_curve_fit_agrees_with_scipy():
    time = torch.linspace(0, 4, 40, dtype=torch.float64)
    data = 2.5 * torch.exp(-1.3 * time) + 0.5 + 0.02 * torch.sin(17 * time)

    def residual(x: Tensor) -> Tensor:
        return x[0] * torch.exp(-x[1] * time) + x[2] - data

    found = levenberg_marquardt(Residuals(residual), tensor(1.0, 0.5, 0.0), box(3), PATIENT)
    reference = least_squares(lambda x: residual(torch.from_numpy(x)).numpy(), [1.0, 0.5, 0.0])
    np.testing.assert_allclose(found.value.numpy(), reference.x, atol=1e-5)


def test_bounds_hold_and_the_bounded_optimum_is_scipy_s():
    lower, upper = tensor(-2.0, -2.0), tensor(0.5, 2.0)
    limits = box(2, lower=lower, upper=upper)
    found = levenberg_marquardt(Residuals(rosenbrock), tensor(-1.2, 1.0), limits, PATIENT)
    reference = least_squares(
        lambda x: rosenbrock(torch.from_numpy(x)).numpy(),
        [-1.2, 1.0],
        bounds=(lower.numpy(), upper.numpy()),
    )
    assert ((found.value >= lower) & (found.value <= upper)).all()
    np.testing.assert_allclose(found.value.numpy(), reference.x, atol=1e-4)


def test_a_start_outside_is_brought_inside():
    problem, _ = linear()
    limits = box(6, lower=torch.zeros(6).double(), upper=torch.ones(6).double())
    start = torch.full((6,), 9.0, dtype=torch.float64)
    found = levenberg_marquardt(problem, start, limits, PATIENT)
    assert ((found.value >= 0) & (found.value <= 1)).all()


def test_fixed_parameters_keep_their_values_to_the_bit():
    problem, _ = linear()
    free = torch.tensor([True, False, True, True, False, True])
    start = torch.linspace(0.1, 0.6, 6, dtype=torch.float64)
    found = levenberg_marquardt(problem, start, box(6, free=free), PATIENT)
    assert torch.equal(found.value[~free], start[~free])
    gradient = problem.quadratic(found.value).gradient
    assert float(gradient[free].abs().max()) < 1e-6
    assert float(gradient[~free].abs().max()) > 1e-3


def test_no_step_is_longer_than_the_table_allows():
    problem, _ = linear()
    limits = box(6, max_step=torch.full((6,), 1e-3, dtype=torch.float64))
    solver = LevenbergMarquardt(max_steps=1)
    found = levenberg_marquardt(problem, torch.zeros(6).double(), limits, solver)
    assert 0 < float(found.value.abs().max()) <= 1e-3


def test_step_limit_is_said():
    solver = LevenbergMarquardt(max_steps=2, tolerance=0.0)
    found = levenberg_marquardt(Residuals(rosenbrock), tensor(-1.2, 1.0), box(2), solver)
    assert found.result is Result.MAX_STEPS and found.result.ok
    assert len(found.energies) == 3


def test_convergence_is_said():
    problem, expected = linear()
    solver = LevenbergMarquardt(max_steps=50)
    found = levenberg_marquardt(problem, torch.zeros(6).double(), box(6), solver)
    assert found.result is Result.CONVERGED
    torch.testing.assert_close(found.value, expected, atol=1e-2, rtol=0)


def test_at_the_optimum_it_stalls_and_stays():
    problem, expected = linear()
    found = levenberg_marquardt(problem, expected, box(6), LevenbergMarquardt(max_steps=50))
    assert found.result in (Result.STALLED, Result.CONVERGED) and found.result.ok
    torch.testing.assert_close(found.value, expected, atol=1e-9, rtol=0)


def test_nothing_free_ends_at_the_start():
    problem, _ = linear()
    limits = box(6, free=torch.zeros(6, dtype=torch.bool))
    found = levenberg_marquardt(problem, torch.ones(6).double(), limits)
    assert found.result is Result.STALLED
    assert torch.equal(found.value, torch.ones(6).double())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_start_that_is_not_finite_is_said(bad):
    found = levenberg_marquardt(Residuals(lambda x: x * bad), tensor(1.0, 1.0), box(2))
    assert found.result is Result.NON_FINITE and not found.result.ok
    assert torch.equal(found.value, tensor(1.0, 1.0)) and found.energies == ()


def test_a_cliff_into_infinity_is_stepped_back_from():
    """log(x) is NaN for x < 0, where the first step would land."""
    found = levenberg_marquardt(
        Residuals(torch.log), tensor(20.0), box(1), LevenbergMarquardt(max_steps=60)
    )
    assert found.result.ok and found.value[0] > 0
    assert torch.isfinite(found.value).all()
    assert found.rejected > 0


def test_an_indefinite_matrix_is_damped_or_named():
    @dataclass(frozen=True)
    class Indefinite:
        def energy(self, x: Tensor) -> float:
            return float(x[0])

        def quadratic(self, x: Tensor, free: Tensor | None = None) -> Quadratic:
            matrix = torch.full((2, 2), float("nan"), dtype=torch.float64)
            return Quadratic(self.energy(x), torch.ones(2, dtype=torch.float64), matrix)

    found = levenberg_marquardt(Indefinite(), tensor(1.0, 1.0), box(2))
    assert found.result is Result.SINGULAR and not found.result.ok
    assert torch.equal(found.value, tensor(1.0, 1.0))


def test_parameters_without_effect_stay_where_they_are():
    def residual(x: Tensor) -> Tensor:
        return x[:1] - 3.0

    found = levenberg_marquardt(Residuals(residual), tensor(0.0, 5.0), box(2), PATIENT)
    torch.testing.assert_close(found.value, tensor(3.0, 5.0), atol=1e-6, rtol=0)


def test_every_result_tells_what_to_do():
    for result in Result:
        assert len(result.value) > 30
    assert {r for r in Result if not r.ok} == {Result.NON_FINITE, Result.SINGULAR}
