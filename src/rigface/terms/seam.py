"""Two margins that lie against each other: their offset is the one of a reference."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from rigface.terms.term import VertexQuadratic


@dataclass(frozen=True)
class SeamTerm:
    """E = 1/2 sum |(v_a - v_b) - offset|^2 / sigma^2 over vertex pairs."""

    a: Int[np.ndarray, " pairs"]
    b: Int[np.ndarray, " pairs"]
    offset: Float[np.ndarray, "pairs 3"]
    """From b to a, metres."""
    sigma: float
    """Metres."""

    def energy(self, vertices: Float[np.ndarray, "verts 3"]) -> float:
        """E."""
        return 0.5 * float((self._residual(vertices) ** 2).sum())

    def gradient(self, vertices: Float[np.ndarray, "verts 3"]) -> Float[np.ndarray, "verts 3"]:
        """dE/dvertices."""
        return self._difference(len(vertices)).T @ self._residual(vertices) / self.sigma

    def quadratic(self, vertices: Float[np.ndarray, "verts 3"]) -> VertexQuadratic:
        """Exact."""
        difference = self._difference(len(vertices))
        coupling = difference.T @ difference / self.sigma**2
        hessian = sp.kron(coupling, sp.identity(3), format="csr")
        return VertexQuadratic(self.energy(vertices), self.gradient(vertices), hessian)

    def _residual(self, vertices: np.ndarray) -> Float[np.ndarray, "pairs 3"]:
        return (vertices[self.a] - vertices[self.b] - self.offset) / self.sigma

    def _difference(self, verts: int) -> sp.csr_matrix:
        pairs = np.arange(len(self.a))
        rows = np.concatenate([pairs, pairs])
        values = np.repeat([1.0, -1.0], len(pairs))
        columns = np.concatenate([self.a, self.b])
        return sp.csr_matrix((values, (rows, columns)), shape=(len(pairs), verts))
