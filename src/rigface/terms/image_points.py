"""Points of the skin that are to be seen at given pixels: supplement Eq. 11, and outlines.

The energy is a sum over points of rho(|r|^2) / 2 with r = (projection - pixel) / sigma. A point on
an outline may slide along it: there only the component along the outline's normal counts.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.terms.robust import Kernel, LeastSquares


@dataclass(frozen=True)
class Beside:
    """Points beside the skin's: at `mean + modes c` from them in model space, metres.

    `c ~ N(0, 1)` is unknown and one vector for all points of a view: what a detector gets wrong
    about a face, it gets wrong everywhere (`rig.detector_error`).
    """

    mean: Float[np.ndarray, "points 3"]
    modes: Float[np.ndarray, "points 3 modes"]


@dataclass(frozen=True)
class ImagePoints:
    """Frozen pairs of one view: a point inside a skin triangle, and where a picture has it."""

    corners: Int[np.ndarray, "points corners"]
    """Skin vertices whose weighted mean the point is."""
    bary: Float[np.ndarray, "points corners"]
    pixels: Float[np.ndarray, "points 2"]
    sigma: Float[np.ndarray, " points"]
    """Pixels."""
    normals: Float[np.ndarray, "points 2"] | None = None
    """Unit normals of the outline that the points lie on; None for fixed points."""
    kernel: Kernel = field(default_factory=LeastSquares)
    beside: Beside | None = None
    """Where the picture's points are meant to be, if not at these points of the skin."""

    def energy(self, projected: Float[Tensor, "points 2"]) -> float:
        """E."""
        square = (self._residual(projected) ** 2).sum(dim=-1)
        return 0.5 * float(self.kernel.rho(square.numpy()).sum())

    def pull(self, projected: Float[Tensor, "points 2"]) -> Float[Tensor, "points 2"]:
        """dE / d projected."""
        residual = self._residual(projected)
        square = (residual**2).sum(dim=-1).numpy()
        weight = torch.from_numpy(self.kernel.weight(square) / self.sigma)[:, None]
        if self.normals is None:
            return weight * residual
        return weight * residual * torch.from_numpy(self.normals)

    def normal_equations(
        self, projected: Float[Tensor, "points 2"], jacobian: Float[Tensor, "points 2 params"]
    ) -> tuple[float, Float[Tensor, " params"], Float[Tensor, "params params"]]:
        """E, its gradient and J^T W J with the weights of the robust kernel.

        `jacobian` is d projected / d parameters.
        """
        residual = self._residual(projected)
        square = (residual**2).sum(dim=-1).numpy()
        rows = self._along(jacobian) / torch.from_numpy(self.sigma)[:, None, None]
        root = torch.from_numpy(np.sqrt(self.kernel.weight(square)))[:, None]
        weighted = (rows * root[..., None]).flatten(0, 1)
        gradient = weighted.T @ (residual * root).flatten()
        energy = 0.5 * float(self.kernel.rho(square).sum())
        return energy, gradient, weighted.T @ weighted

    def _residual(self, projected: Tensor) -> Float[Tensor, "points rows"]:
        offset = (projected - torch.from_numpy(self.pixels))[..., None]
        return self._along(offset)[..., 0] / torch.from_numpy(self.sigma)[:, None]

    def _along(self, vectors: Float[Tensor, "points 2 n"]) -> Float[Tensor, "points rows n"]:
        """Both components, or the one along the normals."""
        if self.normals is None:
            return vectors
        return torch.einsum("pc,pcn->pn", torch.from_numpy(self.normals), vectors)[:, None]
