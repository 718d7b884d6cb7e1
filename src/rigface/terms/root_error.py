"""JNR's Eq. 3 and 6: the root of a sum of squares, which pulls as hard near the goal as far off."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from rigface.geometry.mesh import unique_edges
from rigface.terms.term import VertexQuadratic

Reading = Literal["rmse", "printed"]
"""`rmse` has 1/N under the root, as the text says ("minimizing RMSE"); `printed` outside of it, as
Eq. 3 and 6 have it, which is smaller by sqrt(N) and so leaves the other terms that much heavier."""
_TINY = 1e-12


@dataclass(frozen=True)
class RootErrorTerm:
    """E = |A (v - target)| / N or / sqrt(N) in units of `unit` metres; A = I or a Laplacian."""

    targets: Float[np.ndarray, "verts 3"]
    operator: sp.csr_matrix | None = None
    """(rows, verts) applied to each axis; none is the identity."""
    reading: Reading = "rmse"
    unit: float = 1.0
    """Metres of one unit of the error."""

    @property
    def share(self) -> float:
        """What the root is multiplied with."""
        count = len(self.targets)
        return 1.0 / (self.unit * (count if self.reading == "printed" else np.sqrt(count)))

    def energy(self, vertices: Float[np.ndarray, "verts 3"]) -> float:
        """E."""
        return self.share * float(np.linalg.norm(self._gap(vertices)))

    def gradient(self, vertices: Float[np.ndarray, "verts 3"]) -> Float[np.ndarray, "verts 3"]:
        """dE/dvertices; zero where the error is zero."""
        gap = self._gap(vertices)
        pulled = gap if self.operator is None else self.operator.T @ gap
        return (self.share / max(float(np.linalg.norm(gap)), _TINY)) * pulled

    def quadratic(self, vertices: Float[np.ndarray, "verts 3"]) -> VertexQuadratic:
        """The quadratic that touches E from above: sqrt(q) <= sqrt(q0) + (q - q0) / 2 sqrt(q0)."""
        size = max(float(np.linalg.norm(self._gap(vertices))), _TINY)
        verts = len(self.targets)
        square = sp.identity(verts) if self.operator is None else self.operator.T @ self.operator
        hessian = sp.kron(square, sp.identity(3), format="csr") * (self.share / size)
        return VertexQuadratic(self.energy(vertices), self.gradient(vertices), hessian)

    def _gap(self, vertices: np.ndarray) -> np.ndarray:
        gap = vertices - self.targets
        return gap if self.operator is None else self.operator @ gap


def umbrella_laplacian(faces: Int[np.ndarray, "faces 3"], verts: int) -> sp.csr_matrix:
    """v minus the mean of its neighbours: the Laplacian that the topology alone decides."""
    edges = unique_edges(faces)
    rows, columns = np.concatenate([edges, edges[:, ::-1]]).T
    graph = sp.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(verts, verts)).tocsr()
    degree = np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1)
    return (sp.identity(verts) - sp.diags(1 / degree) @ graph).tocsr()
