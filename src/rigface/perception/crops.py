"""Square, turned, padded crops of a photo, sampled from a pyramid so that nothing aliases."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image


@dataclass(frozen=True)
class Crop:
    """A square of the photo; it may be turned and may reach beyond the photo."""

    center: tuple[float, float]
    """x, y in pixels of the photo."""
    size: float
    """Side in pixels of the photo."""
    angle: float = 0.0
    """Radians that the crop's x axis is turned clockwise (as one sees it) from the photo's."""

    def to_photo(self, points: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """From fractions of the crop, (0, 0) top left and (1, 1) bottom right, to photo pixels."""
        return (points - 0.5) * self.size @ self.axes() + self.center

    def from_photo(self, points: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Inverse of `to_photo`."""
        return (points - np.array(self.center)) @ self.axes().T / self.size + 0.5

    @property
    def quarter_turns(self) -> int | None:
        """How many quarter turns `angle` is; None if it is not a whole number."""
        quarters = self.angle / (math.pi / 2)
        return round(quarters) if quarters == round(quarters) else None

    def axes(self) -> Float[np.ndarray, "2 2"]:
        """Rows: the crop's x and y axis in the photo. Quarter turns are exact."""
        if self.quarter_turns is not None:
            cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[self.quarter_turns % 4]
        else:
            cosine, sine = math.cos(self.angle), math.sin(self.angle)
        return np.array([[cosine, sine], [-sine, cosine]], dtype=np.float64)


class Pyramid:
    """A photo and its halvings, each made when first needed."""

    def __init__(self, pixels: UInt8[np.ndarray, "height width 3"]) -> None:
        self._levels = [Image.fromarray(pixels)]
        self.width, self.height = self._levels[0].size

    def sample(self, crop: Crop, cells: int) -> UInt8[np.ndarray, "cells cells 3"]:
        """The crop at `cells` x `cells`; what lies outside the photo is black.

        Pixels are averaged over powers of two until a cell is under two of them wide, and
        interpolated linearly from there.
        """
        level = max(0, math.floor(math.log2(crop.size / cells)))
        image, shrink = self._level(level), 0.5**level
        box = self._box_inside(crop)
        if box is not None:  # the same pixels, six times faster
            left, top, right, bottom = (edge * shrink for edge in box)
            right, bottom = min(right, image.width), min(bottom, image.height)
            straight = image.resize(
                (cells, cells), Image.Resampling.BILINEAR, box=(left, top, right, bottom)
            )
            return np.ascontiguousarray(np.rot90(np.asarray(straight), crop.quarter_turns or 0))
        axes = crop.axes() * (crop.size / cells * shrink)
        corner = crop.to_photo(np.zeros(2)) * shrink
        (ax, ay), (bx, by) = axes
        affine = (ax, bx, corner[0], ay, by, corner[1])
        sampled = image.transform(
            (cells, cells), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR
        )
        return np.array(sampled)

    def _box_inside(self, crop: Crop) -> tuple[float, float, float, float] | None:
        """The crop's left, top, right, bottom if it is not turned askew and inside the photo."""
        (x, y), half = crop.center, crop.size / 2
        inside = x - half >= 0 and y - half >= 0
        inside = inside and x + half <= self.width and y + half <= self.height
        if crop.quarter_turns is None or not inside:
            return None
        return x - half, y - half, x + half, y + half

    def _level(self, level: int) -> Image.Image:
        while len(self._levels) <= level:
            self._levels.append(self._levels[-1].reduce(2))
        return self._levels[level]
