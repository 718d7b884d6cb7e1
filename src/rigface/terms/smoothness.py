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

    @staticmethod
    def build(
        reference: Float[np.ndarray, "verts 3"],
        faces: Int[np.ndarray, "faces 3"],
        stiffness: Stiffness,
        per_vertex: Float[np.ndarray, " verts"] | None = None,
    ) -> "SmoothnessTerm":
        """`per_vertex` scales the stiffness locally (default one)."""
        laplacian, mass = cotangent_laplacian(reference, faces)
        local = np.ones(len(reference)) if per_vertex is None else per_vertex
        bend = sp.diags(np.sqrt(local / mass)) @ laplacian
        normals = vertex_normals(reference, faces)
        along = normals[:, :, None] * normals[:, None, :]
        across = np.eye(3) - along
        bend_metric = stiffness.bend_normal * along + stiffness.bend_tangent * across
        stretch_metric = stiffness.stretch_normal * along + stiffness.stretch_tangent * across
        spread = sp.kron(bend, sp.identity(3), format="csr")
        matrix = spread.T @ _block_diagonal(bend_metric) @ spread
        if stiffness.stretch_tangent or stiffness.stretch_normal:
            root = _block_diagonal(np.sqrt(local)[:, None, None] * _root(stretch_metric))
            matrix = matrix + root @ sp.kron(laplacian, sp.identity(3), format="csr") @ root
        return SmoothnessTerm(reference, matrix.tocsr())

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


def _block_diagonal(blocks: np.ndarray) -> sp.csr_matrix:
    count = len(blocks)
    bsr = sp.bsr_matrix((blocks, np.arange(count), np.arange(count + 1)), (3 * count, 3 * count))
    return bsr.tocsr()


def _root(metric: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(metric)
    return (vectors * np.sqrt(np.maximum(values, 0))[:, None, :]) @ vectors.transpose(0, 2, 1)
