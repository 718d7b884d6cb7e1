"""What an iris tells: where an eye looks, and how large the head is.

A visible iris measures 11.7 mm across, in children as in adults, with a spread of 0.5 mm. So its
size in the picture, at the depth of the fitted eyeball, gives the one number that a single picture
of a head cannot: millimetres. Only its width counts, because lids hide its top and bottom; seen
from the side it is shortened by the cosine between gaze and view.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from rigface.cameras import Camera
from rigface.evidence.face import FaceObservation

IRIS_MM, IRIS_SIGMA_MM = 11.7, 0.5
_READ, _READ_PX = 0.03, 0.8
"""Error of a diameter read from the landmarks of one eye: relative, and in pixels."""
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
    iris = face.iris
    for side in np.flatnonzero(face.iris_seen):
        way = gaze(centres[side], float(radii[side]), iris[side, 0], camera).direction
        towards = _towards(camera, centres[side])
        flat = float(np.hypot(way[0], way[2]) * np.hypot(towards[0], towards[2]))
        shortened = float(way[0] * towards[0] + way[2] * towards[2]) / max(flat, 1e-9)
        if shortened < _FLATTEST:
            continue
        across = float(np.linalg.norm(iris[side, 1] - iris[side, 3]))
        front = centres[side] + radii[side] * towards
        _, depth = camera.project(torch.from_numpy(front[None]))
        metres = across / shortened * float(depth[0]) / float(camera.focal.mean())
        if metres > 0:
            logs.append(np.log(IRIS_MM / (1000 * metres)))
            variances.append((_READ**2 + (_READ_PX / across) ** 2) / shortened**2)
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


def _towards(camera: Camera, point: np.ndarray) -> np.ndarray:
    way = camera.position.numpy() - point
    return way / np.linalg.norm(way)
