"""Finite differences in float64, the judge of every hand-written derivative."""

from collections.abc import Callable

import torch
from torch import Tensor


def directional_difference(
    function: Callable[[Tensor], Tensor], at: Tensor, direction: Tensor, step: float = 1e-6
) -> Tensor:
    """Central difference (f(x + h d) - f(x - h d)) / 2h; error O(h^2) where f is smooth."""
    assert at.dtype == torch.float64, "finite differences need float64"
    with torch.no_grad():
        return (function(at + step * direction) - function(at - step * direction)) / (2 * step)


def one_sided_difference(
    function: Callable[[Tensor], Tensor], at: Tensor, direction: Tensor, step: float = 1e-7
) -> Tensor:
    """Forward difference, for points on a kink; error O(h)."""
    assert at.dtype == torch.float64, "finite differences need float64"
    with torch.no_grad():
        return (function(at + step * direction) - function(at)) / step


def assert_derivative(
    function: Callable[[Tensor], Tensor],
    at: Tensor,
    jvp: Callable[[Tensor], Tensor],
    directions: int = 4,
    step: float = 1e-6,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> None:
    """`jvp(d)` equals the finite difference of `function` along seeded random directions."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(directions):
        direction = torch.randn(at.shape, generator=generator, dtype=at.dtype)
        expected = directional_difference(function, at, direction, step)
        actual = jvp(direction)
        scale = max(float(expected.abs().max()), 1e-12)
        error = float((actual - expected).abs().max()) / scale
        assert error < tolerance, f"derivative off by {error:.1e} of its size {scale:.1e}"


def assert_gradient(
    function: Callable[[Tensor], Tensor], at: Tensor, tolerance: float = 1e-6, seed: int = 0
) -> None:
    """Autograd of a scalar function equals finite differences along random directions."""
    leaf = at.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(leaf), leaf)
    assert_derivative(function, at, lambda d: (gradient * d).sum(), tolerance=tolerance, seed=seed)
