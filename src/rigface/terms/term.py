"""The contract of an energy term: refresh freezes what is discrete, the frozen part is smooth."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class VertexQuadratic:
    """Second-order model of a vertex energy E = 1/2 sum w r^2."""

    energy: float
    gradient: Float[np.ndarray, "verts 3"]
    hessian: sp.csr_matrix
    """(3 verts, 3 verts), symmetric, positive semi-definite (Gauss-Newton)."""


@dataclass(frozen=True)
class OneSided:
    """Residuals that cost only where they are positive: E = 1/2 sum max(0, lack)^2."""

    lack: Float[np.ndarray, " rows"]
    vertices: Int[np.ndarray, "rows k"]
    """The vertices that each residual depends on."""
    slopes: Float[np.ndarray, "rows k 3"]
    """d lack / d vertex."""


@runtime_checkable
class OneSidedTerm(Protocol):
    """A frozen barrier. Solvers get its residuals themselves, because which of them are active
    changes within one step."""

    def energy(self, vertices: Float[np.ndarray, "verts 3"]) -> float:
        """E."""
        ...

    def gradient(self, vertices: Float[np.ndarray, "verts 3"]) -> Float[np.ndarray, "verts 3"]:
        """dE/dvertices."""
        ...

    def one_sided(self, vertices: Float[np.ndarray, "verts 3"]) -> OneSided:
        """All residuals, active or not, linear at `vertices`."""
        ...


@runtime_checkable
class VertexTerm(Protocol):
    """A frozen energy of the posed skin vertices (world frame, metres)."""

    def energy(self, vertices: Float[np.ndarray, "verts 3"]) -> float:
        """E."""
        ...

    def gradient(self, vertices: Float[np.ndarray, "verts 3"]) -> Float[np.ndarray, "verts 3"]:
        """dE/dvertices."""
        ...

    def quadratic(self, vertices: Float[np.ndarray, "verts 3"]) -> VertexQuadratic:
        """E, dE/dvertices and its Gauss-Newton Hessian."""
        ...


@runtime_checkable
class ParameterTerm(Protocol):
    """A frozen energy of the parameters alone, with a diagonal Hessian."""

    def energy(self, x: Float[np.ndarray, " params"]) -> float:
        """E."""
        ...

    def gradient(self, x: Float[np.ndarray, " params"]) -> Float[np.ndarray, " params"]:
        """dE/dx."""
        ...

    def curvature(self, x: Float[np.ndarray, " params"]) -> Float[np.ndarray, " params"]:
        """Diagonal of the Hessian."""
        ...


@dataclass(frozen=True)
class PixelModel:
    """Second-order model of an energy of the pixels that points of the skin have in every view."""

    energy: float
    gradient: Float[Tensor, "views points 2"]
    """dE / d pixels, exact."""
    centres: Int[Tensor, " blocks"]
    """The point that each block of the Gauss-Newton matrix belongs to."""
    moves: Float[Tensor, "blocks views 2 rows"]
    """d residual / d pixel of the centre, before the views are coupled."""
    coupling: Float[Tensor, "blocks views views"]
    """Symmetric, positive semi-definite."""

    def matrices(self, blocks: Int[Tensor, " some"]) -> Float[Tensor, "some n n"]:
        """Gauss-Newton matrices by the pixels of the centres in all views, n = 2 views."""
        flat = self.moves[blocks].flatten(1, 2)
        weight = self.coupling[blocks].repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
        return (flat @ flat.transpose(1, 2)) * weight


@runtime_checkable
class JointTerm(Protocol):
    """A frozen energy of the same points of the skin in all views."""

    @property
    def corners(self) -> Int[np.ndarray, "points corners"]:
        """Skin vertices whose weighted mean each point is."""
        ...

    @property
    def bary(self) -> Float[np.ndarray, "points corners"]: ...

    def energy(self, pixels: Float[Tensor, "views points 2"]) -> float:
        """E."""
        ...

    def pixel_model(self, pixels: Float[Tensor, "views points 2"]) -> PixelModel:
        """E, dE / d pixels and its Gauss-Newton matrix."""
        ...
