"""Lenses of camera files: a pinhole, and what bends its picture, which has to be next to nothing.

The model is Brown's, as COLMAP, OpenCV, nerfstudio and Metashape have it. On the plane z = 1, with
r the distance from the axis, a point (x, y) moves to

    x (1 + k1 r^2 + k2 r^4 + ...) + 2 p1 x y + p2 (r^2 + 2 x^2)
    y (1 + k1 r^2 + k2 r^4 + ...) + 2 p2 x y + p1 (r^2 + 2 y^2)
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from rigface.cameras import Camera
from rigface.errors import InputError

MAX_BEND = 2.0
"""Pixels; landmarks are not read more closely than this in a picture of any size."""
_NO_BEND = 0.01
_NOT_ORTHONORMAL = 1e-3
_LOOKS = 17
_FOCAL = 0.05, 1000.0
"""Shortest and longest focal length that is believed, in lengths of the picture's longer side."""
_FURTHEST = 100.0
"""Of the principal point from the corner, in the same unit."""


@dataclass(frozen=True)
class Lens:
    """Intrinsics of one camera as its file has them; pixels, first pixel's centre at 0.5."""

    size: tuple[int, int]
    """Width and height."""
    focal: tuple[float, float]
    centre: tuple[float, float]
    radial: tuple[float, ...] = ()
    """k1, k2, ..."""
    tangential: tuple[float, float] = (0.0, 0.0)
    """p1 and p2 in OpenCV's order."""
    skew: float = 0.0
    """Pixels to the right per unit of y."""

    def bend(self) -> float:
        """How far distortion and skew move any place of the picture, corners included; pixels."""
        x, y = (
            (np.linspace(0, side, _LOOKS) - centre) / focal
            for side, centre, focal in zip(self.size, self.centre, self.focal, strict=True)
        )
        x, y = np.meshgrid(x, y)
        square = x**2 + y**2
        p1, p2 = self.tangential
        with np.errstate(over="ignore", invalid="ignore"):  # a damaged file may hold any number
            stretch = sum(k * square ** (power + 1) for power, k in enumerate(self.radial))
            right = x * stretch + 2 * p1 * x * y + p2 * (square + 2 * x**2)
            down = y * stretch + 2 * p2 * x * y + p1 * (square + 2 * y**2)
            moved = np.hypot(self.focal[0] * right + self.skew * (y + down), self.focal[1] * down)
        return float(np.nan_to_num(moved, nan=np.inf).max())

    def straight(self, where: str, undistort: str) -> str | None:
        """A note where a distortion is ignored.

        Raises InputError where it is too large for that; `undistort` says how to get rid of it.
        """
        bend = self.bend()
        if bend > MAX_BEND:
            raise InputError(
                f"{where} has lens distortion that moves the picture by up to {bend:.1f} px; only "
                f"pinhole cameras are used, and at most {MAX_BEND:.0f} px can be ignored. "
                f"Undistort the pictures first: {undistort}."
            )
        if bend <= _NO_BEND:
            return None
        return f"lens distortion of up to {bend:.1f} px was ignored"

    def camera(
        self,
        rotation: Float[np.ndarray, "3 3"] | None = None,
        translation: Float[np.ndarray, "3"] | None = None,
    ) -> Camera:
        """The pinhole camera at a cam_from_world, or at the origin; float64."""
        rotation = np.eye(3) if rotation is None else rotation
        translation = np.zeros(3) if translation is None else translation
        return Camera(
            focal=torch.tensor(self.focal, dtype=torch.float64),
            centre=torch.tensor(self.centre, dtype=torch.float64),
            size=self.size,
            rotation=torch.from_numpy(np.ascontiguousarray(rotation)),
            translation=torch.from_numpy(np.ascontiguousarray(translation)),
        )


def check_numbers(values: list[float], names: tuple[str, ...], where: str) -> None:
    """Width, height, focal lengths and principal point come first: finite, and of a real camera.

    Raises InputError.
    """
    bad = [name for name, value in zip(names, values, strict=True) if not np.isfinite(value)]
    if bad:
        raise InputError(f"{where} lacks a finite number for {', '.join(bad)}.")
    if min(values[:4]) <= 0 or values[0] % 1 or values[1] % 1:
        raise InputError(
            f"{where}: {', '.join(names[:4])} must be above zero, sizes in whole pixels."
        )
    side = max(values[:2])
    focal, centre = np.array(values[2:4]) / side, np.array(values[4:6]) / side
    if focal.min() < _FOCAL[0] or focal.max() > _FOCAL[1] or np.abs(centre).max() > _FURTHEST:
        raise InputError(
            f"{where}: focal length {values[2]:g}, {values[3]:g} and principal point "
            f"{values[4]:g}, {values[5]:g} are no pixels of a picture of {values[0]:g} x "
            f"{values[1]:g}."
        )


def check_rotation(rotation: Float[np.ndarray, "3 3"], key: str, where: str) -> None:
    """Raises InputError unless the matrix is a rotation, to what few printed digits leave."""
    off = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if not off <= _NOT_ORTHONORMAL or np.linalg.det(rotation) < 0:
        raise InputError(
            f"{where}: the upper left 3x3 of '{key}' is no rotation (off by {off:.2g}). "
            "Scale and mirror images must be taken out first."
        )
