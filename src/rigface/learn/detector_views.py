"""What the face detector sees on renders of known heads: the data of its error.

Heads of the population in random skin tones, mostly with hair, half of the pictures with some
expression, from the front to 60 degrees to either side, through lenses from 26 to 110 mm, in random
light in front of something out of focus. Each head has its own random numbers: its pictures do not
depend on which heads come before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.cameras import Camera
from rigface.cameras.camera import orbiting
from rigface.evidence.photo import Photo
from rigface.fit.parts import Head, assemble_head
from rigface.io.image import DIAGONAL_35MM
from rigface.perception import FaceDetector
from rigface.progress import NullProgress, Progress
from rigface.render.background import out_of_focus
from rigface.render.head import head_openness
from rigface.render.head_paint import HeadPaint, Palette
from rigface.render.lighting import Lighting
from rigface.render.sensor import with_sensor_noise
from rigface.render.shade import render
from rigface.rig.landmark_embedding import SKIN_COUNT, load_landmark_embedding
from rigface.rig.template import Template

DARKEST, HAIRY = 0.95, 0.7
"""Of the tones of `Palette.of_tone`, and share of heads with hair."""
FRONTAL, TURNED = 15.0, 60.0
"""Degrees of yaw to either side: of a head's first picture, and of the others."""
PITCH, ROLL = 6.0, 5.0
"""Standard deviations, degrees."""
LENSES = (26.0, 110.0)
"""35 mm equivalents, millimetres; their logarithm is even between."""
FACE, FACE_SHARE = 0.2, (0.42, 0.6)
"""So many metres fill this share of the picture's height."""
TARGET, TARGET_SPREAD = np.array([0.0, -0.03, 0.03]), 0.008
"""Metres, model space: what is in the middle of the picture."""
MOST_SHAPES, SHAPE_WEIGHT = 4, (0.1, 0.7)
"""Of an expression."""
LEFT_OUT = ("tongue", "eyeLook", "cheekPuff", "mouthClose")
"""Shapes that no landmark on the skin tells, or that need others."""


@dataclass(frozen=True)
class ViewsConfig:
    """How many pictures, and how large."""

    per_head: int = 4
    """The first is almost frontal; the second half shows expressions."""
    size: int = 560
    """Pixels, a square."""
    seed: int = 5


@dataclass(frozen=True)
class DetectedView:
    """One picture in which the detector found the face."""

    head: int
    """Number in the population."""
    place: Float[np.ndarray, "marks 3"]
    """The embedding of the 468 landmarks on the posed skin: metres, model space."""
    camera: Camera
    """cam_from_model."""
    seen: Float[np.ndarray, "marks 2"]
    """The detector's landmarks, pixels."""
    visible: Bool[np.ndarray, " marks"]
    """Known, and not hidden in the detector's opinion: where a fit would use it."""
    source: str
    """The detector and its version."""


def detect_views(
    heads: Float[np.ndarray, "heads skin 3"],
    template: Template,
    detector: FaceDetector,
    config: ViewsConfig = ViewsConfig(),
    progress: Progress | None = None,
) -> list[DetectedView]:
    """All pictures of all heads (skins in model space) in which a face was found, in order."""
    watch, out = NullProgress() if progress is None else progress, []
    for number, skin in enumerate(heads):
        out += head_views(number, skin, template, detector, config)
        watch.update((number + 1) / len(heads), f"{len(out)} faces found")
    return out


def head_views(
    number: int,
    skin: Float[np.ndarray, "skin 3"],
    template: Template,
    detector: FaceDetector,
    config: ViewsConfig = ViewsConfig(),
) -> list[DetectedView]:
    """One head's pictures; `number` and the seed decide everything that is drawn."""
    rng = np.random.default_rng([config.seed, number])
    found = []
    for vertices, camera, photo in take_pictures(skin, template, config, rng):
        faces = detector.detect(photo)
        if faces:
            seen = faces[0].landmarks[:SKIN_COUNT]
            known = faces[0].visible[:SKIN_COUNT] & np.isfinite(seen).all(axis=1)
            place = load_landmark_embedding().positions(vertices)[:SKIN_COUNT]
            found.append(DetectedView(number, place, camera, seen, known, faces[0].source))
    return found


