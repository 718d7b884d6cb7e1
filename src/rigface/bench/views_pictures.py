"""Photo sets of a head for the views bench: seeded cameras of every kind, three kinds of light.

A draw is a list of cameras; its first N are the photos of the fit to N views, so a larger set
contains the smaller ones.
"""

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from rigface.bench.photo_paint import PaintedHead
from rigface.bench.photo_pictures import LIGHTS, SIZE
from rigface.cameras import Camera
from rigface.cameras.camera import orbiting
from rigface.evidence.photo import Photo
from rigface.geometry.similarity import Similarity
from rigface.io.color import srgb_codes
from rigface.io.image import DIAGONAL_35MM
from rigface.render.background import out_of_focus
from rigface.render.gloss import Gloss
from rigface.render.lighting import Lighting
from rigface.render.sensor import with_sensor_noise
from rigface.render.shade import render

Light = Literal["fixed", "varying", "glossy"]
LIGHTINGS: tuple[Light, ...] = ("fixed", "varying", "glossy")
"""One light for all views; another in every view; one light on glossy skin, with an exposure and a
white balance of every view's own."""
DRAWS = 10
MOST_VIEWS = 16
FOCALS = (35.0, 85.0)
"""35 mm equivalents, millimetres."""
DISTANCES = (0.4, 1.5)
"""Metres from the middle of the face."""
SHARES = (0.35, 0.65)
"""Of the picture's height that 0.2 m of face fill."""
YAW, PITCH, ROLL = (np.radians(angle) for angle in (60, 15, 5))
"""Largest turns either way."""
_FACE = 0.2
_TARGET = np.array([0.0, -0.03, 0.03])
"""Middle of a face from between the eyes, metres."""
_OFF_CENTRE = 0.02
"""Metres from that middle to the picture's, at most, sideways and upwards."""
_STOPS = 0.7
_TINT = 0.12
"""Largest change of exposure (powers of two) and of a channel's logarithm."""


@dataclass(frozen=True)
class ViewShot:
    """How one picture is taken; every number is uniform in its range."""

    head: str
    draw: int
    number: int
    """Within the draw, from 0."""

    @property
    def file(self) -> Path:
        """What the photo is called, as warnings name it."""
        return Path(f"view_{self.number + 1:02d}.png")

    @cached_property
    def camera(self) -> Camera:
        """cam_from_model: the head stands still in the light, the camera goes around it."""
        rng = self.random("camera")
        focal = rng.uniform(*FOCALS) / DIAGONAL_35MM * float(np.hypot(*SIZE))
        # Metres from which 0.2 m fill the whole height.
        filled = focal * _FACE / SIZE[1]
        nearest = max(DISTANCES[0], filled / SHARES[1])
        distance = rng.uniform(nearest, min(DISTANCES[1], filled / SHARES[0]))
        yaw, pitch, roll = rng.uniform(-1, 1, 3) * (YAW, PITCH, ROLL)
        target = _TARGET + rng.uniform(-1, 1, 3) * _OFF_CENTRE
        return orbiting(target.tolist(), yaw, pitch, distance, focal, SIZE, roll=roll)

    def lighting(self, light: Light) -> Lighting:
        """The light of a whole draw, or of this view alone."""
        fixed = tuple(LIGHTS.values())[self.draw % len(LIGHTS)]
        if light == "fixed":
            return fixed
        rng = self.random(light)
        if light == "varying":
            return _some_light(rng)
        exposure, balance = rng.uniform(-_STOPS, _STOPS), rng.uniform(-_TINT, _TINT, 3)
        return fixed.tinted((2**exposure * np.exp(balance)).tolist())

    def random(self, what: str) -> np.random.Generator:
        """Chance of this picture alone, the same in any company."""
        return np.random.default_rng(
            zlib.crc32(f"{self.head} {self.draw} {self.number} {what}".encode())
        )


def shots(head: str, draw: int, views: int) -> tuple[ViewShot, ...]:
    """The first views of a draw."""
    return tuple(ViewShot(head, draw, number) for number in range(views))


def take_view(head: PaintedHead, shot: ViewShot, light: Light) -> Photo:
    """An sRGB photo that does not tell its focal length."""
    rng = shot.random("picture")
    lighting = shot.lighting(light)
    background = out_of_focus(SIZE, rng)
    if light == "glossy":
        background = background * _gains(shot.lighting("fixed"), lighting)
    clean = render(
        head.vertices,
        head.faces,
        shot.camera,
        head.albedo,
        lighting,
        torch.from_numpy(background),
        openness=head.openness,
        gloss=Gloss() if light == "glossy" else None,
    )
    return Photo(with_sensor_noise(clean, rng), source=shot.file)


def empty_photo(shot: ViewShot) -> Photo:
    """What the camera sees when nobody stands before it."""
    rng = shot.random("nobody")
    return Photo(with_sensor_noise(srgb_codes(out_of_focus(SIZE, rng)), rng), source=shot.file)


def world_from_model(head: str, draw: int) -> Similarity:
    """Where the head stands in the frame of the known cameras: anywhere, in metres."""
    rng = np.random.default_rng(zlib.crc32(f"{head} {draw} world".encode()))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return Similarity(1.0, turn * np.sign(np.linalg.det(turn)), rng.uniform(-2, 2, 3))


def in_world(camera: Camera, world: Similarity) -> Camera:
    """cam_from_world of a cam_from_model."""
    turn = torch.from_numpy(world.rotation)
    rotation = camera.rotation @ turn.T
    shift = rotation @ torch.from_numpy(world.translation)
    return camera.moved(rotation, camera.translation - shift)


def _some_light(rng: np.random.Generator) -> Lighting:
    """A lamp and a weaker one from before the head, and a sky."""
    sky = rng.uniform(0.15, 0.35) * rng.uniform(0.9, 1.1, 3)
    lamps = []
    for strength in (rng.uniform(0.35, 0.75), rng.uniform(0.0, 0.3)):
        way = (rng.uniform(-1.2, 1.2), rng.uniform(-0.3, 1.2), 1.0)
        lamps.append((way, (strength * rng.uniform(0.9, 1.1, 3)).tolist()))
    return Lighting.of(sky.tolist(), lamps)


def _gains(before: Lighting, after: Lighting) -> np.ndarray:
    """Linear RGB."""
    return (after.harmonics[0] / before.harmonics[0]).numpy().astype(np.float64)
