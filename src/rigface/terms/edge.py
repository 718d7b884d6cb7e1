"""The edge term, supplement Eq. 13: a head's contour against the contour in a picture.

    E = sum over contour points p of rho(|n . (projection(p) - q)|^2 / sigma^2) / 2

with q the point of the picture's contour nearest to p and n its normal: the chamfer distance from
the head to the picture with its pairs frozen, so that `ImagePoints` is the term. A point may slide
along the contour. A pair must lie within reach and face the same way, or there is none: where hair,
clothes or a hand continue the person the picture has no contour to offer. The way back, from each
point of the picture to the head, adds pairs for what the head does not have, and is left out.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from rigface.terms.image_points import ImagePoints
from rigface.terms.robust import GemanMcClure, Kernel

MAX_TURN = math.radians(45)
"""Between the normals of a pair."""


@dataclass(frozen=True)
class ImageContour:
    """Points of a contour in a picture, dense enough to take the nearest for the foot."""

    pixels: Float[np.ndarray, "points 2"]
    normals: Float[np.ndarray, "points 2"]
    """Unit, away from the face."""
    occluding: Bool[np.ndarray, " points"]
    """The neck is behind it, and not the background."""


@dataclass(frozen=True)
class SkinContour:
    """Points of the skin that are on its contour in one view."""

    corners: Int[np.ndarray, "points corners"]
    """Skin vertices whose weighted mean the point is."""
    bary: Float[np.ndarray, "points corners"]
    pixels: Float[np.ndarray, "points 2"]
    normals: Float[np.ndarray, "points 2"]
    """Unit, in the picture, away from the face."""
    occluding: Bool[np.ndarray, " points"]
    """The head's own neck is behind it, and not the background."""
    length: Float[np.ndarray, " points"]
    """Pixels of contour that each point stands for."""


@dataclass(frozen=True)
class EdgeScale:
    """What a pair may be and what it weighs, pixels."""

    reach: float
    """Longest pair."""
    sigma: float
    """Error of the picture's contour."""
    correlation: float
    """Length of contour that counts as one measurement; neighbours err together."""
    kernel: Kernel = GemanMcClure(2.0)


def edge_pairs(skin: SkinContour, image: ImageContour, scale: EdgeScale) -> ImagePoints | None:
    """Each point of the skin's contour and the nearest of the picture's; None without a pair.

    A point before the head's own neck has no place where the picture shows background, which is
    the neck's outline; the other way round, a thin neck may leave out what the picture shows.
    """
    theirs = np.zeros(len(skin.pixels), dtype=int)
    kept = np.zeros(len(skin.pixels), dtype=bool)
    for ours, usable in (
        (np.flatnonzero(skin.occluding), np.flatnonzero(image.occluding)),
        (np.flatnonzero(~skin.occluding), np.arange(len(image.pixels))),
    ):
        if len(ours) and len(usable):
            theirs[ours] = usable[cKDTree(image.pixels[usable]).query(skin.pixels[ours])[1]]
            kept[ours] = _fits(skin, image, ours, theirs[ours], scale.reach)
    if not kept.any():
        return None
    theirs = theirs[kept]
    return ImagePoints(
        corners=skin.corners[kept],
        bary=skin.bary[kept],
        pixels=image.pixels[theirs],
        sigma=scale.sigma * np.sqrt(scale.correlation / np.maximum(skin.length[kept], 1e-6)),
        normals=image.normals[theirs],
        kernel=scale.kernel,
    )


def _fits(
    skin: SkinContour, image: ImageContour, ours: np.ndarray, theirs: np.ndarray, reach: float
) -> Bool[np.ndarray, " pairs"]:
    near = np.linalg.norm(skin.pixels[ours] - image.pixels[theirs], axis=1) <= reach
    cosine = (skin.normals[ours] * image.normals[theirs]).sum(axis=1)
    return near & (cosine >= math.cos(MAX_TURN))
