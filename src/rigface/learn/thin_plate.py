"""The smoothest extension of a displacement from the skin that is known to skin that is not."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import lu_factor, lu_solve
from scipy.spatial.distance import cdist

_RIDGE = 1e-9
"""Metres; only keeps coinciding points (touching lips) from being singular."""


@dataclass(frozen=True)
class ThinPlate:
    """The biharmonic spline in space (kernel r, affine part free) as a linear operator.

    It meets the known displacements exactly and carries an affine motion of them as it is, so what
    lies inside a head grows and turns with it.
    """

    weights: Float[np.ndarray, "asked known"]

    @staticmethod
    def between(
        known: Float[np.ndarray, "known 3"], asked: Float[np.ndarray, "asked 3"]
    ) -> "ThinPlate":
        """Factor once for these places (metres); about 3,000 known points take two seconds."""
        count = len(known)
        affine = np.column_stack([known, np.ones(count)])
        system = np.zeros((count + 4, count + 4))
        # Negative: the kernel -r is positive definite beside the affine part.
        system[:count, :count] = -cdist(known, known) + _RIDGE * np.eye(count)
        system[:count, count:], system[count:, :count] = affine, affine.T
        rows = np.column_stack([-cdist(asked, known), asked, np.ones(len(asked))])
        weights = lu_solve(lu_factor(system), rows.T)[:count].T
        return ThinPlate(np.ascontiguousarray(weights))

    def carry(
        self, moved: Float[np.ndarray, "*batch known 3"]
    ) -> Float[np.ndarray, "*batch asked 3"]:
        """Displacement of the asked places from that of the known ones."""
        return self.weights @ moved
