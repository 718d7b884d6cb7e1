"""JNR's Eq. 4 and 5: small joint motions, and none beyond the limits."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True)
class JointMagnitude:
    """E = 1/K sum (|R| + |T| + |S - 1|), over the numbers of all joints (Eq. 4).

    Scales are kept as logarithms, so |S - 1| = |exp(x) - 1|.
    """

    count: Float[np.ndarray, " params"]
    """Joint numbers that each parameter moves, over K; zero leaves a parameter out."""
    unit: Float[np.ndarray, " params"]
    """What counts as one: 1 for angles and scales, metres per unit for translations."""
    scale: Bool[np.ndarray, " params"]
    """Logarithms of scales."""

    def energy(self, x: Float[np.ndarray, " params"]) -> float:
        """E."""
        return float(self.count @ np.abs(self._size(x)))

    def gradient(self, x: Float[np.ndarray, " params"]) -> Float[np.ndarray, " params"]:
        """dE/dx; zero at zero."""
        slope = np.where(self.scale, np.exp(np.where(self.scale, x, 0.0)), 1 / self.unit)
        return self.count * np.sign(x) * slope

    def curvature(self, x: Float[np.ndarray, " params"]) -> Float[np.ndarray, " params"]:
        """Of the parabola that touches E from above and is flat at zero."""
        return np.abs(self.gradient(x)) / np.maximum(np.abs(x), 1e-6)

    def _size(self, x: np.ndarray) -> np.ndarray:
        return np.where(self.scale, np.expm1(np.where(self.scale, x, 0.0)), x / self.unit)


@dataclass(frozen=True)
class JointLimits:
    """E = 1/K sum of how far parameters are beyond their limits (Eq. 5, for R, T and S alike)."""

    count: Float[np.ndarray, " params"]
    """As in `JointMagnitude`."""
    unit: Float[np.ndarray, " params"]
    lower: Float[np.ndarray, " params"]
    upper: Float[np.ndarray, " params"]

    def energy(self, x: Float[np.ndarray, " params"]) -> float:
        """E."""
        beyond = np.maximum(x - self.upper, 0) + np.maximum(self.lower - x, 0)
        return float((self.count / self.unit) @ beyond)

    def gradient(self, x: Float[np.ndarray, " params"]) -> Float[np.ndarray, " params"]:
        """dE/dx."""
        side = (x > self.upper).astype(float) - (x < self.lower)
        return self.count / self.unit * side

    def curvature(self, x: Float[np.ndarray, " params"]) -> Float[np.ndarray, " params"]:
        """None: a solver with bounds keeps the limits by itself."""
        return np.zeros_like(x)
