"""Two margins that may touch but not pass through each other: a one-sided gap."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from rigface.terms.term import VertexQuadratic


@dataclass(frozen=True)
class GapTerm:
    """E = 1/2 sum max(0, gap - up . (upper - lower))^2 / sigma^2 over facing vertex pairs."""

    upper: Int[np.ndarray, " pairs"]
    lower: Int[np.ndarray, " pairs"]
    up: Float[np.ndarray, "3"]
    """Unit direction from the lower to the upper margin."""
    gap: float
    sigma: float
    """Metres."""

    def energy(self, vertices: Float[np.ndarray, "verts 3"]) -> float:
        """E."""
        return 0.5 * float((self._lack(vertices) ** 2).sum())

    def gradient(self, vertices: Float[np.ndarray, "verts 3"]) -> Float[np.ndarray, "verts 3"]:
        """dE/dvertices."""
        push = (self._lack(vertices) / self.sigma)[:, None] * self.up
        out = np.zeros_like(vertices)
        np.add.at(out, self.upper, -push)
        np.add.at(out, self.lower, push)
        return out

    def quadratic(self, vertices: Float[np.ndarray, "verts 3"]) -> VertexQuadratic:
        """Active pairs only."""
        active = np.flatnonzero(self._lack(vertices) > 0)
        rows = np.repeat(np.arange(len(active)), 6)
        sides = [3 * side[active][:, None] + np.arange(3) for side in (self.upper, self.lower)]
        columns = np.concatenate(sides, axis=1)
        values = np.tile(np.concatenate([-self.up, self.up]) / self.sigma, len(active))
        shape = (len(active), vertices.size)
        jacobian = sp.csr_matrix((values, (rows, columns.ravel())), shape=shape)
        hessian = (jacobian.T @ jacobian).tocsr()
        return VertexQuadratic(self.energy(vertices), self.gradient(vertices), hessian)

    def _lack(self, vertices: np.ndarray) -> np.ndarray:
        opening = (vertices[self.upper] - vertices[self.lower]) @ self.up
        return np.maximum(0.0, self.gap - opening) / self.sigma
