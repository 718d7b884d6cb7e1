"""Parameters stay near their initial values: supplement Eq. 12."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class ParameterPrior:
    """E = 1/2 sum weight (x - mean)^2; Eq. 12 when `weight` holds its lambdas."""

    weight: Float[np.ndarray, " params"]
    mean: Float[np.ndarray, " params"]

    def energy(self, x: Float[np.ndarray, " params"]) -> float:
        """E."""
        return 0.5 * float(self.weight @ (x - self.mean) ** 2)

    def gradient(self, x: Float[np.ndarray, " params"]) -> Float[np.ndarray, " params"]:
        """dE/dx."""
        return self.weight * (x - self.mean)

    def curvature(self, x: Float[np.ndarray, " params"]) -> Float[np.ndarray, " params"]:
        """Diagonal of the Hessian."""
        return self.weight
