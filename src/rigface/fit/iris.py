"""What an iris tells: where an eye looks, and how large the head is.

A visible iris measures 11.7 mm across, in children as in adults, with a spread of 0.5 mm. So its
size in the picture, at the depth of the fitted eyeball, gives the one number that a single picture
of a head cannot: millimetres. Only its width counts, because lids hide its top and bottom; seen
from the side it is shortened by the cosine between gaze and view.

The detector does not read the width itself. It has seen irises of the usual size, so it follows a
wider or narrower one only in part, and it reads too little where the nose or the lids hide a side.
`reading` is how it does so on renders of known heads (`tools/measure_iris.py`, docs/photos.md);
without it the pictures of one person from the front and from the side would say different sizes.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from rigface.cameras import Camera
from rigface.evidence.face import FaceObservation

IRIS_MM, IRIS_SIGMA_MM = 11.7, 0.5
_FOLLOWED = 0.67
"""How much of the logarithm of true width over usual width is seen in the width that is read."""
_NARROWED = {"nose": 0.33, "temple": 0.12}
"""Logarithm by which too little is read of an eye that the camera sees from its side of the nose or
of the temple: times the square of the sine of the angle to the side."""
_READ, _READ_PX = 0.027, 0.3
"""Standard deviation of the logarithm that is read of one eye from the front: the relative part,
and pixels over those of the width."""
_READ_TURNED = {"nose": 0.33, "temple": 0.25}
"""And from the side, times the same square."""
_TRUST = 1.25
"""Factor on it for what renders do not show; chosen on ten heads that nothing else was made of."""
_FLATTEST = 0.6
"""Cosine of the steepest angle at which an iris is still read."""
_RADIUS = 0.45
"""Of an iris, in radii of the eyeball."""
_MAX_TURN = np.radians(40.0)


@dataclass(frozen=True)
class Gaze:
    """Direction of one eye relative to the head: radians, to the subject's left and upwards."""

    left: float
    up: float

    @property
    def direction(self) -> Float[np.ndarray, "3"]:
        """The same as a unit vector in model space."""
        level = np.cos(self.up)
        return np.array([np.sin(self.left) * level, np.sin(self.up), np.cos(self.left) * level])


@dataclass(frozen=True)
class HeadSize:
    """Metres of the head per metre of the fitted model, and how sure that is."""

    scale: float
    log_sigma: float
    from_iris: float | None
    """The iris' own answer before it meets the population's; None where no iris is seen."""
    how: Literal["iris", "population", "cameras"]
    """What told it."""

    def interval(self) -> tuple[float, float]:
        """95 % of the scale."""
        spread = float(np.exp(1.96 * self.log_sigma))
        return self.scale / spread, self.scale * spread


def gaze(
    centre: Float[np.ndarray, "3"], radius: float, pixel: Float[np.ndarray, "2"], camera: Camera
) -> Gaze:
    """Where an eyeball looks whose iris is seen at `pixel`; model space, metres.

    The ray through the pixel meets the sphere on which iris centres lie, or passes closest to it.
    """
    reach = radius * np.sqrt(1 - _RADIUS**2)
    origin = camera.position.numpy()
    ray = camera.rays(torch.from_numpy(pixel[None]))[0].numpy()
    along = float((centre - origin) @ ray)
    miss = origin + along * ray - centre
    depth = np.sqrt(max(reach**2 - float(miss @ miss), 0.0))
    look = miss - depth * ray
    look /= np.linalg.norm(look)
    left = np.arctan2(look[0], look[2])
    up = np.arcsin(np.clip(look[1], -1.0, 1.0))
    return Gaze(*(float(np.clip(a, -_MAX_TURN, _MAX_TURN)) for a in (left, up)))


@dataclass(frozen=True)
class Width:
    """Of one iris, as its landmarks have it."""

    metres: float
    """Of model space, at the depth of the eyeball, seen straight on."""
    pixels: float
    towards: Float[np.ndarray, "3"]
    """From the eye to the camera, model space."""


def width(
    iris: Float[np.ndarray, "5 2"], centre: Float[np.ndarray, "3"], radius: float, camera: Camera
) -> Width | None:
    """What the landmarks of one iris measure on its eyeball; None where it is seen too flat."""
    towards = camera.position.numpy() - centre
    towards /= np.linalg.norm(towards)
    way = gaze(centre, radius, iris[0], camera).direction
    flat = float(np.hypot(way[0], way[2]) * np.hypot(towards[0], towards[2]))
    shortened = float(way[0] * towards[0] + way[2] * towards[2]) / max(flat, 1e-9)
    if shortened < _FLATTEST:
        return None
    pixels = float(np.linalg.norm(iris[1] - iris[3]))
    front = centre + radius * towards
    _, depth = camera.project(torch.from_numpy(front[None]))
    metres = pixels / shortened * float(depth[0]) / float(camera.focal.mean())
    return Width(metres, pixels, towards) if metres > 0 else None


def reading(towards: Float[np.ndarray, "3"], is_left: bool, across: float) -> tuple[float, float]:
    """Mean and standard deviation of log(width read / usual width) of an iris of the usual width.

    `towards` is the direction from the eye to the camera in model space, `across` the width that is
    read in pixels.
    """
    turned = float(towards[0] ** 2 / (towards[0] ** 2 + towards[2] ** 2))
    side = "nose" if (towards[0] < 0) == is_left else "temple"
    spread = np.linalg.norm([_READ, _READ_TURNED[side] * turned, _READ_PX / across])
    return -_NARROWED[side] * turned, _TRUST * float(spread)


def head_size(
    face: FaceObservation,
    centres: Float[np.ndarray, "2 3"],
    radii: Float[np.ndarray, "2"],
    camera: Camera,
    prior_sigma: float,
) -> HeadSize:
    """The size that irises and population agree on; right eye first, model space in metres.

    `prior_sigma` is the spread of the logarithm of head size in the population.
    """
    logs, variances = [], []
    for side in np.flatnonzero(face.iris_seen):
        found = width(face.iris[side], centres[side], float(radii[side]), camera)
        if found is not None:
            mean, sigma = reading(found.towards, bool(side), found.pixels)
            wider = np.log(1000 * found.metres / IRIS_MM) - mean
            logs.append(-wider / _FOLLOWED)
            variances.append((sigma / _FOLLOWED) ** 2)
    if not logs:
        return HeadSize(1.0, prior_sigma, None, "population")
    share = 1 / np.array(variances)
    seen = float(np.average(logs, weights=share))
    # Both are read off one look at the face: two are no surer than one.
    variance = float(np.average(variances, weights=share)) + (IRIS_SIGMA_MM / IRIS_MM) ** 2
    trust = 1 / variance + 1 / prior_sigma**2
    return HeadSize(
        scale=float(np.exp(seen / variance / trust)),
        log_sigma=float(trust**-0.5),
        from_iris=float(np.exp(seen)),
        how="iris",
    )