def take_pictures(
    skin: Float[np.ndarray, "skin 3"],
    template: Template,
    config: ViewsConfig,
    rng: np.random.Generator,
    irises: float = 1.0,
) -> Iterator[tuple[Float[np.ndarray, "verts 3"], Camera, Photo]]:
    """The posed head, the camera and the photo of each of a head's views.

    `irises` is how many times as wide as usual for eyes of that size the irises are.
    """
    head = assemble_head(template, skin, np.tile(np.eye(3), (len(skin), 1, 1)))
    openness = head_openness(template, torch.from_numpy(head.vertices))
    palette, hair = Palette.of_tone(rng.uniform(0, DARKEST)), rng.uniform() < HAIRY
    paint = HeadPaint.of_template(template, palette, hair=hair).with_irises(irises)
    for view in range(config.per_head):
        vertices = _expressive(head, rng) if 2 * view >= config.per_head else head.vertices
        camera = _camera(FRONTAL if view == 0 else TURNED, config.size, rng)
        photo = _photo(vertices, paint, openness, camera, rng)
        yield vertices, camera, photo


def _expressive(head: Head, rng: np.random.Generator) -> Float[np.ndarray, "verts 3"]:
    names = [name for name in head.expressions.names if not name.startswith(LEFT_OUT)]
    vertices = head.vertices.copy()
    for name in rng.choice(names, rng.integers(1, MOST_SHAPES + 1), replace=False):
        ids: Int[np.ndarray, " some"]
        ids, offset = head.expressions.of(str(name))
        vertices[ids] += rng.uniform(*SHAPE_WEIGHT) * offset
    return vertices


def _camera(widest: float, size: int, rng: np.random.Generator) -> Camera:
    yaw = np.radians(rng.uniform(-widest, widest))
    pitch, roll = np.radians(rng.normal(0, PITCH)), np.radians(rng.normal(0, ROLL))
    lens = np.exp(rng.uniform(*np.log(LENSES)))
    focal = float(lens / DIAGONAL_35MM * np.hypot(size, size))
    distance = float(focal * FACE / (rng.uniform(*FACE_SHARE) * size))
    target = TARGET + rng.normal(scale=TARGET_SPREAD, size=3)
    return orbiting(target.tolist(), yaw, pitch, distance, focal, (size, size), roll=roll)


def _photo(
    vertices: np.ndarray,
    paint: HeadPaint,
    openness: Float[Tensor, " verts"],
    camera: Camera,
    rng: np.random.Generator,
) -> Photo:
    lighting = _lighting(rng)
    behind = torch.from_numpy(out_of_focus(camera.size, rng))
    at = torch.from_numpy(vertices)
    clean = render(at, paint.faces, camera, paint, lighting, behind, openness=openness)
    return Photo(with_sensor_noise(clean, rng))


def _lighting(rng: np.random.Generator) -> Lighting:
    """Light from all sides, a key lamp from in front, seldom from below, and a fill."""
    tint = rng.uniform(0.85, 1.1, size=3)
    ambient = tuple(rng.uniform(0.12, 0.5) * tint)
    key_from = (rng.uniform(-1, 1), rng.uniform(-0.2, 1), rng.uniform(0.3, 1))
    key = tuple(rng.uniform(0.3, 0.85) * rng.uniform(0.9, 1.1, size=3))
    fill_from = (rng.uniform(-1, 1), rng.uniform(-0.3, 0.6), rng.uniform(0.3, 1))
    return Lighting.of(ambient, [(key_from, key), (fill_from, rng.uniform(0, 0.2))])
