"""What every face model offers: parameters to skin vertices, and that map's derivative."""

from typing import Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.models.parameters import ParameterTable


@runtime_checkable
class VertexJacobian(Protocol):
    """d vertices / d parameters at one state, as an operator that is never formed densely."""

    @property
    def vertices(self) -> Float[Tensor, "verts 3"]: ...

    def jvp(self, step: Float[Tensor, " params"]) -> Float[Tensor, "verts 3"]:
        """Vertex motion of a parameter step, to first order."""
        ...

    def vjp(self, gradient: Float[Tensor, "*batch verts 3"]) -> Float[Tensor, "*batch params"]:
        """Parameter gradient of a vertex gradient."""
        ...

    def rows(self, index: Int[np.ndarray, " some"]) -> Float[Tensor, "some 3 params"]:
        """The dense derivative of a few vertices."""
        ...

    def gauss_newton(
        self, hessian: sp.bsr_matrix, free: Bool[Tensor, " params"] | None = None
    ) -> Float[Tensor, "params params"]:
        """J^T H J for a block-sparse vertex Hessian (3 verts, 3 verts) with 3x3 blocks.

        Rows and columns of parameters that are not `free` may be left at zero.
        """
        ...


@runtime_checkable
class FaceModel(Protocol):
    """A differentiable map from named parameters to skin vertices in model space (metres)."""

    @property
    def name(self) -> str: ...
    @property
    def table(self) -> ParameterTable: ...
    @property
    def faces(self) -> Int[Tensor, "faces 3"]: ...

    def vertices(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch verts 3"]:
        """Skin vertices; zero parameters give the rest shape."""
        ...

    def linearize(self, x: Float[Tensor, " params"]) -> VertexJacobian:
        """Vertices and their derivative at one state."""
        ...
