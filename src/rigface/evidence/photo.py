"""A photo as the fit sees it: upright sRGB pixels, and the focal length if the camera told it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8


@dataclass(frozen=True)
class Photo:
    """One photo, turned upright. Of its EXIF only the focal length is kept: no place, no date."""

    pixels: UInt8[np.ndarray, "height width 3"]
    """sRGB codes; row 0 is the top of the upright photo."""
    focal_px: float | None = None
    """Focal length in pixels of `pixels`, from the 35 mm equivalent; None if it is not told."""
    source: Path | None = None
    notes: tuple[str, ...] = ()
    """What the reader changed or ignored; they become warnings of the result."""
    scale: float = 1.0
    """Pixels of `pixels` per pixel of the upright file; below 1 where the reader reduced it."""

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def height(self) -> int:
        return self.pixels.shape[0]
