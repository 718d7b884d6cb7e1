"""Points held to the model surface: r = n . (sum_c b_c v_c - p) / sigma at frozen barycentrics."""

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from rigface.terms.robust import Kernel, LeastSquares
from rigface.terms.term import VertexQuadratic


@dataclass(frozen=True)
class SurfacePointTerm:
    """Frozen correspondences between surface places of the model and fixed points.

    Serves both directions: scan points on model faces (point-to-plane) and model vertices on the
    scan (barycentrics of one corner). `slide` adds that share of a plain point-to-point pull,
    which keeps tangential motion bounded.
    """

    corners: Int[np.ndarray, "points 3"]
    """Vertex ids of the model face that holds each point."""
    bary: Float[np.ndarray, "points 3"]
    targets: Float[np.ndarray, "points 3"]
    """World positions, metres."""
    normals: Float[np.ndarray, "points 3"]
    """Unit normal of the plane through each target."""
    weights: Float[np.ndarray, " points"]
    """Factor of each squared residual; zero drops a point."""
    sigma: float
    """Metres."""
    kernel: Kernel = field(default_factory=LeastSquares)
    slide: float = 0.0

    def energy(self, vertices: Float[np.ndarray, "verts 3"]) -> float:
        """1/2 sum w rho(r^2)."""
        offset, residual = self._residual(vertices)
        total = float(self.weights @ self.kernel.rho(residual**2))
        if self.slide:
            total += self.slide * float(self.weights @ (offset**2).sum(-1)) / self.sigma**2
        return 0.5 * total

    def gradient(self, vertices: Float[np.ndarray, "verts 3"]) -> Float[np.ndarray, "verts 3"]:
        """dE/dvertices."""
        offset, residual = self._residual(vertices)
        irls = self.weights * self.kernel.weight(residual**2)
        return self._gradient(offset, residual, irls, len(vertices))

    def quadratic(self, vertices: Float[np.ndarray, "verts 3"]) -> VertexQuadratic:
        """Energy, gradient and Gauss-Newton Hessian (robust weights frozen)."""
        offset, residual = self._residual(vertices)
        irls = self.weights * self.kernel.weight(residual**2)
        gradient = self._gradient(offset, residual, irls, len(vertices))
        return VertexQuadratic(self.energy(vertices), gradient, self._hessian(irls, len(vertices)))

    def _residual(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        surface = np.einsum("nc,ncd->nd", self.bary, vertices[self.corners])
        offset = surface - self.targets
        return offset, np.einsum("nd,nd->n", offset, self.normals) / self.sigma

    def _gradient(
        self, offset: np.ndarray, residual: np.ndarray, irls: np.ndarray, verts: int
    ) -> np.ndarray:
        pull = (irls * residual / self.sigma)[:, None] * self.normals
        if self.slide:
            pull += self.slide * (self.weights / self.sigma**2)[:, None] * offset
        out = np.zeros((verts, 3))
        for axis in range(3):
            values = (self.bary * pull[:, axis, None]).ravel()
            out[:, axis] = np.bincount(self.corners.ravel(), values, minlength=verts)
        return out

    def _hessian(self, irls: np.ndarray, verts: int) -> sp.csr_matrix:
        count = len(self.targets)
        rows = np.repeat(np.arange(count), 9)
        columns = (3 * self.corners[:, :, None] + np.arange(3)).reshape(-1)
        root = np.sqrt(irls) / self.sigma
        values = (root[:, None, None] * self.bary[:, :, None] * self.normals[:, None, :]).reshape(
            -1
        )
        jacobian = sp.csr_matrix((values, (rows, columns)), shape=(count, 3 * verts))
        hessian = (jacobian.T @ jacobian).tocsr()
        if self.slide:
            place = sp.csr_matrix(
                (self.bary.ravel(), (np.repeat(np.arange(count), 3), self.corners.ravel())),
                shape=(count, verts),
            )
            scale = sp.diags(self.slide * self.weights / self.sigma**2)
            hessian = hessian + sp.kron(place.T @ scale @ place, sp.identity(3), format="csr")
        return hessian.tocsr()
