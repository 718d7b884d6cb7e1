"""Pictures for docs/photo_landmarks.md and docs/rendering.md."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from rigface.cameras import Camera, orbiting
from rigface.render.head import render_head
from rigface.render.head_paint import Palette
from rigface.render.visibility import visible_vertices
from rigface.rig.landmark_embedding import LandmarkEmbedding
from rigface.rig.template import Template

_SIZE = (480, 560)
_LIGHT = (0.8, 0.8, 0.8)


def draw(template: Template, embedding: LandmarkEmbedding, folder: Path) -> None:
    """`landmark_embedding.png` and `painted_heads.png`."""
    vertices = torch.from_numpy(template.mesh.vertices)
    row = []
    for yaw in (0.0, 45.0):
        camera = _camera(yaw, 0.0, 0.62, _SIZE)
        row.append(_marked(template, embedding, vertices, camera))
    _save(np.hstack(row), folder / "landmark_embedding.png")
    heads = [_painted(template, n) for n in range(4)]
    _save(np.hstack(heads), folder / "painted_heads.png")


def _camera(yaw: float, pitch: float, distance: float, size: tuple[int, int]) -> Camera:
    turn, tilt = float(np.radians(yaw)), float(np.radians(pitch))
    return orbiting((0.0, -0.03, 0.0), turn, tilt, distance, 3.5 * size[0] * distance, size)


def _marked(
    template: Template, embedding: LandmarkEmbedding, vertices: torch.Tensor, camera: Camera
) -> np.ndarray:
    """Red: skin; blue: irises; green: the outline where the view has one."""
    picture = Image.fromarray(
        render_head(template, vertices, camera, Palette(), background=_LIGHT, samples=3)
    )
    pen = ImageDraw.Draw(picture)
    faces = torch.from_numpy(template.mesh.faces)
    seen = visible_vertices(vertices, faces, camera).numpy()
    shown = np.append(seen[template.mesh.faces[embedding.face]].any(axis=1), np.ones(10, bool))
    points = camera.project(torch.from_numpy(embedding.positions(template.mesh.vertices)))[
        0
    ].numpy()
    for number in np.flatnonzero(shown):
        _dot(pen, points[number], (205, 30, 30) if number < 468 else (60, 150, 255), 1.6)
    outline = embedding.contour_points(template.mesh.vertices, camera)
    place = camera.project(torch.from_numpy(outline.position))[0].numpy()
    for point in place[outline.on_outline]:
        _dot(pen, point, (20, 150, 40), 3.0)
    return np.asarray(picture)


def _painted(template: Template, number: int) -> np.ndarray:
    yaw, jaw, tone = ((0, 0.0, 0.2), (32, 0.0, 0.5), (0, 0.6, 0.85), (-28, 0.3, 0.05))[number]
    vertices = template.mesh.vertices.copy()
    if number:
        weights = 0.7 * np.random.default_rng(number).normal(size=len(template.shape_modes))
        vertices += template.shape_mean + np.tensordot(
            weights, template.shape_modes.astype(float), 1
        )
    index, offset = template.expressions.of("jawOpen")
    vertices[index] += jaw * offset
    camera = _camera(yaw, 0.0, 0.7, (260, 300))
    return render_head(
        template, torch.from_numpy(vertices), camera, Palette.of_tone(tone), background=_LIGHT
    )


def _dot(pen: ImageDraw.ImageDraw, at: np.ndarray, colour: tuple, radius: float) -> None:
    x, y = at
    pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)


def _save(picture: np.ndarray, path: Path) -> None:
    palette = Image.fromarray(picture).quantize(128, dither=Image.Dither.NONE)
    palette.save(path, optimize=True)
