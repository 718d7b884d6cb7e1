"""Vertices that stay outside a sphere: lids and sockets around an eyeball."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from rigface.terms.term import OneSided


@dataclass(frozen=True)
class ClearanceTerm:
    """E = 1/2 sum max(0, radius - |v - centre|)^2 / sigma^2."""

    index: Int[np.ndarray, " near"]
    """The vertices concerned."""
    centre: Float[np.ndarray, "3"]
    radius: float
    sigma: float
    """Metres."""

    def energy(self, vertices: Float[np.ndarray, "verts 3"]) -> float:
        """E."""
        return 0.5 * float((np.maximum(self._lack(vertices)[0], 0.0) ** 2).sum())

    def gradient(self, vertices: Float[np.ndarray, "verts 3"]) -> Float[np.ndarray, "verts 3"]:
        """dE/dvertices."""
        lack, outward = self._lack(vertices)
        out = np.zeros_like(vertices)
        out[self.index] = -(np.maximum(lack, 0.0) / self.sigma)[:, None] * outward
        return out

    def one_sided(self, vertices: Float[np.ndarray, "verts 3"]) -> OneSided:
        """One residual per vertex."""
        lack, outward = self._lack(vertices)
        return OneSided(lack, self.index[:, None], -outward[:, None] / self.sigma)

    def _lack(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        offset = vertices[self.index] - self.centre
        distance = np.maximum(np.linalg.norm(offset, axis=-1), 1e-12)
        return (self.radius - distance) / self.sigma, offset / distance[:, None]
