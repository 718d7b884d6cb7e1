"""Robust kernels: rho(0) = 0, rho'(0) = 1, and weight = rho' everywhere."""

import numpy as np
import pytest

from rigface.terms.robust import GemanMcClure, Huber, Kernel, LeastSquares

KERNELS = (LeastSquares(), Huber(1.5), GemanMcClure(1.5))


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: type(k).__name__)
def test_weight_is_the_derivative_of_rho(kernel):
    assert isinstance(kernel, Kernel)
    square = np.array([0.01, 0.5, 2.0, 2.5, 10.0, 1e3])
    step = 1e-6 * square
    slope = (kernel.rho(square + step) - kernel.rho(square - step)) / (2 * step)
    np.testing.assert_allclose(kernel.weight(square), slope, rtol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: type(k).__name__)
def test_small_residuals_cost_their_square(kernel):
    zero = np.zeros(1)
    assert kernel.rho(zero)[0] == 0 and kernel.weight(zero)[0] == 1
    np.testing.assert_allclose(kernel.rho(np.array([1e-9])), 1e-9, rtol=1e-6)


def test_far_residuals():
    far = np.array([1e8])
    assert Huber(1.5).rho(far)[0] == pytest.approx(2 * 1.5 * 1e4, rel=1e-3)
    assert GemanMcClure(1.5).rho(far)[0] == pytest.approx(1.5**2, rel=1e-6)
    assert GemanMcClure(1.5).weight(far)[0] < 1e-14
