"""Normal equations of an energy that couples all views, from each view's own derivatives.

A view's pixels depend on few of the parameters: the head's, which come first in its columns, and
its camera. Blocks of points are added one after the other, so memory stays bounded, and the large
products run once per view, not once per pair of views.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


class JointEquations:
    """Gradient and J^T W J over all parameters, accumulated block by block."""

    def __init__(self, columns: Int[Tensor, "views own"], size: int, dtype: torch.dtype) -> None:
        """`columns`: the parameters that each view depends on, in the order of its derivatives."""
        self.columns = columns
        alike = (columns == columns[0]).all(dim=0)
        self.shared = len(alike) if bool(alike.all()) else int((~alike).nonzero()[0, 0])
        self.gradient = torch.zeros(size, dtype=dtype)
        self.matrix = torch.zeros(size, size, dtype=dtype)

    def pull(
        self,
        jacobian: Float[Tensor, "views points 2 own"],
        gradient: Float[Tensor, "views points 2"],
    ) -> None:
        """Add J^T dE/dpixels."""
        for columns, rows, way in zip(self.columns, jacobian, gradient, strict=True):
            self.gradient[columns] += rows.flatten(0, 1).T @ way.flatten()

    def couple(
        self,
        jacobian: Float[Tensor, "views points 2 own"],
        matrices: Float[Tensor, "points n n"],
    ) -> None:
        """Add J^T B J; B couples the pixels of one point in all views, n = 2 views."""
        # A curvature needs no more digits than this, and half the memory moves.
        rows, matrices = jacobian.transpose(0, 1).float(), matrices.float()  # points views 2 own
        common, own = rows.flatten(1, 2).split((self.shared, rows.shape[-1] - self.shared), dim=-1)
        spread = matrices @ common
        head = common.flatten(0, 1).T @ spread.flatten(0, 1)
        first = self.columns[0, : self.shared]
        self._add(first, first, head)
        if own.shape[-1]:
            self._couple_own(own, spread, matrices)

    def _couple_own(self, own: Tensor, spread: Tensor, matrices: Tensor) -> None:
        """The columns that differ between views: with the shared ones, and with each other."""
        first, mine = self.columns[0, : self.shared], self.columns[:, self.shared :]
        views = len(self.columns)
        each = own.unflatten(1, (views, 2)).permute(1, 3, 0, 2).flatten(2)  # views own 2 points
        for view, columns in enumerate(mine):
            pixels = slice(2 * view, 2 * view + 2)
            mixed = each[view] @ spread[:, pixels].flatten(0, 1)
            self._add(columns, first, mixed)
            self._add(first, columns, mixed.T)
            reach = matrices[:, :, pixels] @ own[:, pixels]  # points 2 views, own
            towards = reach.unflatten(1, (views, 2)).transpose(0, 1).flatten(1, 2)
            for other, block in zip(mine, each @ towards, strict=True):
                self._add(other, columns, block)

    def _add(self, rows: Tensor, columns: Tensor, block: Tensor) -> None:
        self.matrix[rows[:, None], columns] += block.to(self.matrix)
