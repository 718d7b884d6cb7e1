"""The colour of an iris in a photo."""

import numpy as np
import torch
from jaxtyping import Float

from rigface.geometry.similarity import align_points
from rigface.io.color import linear_from_srgb
from rigface.render.attributes import interpolate
from rigface.render.head_paint import IRIS_RADIUS
from rigface.render.photo_sampler import MM, TextureView
from rigface.render.rasterise import rasterise
from rigface.rig.template import Template

_RING = (0.45 * IRIS_RADIUS, 0.88 * IRIS_RADIUS)
"""Between a wide pupil and the dark rim."""
_LEAST = 12
"""Pixels of the ring below which its colour is not known."""
_BRIGHT, _DARK = 0.85, 0.15
"""Quantiles of luminance cut off: reflections; lashes and the pupil."""
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def iris_colour(
    template: Template, view: TextureView, side: str | None = None
) -> Float[np.ndarray, "3"] | None:
    """Linear RGB of the iris as the photo shows it; None where it is not seen.

    `side` is L or R, by default both together. The median over the ring between pupil and rim,
    without the brightest pixels (reflections) and the darkest (lashes).
    """
    sides = [side] if side else ["L", "R"]
    rings = [_ring(template, view, name) for name in sides]
    light = linear_from_srgb(np.concatenate(rings).astype(np.float64) / 255.0)
    if len(light) < _LEAST:
        return None
    brightness = light @ _LUMINANCE
    low, high = np.quantile(brightness, [_DARK, _BRIGHT])
    kept = (brightness >= low) & (brightness <= high)
    return np.median(light[kept], axis=0)


def _ring(template: Template, view: TextureView, side: str) -> np.ndarray:
    """The photo's pixels on one iris, sRGB codes."""
    part, ball = template.parts[f"eyeball.{side}"], template.eyeballs[side]
    moved = align_points(template.mesh.vertices[part.vertices], view.vertices[part.vertices])
    centre, gaze = moved.apply(ball.centre), moved.rotation @ ball.gaze
    camera = view.camera.to(torch.float64)
    front = torch.from_numpy(centre + moved.scale * ball.radius * gaze)[None]
    middle, depth = camera.project(front)
    if float(depth[0]) < 10 * MM:
        return np.zeros((0, 3), dtype=np.uint8)
    half = int(float(camera.focal.max()) * 2 * IRIS_RADIUS * moved.scale / float(depth[0])) + 2
    width, height = camera.size
    left, top = (int(v) for v in (middle[0] - half).floor().clamp(-1e6, 1e6))
    low = max(left, 0), max(top, 0)
    size = min(left + 2 * half, width) - low[0], min(top + 2 * half, height) - low[1]
    if min(size) < 1:
        return np.zeros((0, 3), dtype=np.uint8)
    vertices = torch.from_numpy(np.ascontiguousarray(view.vertices, dtype=np.float64))
    faces = torch.from_numpy(template.mesh.faces)
    seen = rasterise(vertices, faces, camera.cropped(*low, size))
    mine = (seen.face >= part.faces.start) & (seen.face < part.faces.stop)
    point = interpolate(vertices, faces, seen.face[mine], seen.bary[mine]).numpy() - centre
    away = np.linalg.norm(np.cross(point, gaze), axis=1) / moved.scale
    ring = (away > _RING[0]) & (away < _RING[1]) & (point @ gaze > 0)
    window = view.pixels[low[1] : low[1] + size[1], low[0] : low[0] + size[0]]
    return window[mine.numpy()][ring]
