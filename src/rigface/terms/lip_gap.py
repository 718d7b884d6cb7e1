"""Two margins that may touch but not pass through each other: a one-sided gap."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from rigface.terms.term import OneSided


@dataclass(frozen=True)
class GapTerm:
    """E = 1/2 sum max(0, gap - up . (upper - lower))^2 / sigma^2 over facing vertex pairs."""

    upper: Int[np.ndarray, " pairs"]
    lower: Int[np.ndarray, " pairs"]
    up: Float[np.ndarray, "*pairs 3"]
    """Unit direction from the lower to the upper margin: one for all pairs, or one for each."""
    gap: float | Float[np.ndarray, " pairs"]
    """Least opening, metres."""
    sigma: float
    """Metres."""

    def energy(self, vertices: Float[np.ndarray, "verts 3"]) -> float:
        """E."""
        return 0.5 * float((np.maximum(self._lack(vertices), 0.0) ** 2).sum())

    def gradient(self, vertices: Float[np.ndarray, "verts 3"]) -> Float[np.ndarray, "verts 3"]:
        """dE/dvertices."""
        push = (np.maximum(self._lack(vertices), 0.0) / self.sigma)[:, None] * self.up
        out = np.zeros_like(vertices)
        np.add.at(out, self.upper, -push)
        np.add.at(out, self.lower, push)
        return out

    def one_sided(self, vertices: Float[np.ndarray, "verts 3"]) -> OneSided:
        """One residual per pair."""
        pairs = np.stack([self.upper, self.lower], axis=1)
        slopes = np.stack([-self.up, self.up], axis=-2) / self.sigma
        return OneSided(
            self._lack(vertices), pairs, np.broadcast_to(slopes, (len(pairs), 2, 3)).copy()
        )

    def _lack(self, vertices: np.ndarray) -> Float[np.ndarray, " pairs"]:
        opening = ((vertices[self.upper] - vertices[self.lower]) * self.up).sum(axis=-1)
        return (self.gap - opening) / self.sigma
