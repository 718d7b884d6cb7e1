"""The edge term, supplement Eq. 13: a head's contour against the contour in a picture.

    E = sum over contour points p of rho(|n . (projection(p) - q)|^2 / sigma^2) / 2

with q the point of the picture's contour nearest to p and n its normal: the chamfer distance with
its pairs frozen, so that `ImagePoints` is the term. A point may slide along the contour. A pair
must lie within reach and face the same way, or there is none: where hair, clothes or a hand
continue the person the picture has no contour to offer.
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

    def joined(self, other: "ImageContour") -> "ImageContour":
        """Both."""
        return ImageContour(
            np.concatenate([self.pixels, other.pixels]),
            np.concatenate([self.normals, other.normals]),
        )


@dataclass(frozen=True)
class SkinContour:
    """Points of the skin that are on its contour in one view."""

    corners: Int[np.ndarray, "points corners"]
    """Skin vertices whose weighted mean the point is."""
    bary: Float[np.ndarray, "points corners"]
    pixels: Float[np.ndarray, "points 2"]
    normals: Float[np.ndarray, "points 2"]
    """Unit, in the picture, away from the face."""
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


def edge_pairs(
    skin: SkinContour, image: ImageContour, scale: EdgeScale, both_ways: bool = False
) -> ImagePoints | None:
    """Each point of the skin's contour and the nearest of the picture's; None without a pair.

    `both_ways` adds to each point of the picture's contour the nearest one of the skin's, and each
    direction then weighs half.
    """
    if not len(skin.pixels) or not len(image.pixels):
        return None
    there = cKDTree(image.pixels).query(skin.pixels)[1]
    ways = [(np.arange(len(there)), there, skin.length)]
    if both_ways:
        back = cKDTree(skin.pixels).query(image.pixels)[1]
        each = _spacing(image.pixels)
        ways = [(ways[0][0], there, 0.5 * skin.length), (back, np.arange(len(back)), 0.5 * each)]
    ours, theirs, length = (np.concatenate(parts) for parts in zip(*ways, strict=True))
    kept = _fits(skin, image, ours, theirs, scale.reach)
    if not kept.any():
        return None
    ours, theirs, length = ours[kept], theirs[kept], length[kept]
    return ImagePoints(
        corners=skin.corners[ours],
        bary=skin.bary[ours],
        pixels=image.pixels[theirs],
        sigma=scale.sigma * np.sqrt(scale.correlation / np.maximum(length, 1e-6)),
        normals=image.normals[theirs],
        kernel=scale.kernel,
    )


def _fits(
    skin: SkinContour, image: ImageContour, ours: np.ndarray, theirs: np.ndarray, reach: float
) -> Bool[np.ndarray, " pairs"]:
    near = np.linalg.norm(skin.pixels[ours] - image.pixels[theirs], axis=1) <= reach
    cosine = (skin.normals[ours] * image.normals[theirs]).sum(axis=1)
    return near & (cosine >= math.cos(MAX_TURN))


def _spacing(pixels: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, " points"]:
    """Length of contour at each point: half the way to its two nearest neighbours."""
    if len(pixels) < 3:
        return np.ones(len(pixels))
    return cKDTree(pixels).query(pixels, k=3)[0][:, 1:].mean(axis=1)
