"""What a solver sees of an energy: values, gradients and a Gauss-Newton matrix, nothing else."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Quadratic:
    """Second-order model of E = 1/2 sum of squares at one point."""

    energy: float
    gradient: Float[Tensor, " params"]
    hessian: Float[Tensor, "params params"]


@runtime_checkable
class Problem(Protocol):
    """An energy with its discrete choices frozen, so that steps are judged on equal terms."""

    def energy(self, x: Float[Tensor, " params"]) -> float:
        """E(x)."""
        ...

    def quadratic(
        self, x: Float[Tensor, " params"], free: Bool[Tensor, " params"] | None = None
    ) -> Quadratic:
        """E, its gradient and J^T W J at x; only its rows and columns of `free` need be filled."""
        ...


@runtime_checkable
class GradientProblem(Protocol):
    """An energy for first-order solvers."""

    def value_and_gradient(
        self, x: Float[Tensor, " params"]
    ) -> tuple[float, Float[Tensor, " params"]]:
        """E(x) and dE/dx."""
        ...
