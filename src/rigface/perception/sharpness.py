"""One number for how sharp a face is, whatever its size, light and contrast."""

import math

import numpy as np
from jaxtyping import Bool

from rigface.perception.crops import Crop, Pyramid

_CELLS = 192
_MARGIN = 0.1
"""Outer part of the square that shows hair and background rather than the face."""


def sharpness(pyramid: Pyramid, crop: Crop) -> float:
    """Variance of the Laplacian over the variance of the luminance, on the crop at 192 px.

    The crop is the square around the face. Dividing by the luminance's own variance takes the
    contrast out. A small face is enlarged to 192 px and counts as blurred: it shows as little.
    """
    luminance = pyramid.sample(crop, _CELLS).astype(np.float64) @ [0.299, 0.587, 0.114]
    inner = luminance[1:-1, 1:-1]
    laplacian = (
        luminance[:-2, 1:-1] + luminance[2:, 1:-1] + luminance[1:-1, :-2] + luminance[1:-1, 2:]
    ) - 4.0 * inner
    counted = _counted(pyramid, crop)[1:-1, 1:-1]
    if not counted.any():
        return math.nan
    contrast = float(inner[counted].var())
    return float(laplacian[counted].var()) / contrast if contrast > 0.0 else math.nan


def _counted(pyramid: Pyramid, crop: Crop) -> Bool[np.ndarray, "cells cells"]:
    """Cells in the middle of the crop and well inside the photo: its black border is no edge."""
    steps = (np.arange(_CELLS) + 0.5) / _CELLS
    middle = (steps > _MARGIN) & (steps < 1.0 - _MARGIN)
    grid = crop.to_photo(np.stack(np.meshgrid(steps, steps), axis=-1))
    border = 2.0 * crop.size / _CELLS + 1.0
    inside = (grid > border).all(axis=-1)
    inside &= (grid < np.array([pyramid.width, pyramid.height]) - border).all(axis=-1)
    return middle[:, None] & middle[None, :] & inside
