"""Sparse positive definite systems that change little from one to the next.

The factor of an earlier system preconditions conjugate gradients on the next one: two triangular
solves an iteration, where a new factor costs as much as thirty of them.
"""

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from jaxtyping import Float


class ReusedFactor:
    """Keeps the last factor; makes a new one where it no longer helps."""

    def __init__(self, tolerance: float = 1e-4, most: int = 20):
        """`tolerance` of the residual relative to the right-hand side, within `most` iterations."""
        self.tolerance = tolerance
        self.most = most
        self.factored = 0
        """How many factors were made."""
        self._factor: spla.SuperLU | None = None

    def solve(
        self, matrix: sp.spmatrix, right: Float[np.ndarray, "*rows"]
    ) -> Float[np.ndarray, "*rows"]:
        """x of matrix x = right. Raises RuntimeError for a singular matrix."""
        system = sp.csc_matrix(matrix)
        if self._factor is not None and self._factor.shape == system.shape:
            columns = right.reshape(len(right), -1)
            found = self._iterate(system, columns)
            if found is not None:
                return found.reshape(right.shape)
        factor = spla.splu(
            system,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        self._factor, self.factored = factor, self.factored + 1
        return factor.solve(right)

    def _iterate(
        self, matrix: sp.csc_matrix, right: Float[np.ndarray, "rows columns"]
    ) -> Float[np.ndarray, "rows columns"] | None:
        """Preconditioned conjugate gradients, every column by itself; None if too slow."""
        assert self._factor is not None
        rows = matrix.tocsr()
        solution, residual = np.zeros_like(right), right.copy()
        goal = self.tolerance * np.linalg.norm(right, axis=0)
        direction, before = np.zeros_like(right), np.ones(right.shape[1])
        for _ in range(self.most):
            if np.all(np.linalg.norm(residual, axis=0) <= goal):
                return solution
            nearby = self._factor.solve(residual)
            product = (residual * nearby).sum(axis=0)
            direction = nearby + _ratio(product, before) * direction
            image = rows @ direction
            step = _ratio(product, (direction * image).sum(axis=0))
            solution += step * direction
            residual -= step * image
            before = product
        return solution if np.all(np.linalg.norm(residual, axis=0) <= goal) else None


def _ratio(
    above: Float[np.ndarray, " columns"], below: Float[np.ndarray, " columns"]
) -> Float[np.ndarray, " columns"]:
    """Zero where a column has converged exactly."""
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)
