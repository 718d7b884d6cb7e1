"""Radial lens distortion as a table over the radius, as phones with a depth camera give it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_STEPS = 30
"""Fixed-point steps of the inverse: each gains two digits at the few percent of real lenses."""


@dataclass(frozen=True)
class RadialTable:
    """straight = centre + (1 + m(r)) (seen - centre), with r the distance of `seen` to the centre.

    m is linear between entries that are spread evenly from the centre to `radius`, and constant
    beyond. This is Apple's `lensDistortionLookupTable` (AVCameraCalibrationData).
    """

    centre: Float[np.ndarray, "2"]
    """Of the distortion, pixels."""
    radius: float
    """Pixels at the last entry: the distance of the farthest corner of the picture."""
    values: Float[np.ndarray, " entries"]
    """m at each entry."""

    def straight(self, pixels: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Where a pinhole camera would have seen what this lens shows at `pixels`."""
        return self.centre + self._factor(pixels) * (pixels - self.centre)

    def seen(self, pixels: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Where this lens shows what a pinhole camera sees at `pixels`."""
        out = pixels
        for _ in range(_STEPS):
            out = self.centre + (pixels - self.centre) / self._factor(out)
        return out

    def _factor(self, pixels: np.ndarray) -> np.ndarray:
        distance = np.linalg.norm(pixels - self.centre, axis=-1)
        entries = np.linspace(0.0, self.radius, len(self.values))
        return 1 + np.interp(distance, entries, self.values)[..., None]

    def scaled(self, factor: float) -> "RadialTable":
        """The same lens for a picture of another size."""
        return RadialTable(self.centre * factor, self.radius * factor, self.values)


def farthest_corner(centre: Float[np.ndarray, "2"], size: Sequence[int] | Sequence[float]) -> float:
    """Distance from `centre` to the farthest corner of a picture of width and height `size`."""
    return float(np.hypot(*np.maximum(centre, np.asarray(size) - centre)))
