"""Known correspondences: every vertex has a place to go to."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from rigface.terms.term import VertexQuadratic


@dataclass(frozen=True)
class VertexTargetTerm:
    """E = 1/2 sum w |v - target|^2 / sigma^2."""

    targets: Float[np.ndarray, "verts 3"]
    weights: Float[np.ndarray, " verts"]
    sigma: float
    """Metres."""

    def energy(self, vertices: Float[np.ndarray, "verts 3"]) -> float:
        """E."""
        return 0.5 * float(self.weights @ ((vertices - self.targets) ** 2).sum(-1)) / self.sigma**2

    def gradient(self, vertices: Float[np.ndarray, "verts 3"]) -> Float[np.ndarray, "verts 3"]:
        """dE/dvertices."""
        return (self.weights / self.sigma**2)[:, None] * (vertices - self.targets)

    def quadratic(self, vertices: Float[np.ndarray, "verts 3"]) -> VertexQuadratic:
        """Exact."""
        diagonal = np.repeat(self.weights / self.sigma**2, 3)
        hessian = sp.diags(diagonal).tocsr()
        return VertexQuadratic(self.energy(vertices), self.gradient(vertices), hessian)
