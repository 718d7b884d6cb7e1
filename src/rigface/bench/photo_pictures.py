"""Pictures of a head for the photo bench: 3 lights, 5 yaw angles, 2 lenses, seeded chance."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from rigface.bench.photo_paint import PaintedHead
from rigface.cameras import Camera
from rigface.cameras.camera import orbiting
from rigface.evidence.photo import Photo
from rigface.io.image import DIAGONAL_35MM
from rigface.render.background import out_of_focus
from rigface.render.lighting import STUDIO, Lighting
from rigface.render.sensor import with_sensor_noise
from rigface.render.shade import render

SIZE = (640, 640)
YAWS = (-40, -20, 0, 20, 40)
"""Degrees; positive shows the subject's left side."""
LENSES = (35, 85)
"""35 mm equivalents, millimetres."""
LIGHTS: dict[str, Lighting] = {
    "studio": STUDIO,
    "side": Lighting.of(0.16, [((1.0, 0.35, 0.45), (0.85, 0.80, 0.72)), ((-0.6, 0.2, 0.8), 0.08)]),
    "sky": Lighting.of(
        (0.24, 0.26, 0.30), [((-0.15, 1.0, 0.35), (0.62, 0.60, 0.55)), ((0.2, -0.6, 0.7), 0.10)]
    ),
}
_FACE_SHARE = 0.5
"""Of the picture's height that 0.2 m of face fill."""
_FACE = 0.2
_TARGET = np.array([0.0, -0.03, 0.03])
"""Middle of a face from between the eyes, metres."""


@dataclass(frozen=True)
class Shot:
    """How one picture is taken."""

    yaw: int
    lens: int
    light: str
    told: bool
    """The file names its focal length, as the EXIF of a phone does; else the fit must guess."""

    @property
    def name(self) -> str:
        told = "told" if self.told else "untold"
        return f"yaw {self.yaw:+d}, {self.lens} mm {told}, {self.light}"


SHOTS = tuple(
    # A chessboard: every yaw, lens and light comes with and without the focal length.
    Shot(yaw, lens, light, (a + b + c) % 2 == 0)
    for (a, light), (b, yaw), (c, lens) in product(
        enumerate(LIGHTS), enumerate(YAWS), enumerate(LENSES)
    )
)


@dataclass(frozen=True)
class Picture:
    """A photo of a known head."""

    head: str
    shot: Shot
    photo: Photo
    camera: Camera
    """cam_from_model that took it, model space of the head."""


def pictures(
    head: PaintedHead, shots: tuple[Shot, ...] = SHOTS, size: tuple[int, int] = SIZE
) -> Iterator[Picture]:
    """One after the other; the same picture whatever else is taken."""
    for shot in shots:
        yield take(head, shot, size)


def take(head: PaintedHead, shot: Shot, size: tuple[int, int] = SIZE) -> Picture:
    """Yaw, pitch, roll, distance and framing vary a little, seeded by the head and the shot."""
    rng = np.random.default_rng(zlib.crc32(f"{head.name} {shot.name}".encode()))
    camera = _camera(shot, size, rng)
    background = out_of_focus(size, rng)
    clean = render(
        head.vertices,
        head.faces,
        camera,
        head.albedo,
        LIGHTS[shot.light],
        torch.from_numpy(background),
        openness=head.openness,
    )
    pixels = with_sensor_noise(clean, rng)
    focal = float(camera.focal[0]) if shot.told else None
    return Picture(head.name, shot, Photo(pixels, focal), camera)


def _camera(shot: Shot, size: tuple[int, int], rng: np.random.Generator) -> Camera:
    """The head stands still in the light; the camera goes around it."""
    focal = shot.lens / DIAGONAL_35MM * float(np.hypot(*size))
    distance = focal * _FACE / (_FACE_SHARE * size[1]) * rng.uniform(0.93, 1.07)
    yaw = np.radians(shot.yaw + rng.uniform(-3, 3))
    pitch = np.radians(rng.normal(0, 4))
    roll = np.radians(rng.normal(0, 4))
    target = _TARGET + rng.normal(scale=0.006, size=3)
    return orbiting(target.tolist(), yaw, pitch, distance, focal, size, roll=roll)
