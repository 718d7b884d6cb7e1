"""Few large values rather than many small ones, for parameters that cannot be negative."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class SparsityPrior:
    """E = sum weight x, the absolute sum of parameters whose lower limit is zero."""

    weight: Float[np.ndarray, " params"]

    def energy(self, x: Float[np.ndarray, " params"]) -> float:
        """E."""
        return float(self.weight @ x)

    def gradient(self, x: Float[np.ndarray, " params"]) -> Float[np.ndarray, " params"]:
        """dE/dx."""
        return self.weight

    def curvature(self, x: Float[np.ndarray, " params"]) -> Float[np.ndarray, " params"]:
        """None."""
        return np.zeros_like(self.weight)
