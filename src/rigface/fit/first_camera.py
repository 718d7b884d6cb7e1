"""Where a camera stands, from landmarks alone: scaled orthography, then a focal length."""

import numpy as np
import torch
from jaxtyping import Float

from rigface.cameras import Camera

TYPICAL_FOCAL = 1.25
"""Focal length over the longer side of the picture where the file does not tell: 45 mm equivalent,
between a phone (26 mm) and a portrait lens (85 mm)."""


def first_camera(
    points: Float[np.ndarray, "points 3"],
    pixels: Float[np.ndarray, "points 2"],
    weights: Float[np.ndarray, " points"],
    size: tuple[int, int],
    focal: float | None = None,
) -> Camera:
    """cam_from_model of a mean head seen at the given pixels.

    `points` are in model space (metres), `size` is the picture's, `focal` in pixels. The principal
    point is the middle of the picture. The affine image of the points gives rotation and scale
    (Horn's orthonormalisation of its two rows), the scale gives the distance.
    """
    focal = TYPICAL_FOCAL * max(size) if focal is None else focal
    root = np.sqrt(weights)[:, None]
    homogeneous = np.column_stack([points, np.ones(len(points))])
    affine, *_ = np.linalg.lstsq(homogeneous * root, pixels * root, rcond=None)
    u, stretch, vt = np.linalg.svd(affine[:3].T, full_matrices=False)
    rows = u @ vt
    rotation = np.vstack([rows, np.cross(rows[0], rows[1])])
    distance = focal / float(stretch.mean())
    middle = np.average(points, axis=0, weights=weights)
    centre = np.array(size) / 2
    place = distance * np.append((np.append(middle, 1.0) @ affine - centre) / focal, 1.0)
    return Camera(
        focal=torch.full((2,), focal, dtype=torch.float64),
        centre=torch.from_numpy(centre),
        size=size,
        rotation=torch.from_numpy(rotation),
        translation=torch.from_numpy(place - rotation @ middle),
    )
