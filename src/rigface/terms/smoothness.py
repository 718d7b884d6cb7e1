"""Smooth deformation: thin-plate and membrane energy of the displacement from a reference.

The energy is split by direction: motion along the surface may only vary slowly (or triangles slide
and fold), motion along the normal is freer (that is where a face differs from another).
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from rigface.geometry.laplacian import cotangent_laplacian
from rigface.geometry.mesh import vertex_normals
from rigface.terms.term import VertexQuadratic


@dataclass(frozen=True)
class Stiffness:
    """Weights of the deformation energy; lengths in metres make them independent of the mesh."""

    bend_normal: float
    """Thin plate, displacement along the normal."""
    bend_tangent: float
    """Thin plate, displacement in the tangent plane."""
    stretch_tangent: float = 0.0
    """Membrane, tangent displacement."""
    stretch_normal: float = 0.0


@dataclass(frozen=True)
class SmoothnessTerm:
    """E = 1/2 (v - ref)^T H (v - ref) with H frozen on the reference geometry."""

    reference: Float[np.ndarray, "verts 3"]
    matrix: sp.csr_matrix

    def energy(self, vertices: Float[np.ndarray, "verts 3"]) -> float:
        """Deformation energy."""
        d = (vertices - self.reference).ravel()
        return 0.5 * float(d @ (self.matrix @ d))

    def gradient(self, vertices: Float[np.ndarray, "verts 3"]) -> Float[np.ndarray, "verts 3"]:
        """dE/dvertices."""
        return (self.matrix @ (vertices - self.reference).ravel()).reshape(-1, 3)

    def quadratic(self, vertices: Float[np.ndarray, "verts 3"]) -> VertexQuadratic:
        """The energy is quadratic, so this is exact."""
        return VertexQuadratic(self.energy(vertices), self.gradient(vertices), self.matrix)


class DeformationEnergy:
    """Builds smoothness terms of any stiffness for one reference; the matrices are made once."""

    def __init__(
        self,
        reference: Float[np.ndarray, "verts 3"],
        faces: Int[np.ndarray, "faces 3"],
        per_vertex: Float[np.ndarray, " verts"] | None = None,
    ):
        """`per_vertex` scales the stiffness locally (default one)."""
        self.reference = reference
        laplacian, mass = cotangent_laplacian(reference, faces)
        local = np.ones(len(reference)) if per_vertex is None else per_vertex
        normals = vertex_normals(reference, faces)
        along = normals[:, :, None] * normals[:, None, :]
        across = np.eye(3) - along
        plate = sp.kron(sp.diags(np.sqrt(local / mass)) @ laplacian, sp.identity(3), format="csr")
        membrane = sp.kron(laplacian, sp.identity(3), format="csr")
        root = np.sqrt(local)[:, None, None]
        self._bend_normal = plate.T @ _block_diagonal(along) @ plate
        self._bend_tangent = plate.T @ _block_diagonal(across) @ plate
        tangent, normal = _block_diagonal(root * across), _block_diagonal(root * along)
        self._stretch_tangent = tangent @ membrane @ tangent
        self._stretch_normal = normal @ membrane @ normal

    def term(self, stiffness: Stiffness) -> SmoothnessTerm:
        """The energy at one stiffness."""
        matrix = (
            stiffness.bend_normal * self._bend_normal + stiffness.bend_tangent * self._bend_tangent
        )
        if stiffness.stretch_tangent:
            matrix = matrix + stiffness.stretch_tangent * self._stretch_tangent
        if stiffness.stretch_normal:
            matrix = matrix + stiffness.stretch_normal * self._stretch_normal
        return SmoothnessTerm(self.reference, matrix.tocsr())


def _block_diagonal(blocks: np.ndarray) -> sp.csr_matrix:
    count = len(blocks)
    bsr = sp.bsr_matrix((blocks, np.arange(count), np.arange(count + 1)), (3 * count, 3 * count))
    return bsr.tocsr()
