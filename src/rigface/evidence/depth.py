"""A depth frame: metres along the optical axis at every pixel, and the camera that saw them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8

from rigface.cameras import Camera
from rigface.cameras.lens import RadialTable


@dataclass(frozen=True)
class DepthFrame:
    """One frame of a depth camera, in metres, in the camera's own frame (OpenCV: z forward)."""

    depth: Float[np.ndarray, "height width"]
    """Metres along z; NaN where the sensor gave nothing."""
    camera: Camera
    """Pinhole camera of the depth picture at the origin of the frame."""
    lens: RadialTable | None = None
    """Distortion of depth and colour picture alike, in pixels of the depth picture."""
    pixels: UInt8[np.ndarray, "rows columns 3"] | None = None
    """sRGB picture of the same camera, any size of the same shape."""
    source: Path | None = None
    notes: tuple[str, ...] = ()
    """What the reader left out; they become warnings of the result."""

    @property
    def name(self) -> str:
        """Of the file, for messages."""
        return "the depth frame" if self.source is None else self.source.name

    @property
    def valid(self) -> Bool[np.ndarray, "height width"]:
        """Pixels with a depth."""
        return np.isfinite(self.depth)

    @cached_property
    def points(self) -> Float[np.ndarray, "height width 3"]:
        """Where each pixel lies, metres; NaN where the sensor gave nothing."""
        rows, columns = np.indices(self.depth.shape)
        pixels = np.stack([columns + 0.5, rows + 0.5], axis=-1)
        if self.lens is not None:
            pixels = self.lens.straight(pixels)
        focal, centre = self.camera.focal.numpy(), self.camera.centre.numpy()
        ray = np.concatenate([(pixels - centre) / focal, np.ones((*self.depth.shape, 1))], axis=-1)
        return ray * self.depth[..., None]
