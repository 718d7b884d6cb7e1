"""What a solver sees of an energy: values, gradients and a Gauss-Newton matrix, nothing else."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Hinges:
    """Linear residuals lack + rows d that cost only where they are positive."""

    lack: Float[Tensor, " hinges"]
    rows: Float[Tensor, "hinges params"]

    def pull(self) -> Float[Tensor, " params"]:
        """Their gradient at d = 0."""
        return self.lack.clamp_min(0) @ self.rows

    def energy(self, step: Float[Tensor, " params"]) -> float:
        """1/2 sum max(0, lack + rows step)^2."""
        return 0.5 * float(((self.lack + self.rows @ step).clamp_min(0) ** 2).sum())


@dataclass(frozen=True)
class Quadratic:
    """Second-order model of an energy at one point: half a sum of squares, and hinges."""

    energy: float
    gradient: Float[Tensor, " params"]
    """Of everything, hinges included."""
    hessian: Float[Tensor, "params params"]
    """Without the hinges."""
    hinges: Hinges | None = None

    def decrease(self, step: Float[Tensor, " params"]) -> float:
        """How much the model falls from 0 to `step`."""
        smooth = self.gradient
        if self.hinges is not None:
            smooth = smooth - self.hinges.pull()
        fall = -float(smooth @ step + 0.5 * step @ (self.hessian @ step))
        if self.hinges is None:
            return fall
        return fall + self.hinges.energy(torch.zeros_like(step)) - self.hinges.energy(step)


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
