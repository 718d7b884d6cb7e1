"""Heads and cameras that the detector is shown, and what it says about them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from rigface.cameras import Camera, orbiting
from rigface.render.head import head_openness, render_head
from rigface.render.head_paint import Palette
from rigface.render.lighting import Lighting
from rigface.rig.template import Template

TARGET = (0.0, -0.035, 0.02)
DISTANCE = 0.65
SIZE = 512
FOCAL = 1250.0
"""Pixels; the face takes about 60 % of the picture."""
YAW, PITCH = np.radians(28), np.radians(10)
ANGLES = ((0.0, 0.0), (YAW, 0.0), (-YAW, 0.0), (0.0, PITCH), (0.0, -PITCH))
SPREAD = 0.8
"""Of the identities, in standard deviations of the embedded population."""
JAW = (0.35, 0.7)
_LIGHTS = (
    Lighting.of(0.45, [((-0.4, 0.6, 1.0), 0.55)]),
    Lighting.of(0.45, [((0.5, 0.4, 1.0), 0.55)]),
    Lighting.of(0.75, [((0.0, 0.5, 1.0), 0.25)]),
)


@dataclass(frozen=True)
class View:
    """One picture of one head."""

    head: int
    jaw: float
    """Weight of jawOpen."""
    vertices: np.ndarray
    camera: Camera
    picture: np.ndarray


def views(template: Template, heads: int, seed: int, first_is_template: bool) -> Iterator[View]:
    """Each head with a closed and with an open mouth, from five sides."""
    rng = np.random.default_rng(seed)
    index, offset = template.expressions.of("jawOpen")
    for head in range(heads):
        vertices = template.mesh.vertices + template.shape_mean
        weights = np.clip(rng.normal(size=len(template.shape_modes)) * SPREAD, -2, 2)
        vertices = vertices + np.tensordot(weights, template.shape_modes.astype(float), 1)
        if head == 0 and first_is_template:
            vertices = template.mesh.vertices.copy()
        palette = Palette.of_tone(rng.uniform(0.0, 0.9))
        for jaw in (0.0, rng.uniform(*JAW)):
            posed = vertices.copy()
            posed[index] += jaw * offset
            light = _LIGHTS[rng.integers(len(_LIGHTS))]
            yield from _around(template, head, jaw, posed, palette, light)


def _around(
    template: Template,
    head: int,
    jaw: float,
    vertices: np.ndarray,
    palette: Palette,
    light: Lighting,
) -> Iterator[View]:
    tensor = torch.from_numpy(vertices)
    openness = head_openness(template, tensor)
    for yaw, pitch in ANGLES:
        camera = orbiting(TARGET, float(yaw), float(pitch), DISTANCE, FOCAL, (SIZE, SIZE))
        picture = render_head(template, tensor, camera, palette, light, openness=openness)
        yield View(head, jaw, vertices, camera, picture)


class Detector:
    """MediaPipe's face mesh with iris, 0.10.21, the weights of its wheel."""

    def __init__(self):
        from mediapipe.python.solutions.face_mesh import FaceMesh

        self._mesh = FaceMesh(
            static_image_mode=True,
            refine_landmarks=True,
            max_num_faces=1,
            min_detection_confidence=0.3,
        )

    def __call__(self, picture: np.ndarray) -> np.ndarray | None:
        """(478, 2) pixels, origin at the picture's corner; None without a face."""
        found = self._mesh.process(np.ascontiguousarray(picture)).multi_face_landmarks
        if not found:
            return None
        height, width = picture.shape[:2]
        return np.array([(point.x * width, point.y * height) for point in found[0].landmark])
