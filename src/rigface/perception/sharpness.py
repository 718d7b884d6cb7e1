"""One number for how sharp a face is, whatever its size, light and contrast."""

import math

import numpy as np

from rigface.perception.crops import Crop, Pyramid

_CELLS = 192
_MARGIN = 0.1
"""Outer part of the square that shows hair and background rather than the face."""


def sharpness(pyramid: Pyramid, crop: Crop) -> float:
    """Variance of the Laplacian over the variance of the luminance, on the crop at 192 px.

    The crop is the square around the face. Dividing by the luminance's own variance takes the
    contrast out. A small face is enlarged to 192 px and counts as blurred: it shows as little.
    """
    picture = pyramid.sample(crop, _CELLS).astype(np.float64)
    edge = round(_MARGIN * _CELLS)
    luminance = (picture @ [0.299, 0.587, 0.114])[edge:-edge, edge:-edge]
    inner = luminance[1:-1, 1:-1]
    laplacian = (
        luminance[:-2, 1:-1] + luminance[2:, 1:-1] + luminance[1:-1, :-2] + luminance[1:-1, 2:]
    ) - 4.0 * inner
    contrast = float(inner.var())
    return float(laplacian.var()) / contrast if contrast > 0.0 else math.nan
