"""Robust kernels rho(s) of a squared residual s, and their weights rho'(s)."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


@runtime_checkable
class Kernel(Protocol):
    """rho(0) = 0, rho'(0) = 1; residuals are already divided by their sigma."""

    def rho(self, square: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """Cost of a squared residual."""
        ...

    def weight(self, square: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """rho'(s), the factor of iteratively re-weighted least squares."""
        ...


@dataclass(frozen=True)
class LeastSquares:
    """rho(s) = s."""

    def rho(self, square: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        return square

    def weight(self, square: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        return np.ones_like(square)


@dataclass(frozen=True)
class Huber:
    """Quadratic up to `scale`, linear beyond."""

    scale: float

    def rho(self, square: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        tail = 2 * self.scale * np.sqrt(square) - self.scale**2
        return np.where(square <= self.scale**2, square, tail)

    def weight(self, square: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        return np.minimum(1.0, self.scale / np.sqrt(np.maximum(square, 1e-300)))


@dataclass(frozen=True)
class GemanMcClure:
    """rho(s) = s / (1 + s / scale^2): far residuals stop pulling."""

    scale: float

    def rho(self, square: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        return square / (1 + square / self.scale**2)

    def weight(self, square: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        return 1 / (1 + square / self.scale**2) ** 2
