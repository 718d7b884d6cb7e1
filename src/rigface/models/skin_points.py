"""Points on a skin as weighted means of vertices."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from torch import Tensor


def mixing(
    corners: Int[np.ndarray, "points corners"],
    bary: Float[np.ndarray, "points corners"],
    like: Tensor,
) -> tuple[Int[np.ndarray, " used"], Callable[[Tensor], Tensor]]:
    """The vertices that points need, and the map from rows of these vertices to rows of points.

    `like` has the rows' floating type.
    """
    used, place = np.unique(corners, return_inverse=True)
    ends = np.arange(0, corners.size + 1, max(corners.shape[1], 1))
    share = torch.from_numpy(np.ascontiguousarray(bary)).to(like).numpy()
    matrix = sp.csr_matrix((share.ravel(), place.ravel(), ends), (len(corners), len(used)))
    return used, lambda rows: torch.from_numpy(matrix @ rows.numpy())
