"""How much the shapes differ that were predicted for one and the same head."""

import numpy as np
from jaxtyping import Bool, Float

from rigface.geometry.similarity import align_points

_ROUNDS = 5
_MM = 1000.0


def vertex_spread(
    shapes: Float[np.ndarray, "shapes verts 3"],
    counted: Bool[np.ndarray, " verts"],
    with_scale: bool = False,
) -> Float[np.ndarray, " counted"]:
    """Standard deviation of each counted vertex over shapes of one topology: metres in, mm out.

    The shapes are laid on their common mean by the counted vertices first (generalised Procrustes;
    rotation and shift only, unless `with_scale`). A vertex' deviation is the root of the mean
    square of its distance from its own mean. Raises ValueError for fewer than two shapes.
    """
    if len(shapes) < 2:
        raise ValueError(f"a spread needs at least 2 shapes, got {len(shapes)}")
    points = shapes[:, counted]
    mean = points[0]
    laid = points
    for _ in range(_ROUNDS):
        laid = np.stack(
            [align_points(one, mean, with_scale=with_scale).apply(one) for one in points]
        )
        mean = laid.mean(axis=0)
    return _MM * np.sqrt(((laid - mean) ** 2).sum(axis=-1).mean(axis=0))
