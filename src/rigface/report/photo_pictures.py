"""Pictures to judge a photo fit by: landmarks and mesh in the photo, and how sure the shape is."""

import io
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from rigface.cameras import Camera
from rigface.cameras.camera import orbiting
from rigface.fit.photo_result import PhotoResult
from rigface.render.albedo import VertexColours
from rigface.render.rasterise import rasterise
from rigface.render.shade import render
from rigface.report.colormap import magma
from rigface.rig.landmark_embedding import load_landmark_embedding

SIDE = 720
"""Pixels of one panel."""
_MARGIN = 0.45
_SEEN, _FITTED = (80, 220, 255), (255, 90, 120)
_CLAY = (0.75, 0.72, 0.68)


def overlay(result: PhotoResult, view: int = 0) -> Image.Image:
    """Two panels of the face in one photo: landmarks (seen and fitted), and the fitted surface."""
    crop, camera = _crop(result, view)
    return _side_by_side(
        [_landmarks(result, view, crop, camera), _mesh(result, view, crop, camera)]
    )


def uncertainty(result: PhotoResult, limit_mm: float = 4.0) -> Image.Image:
    """The neutral head from the front and from the side, coloured by the shape's sigma."""
    sigma = np.zeros(len(result.neutral))
    sigma[: len(result.sigma)] = 1000 * result.sigma
    colours = magma(sigma / limit_mm)
    faces = torch.from_numpy(result.template.mesh.faces)
    paint = VertexColours(torch.from_numpy(np.ascontiguousarray(colours)).float(), faces)
    panels = []
    for yaw in (0.0, 0.9):
        camera = orbiting((0.0, -0.02, -0.03), yaw, 0.0, 1.0, 3.4 * SIDE, (SIDE, SIDE))
        picture = render(
            torch.from_numpy(result.neutral).float(),
            faces,
            camera,
            paint,
            background=(1.0, 1.0, 1.0),
        )
        panels.append(Image.fromarray(picture))
    image = _side_by_side(panels)
    draw = ImageDraw.Draw(image)
    text = f"standard deviation of the shape: light 0, dark {limit_mm:g} mm and more"
    draw.text((16, SIDE - 28), text, fill=(40, 40, 40), font_size=18)
    return image


def png(image: Image.Image | UInt8[np.ndarray, "height width 3"]) -> bytes:
    """The bytes of a PNG; level 2 takes half the time of 4 and a sixth more room."""
    out = io.BytesIO()
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    picture.save(out, format="PNG", compress_level=2)
    return out.getvalue()


def _crop(result: PhotoResult, view: int) -> tuple[UInt8[np.ndarray, "side side 3"], Camera]:
    """A square around the face at the size of a panel, and its camera."""
    shown = result.views[view]
    left, top, right, bottom = shown.face.box
    half = (0.5 + _MARGIN) * max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2 - 0.1 * half
    x0, y0, x1, y1 = (round(v) for v in (x - half, y - half, x + half, y + half))
    box = (x0, y0, x1, y1)
    picture = Image.fromarray(shown.photo.pixels).crop(box)
    width = box[2] - box[0]
    camera = shown.camera.cropped(box[0], box[1], (width, box[3] - box[1])).scaled(SIDE / width)
    resized = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(resized), replace(camera, size=(SIDE, SIDE))


def _landmarks(result: PhotoResult, view: int, crop: np.ndarray, camera: Camera) -> Image.Image:
    shown = result.views[view]
    image = Image.fromarray(crop)
    draw = ImageDraw.Draw(image)
    factor = float(camera.focal[0] / shown.camera.focal[0])
    shift = (camera.centre - shown.camera.centre * factor).numpy()
    given = shown.face.given_ibug68
    known = shown.face.landmarks if given is None else given
    seen = known * factor + shift
    fitted = embedded_landmarks(result, view, given is not None)
    found, _ = camera.project(torch.from_numpy(fitted))
    for a, b in zip(seen, found.numpy(), strict=True):
        draw.line([*a, *b], fill=(255, 255, 255), width=1)
    for points, colour in ((seen, _SEEN), (found.numpy(), _FITTED)):
        for px, py in points:
            draw.ellipse([px - 1.6, py - 1.6, px + 1.6, py + 1.6], fill=colour)
    draw.text((12, 10), "seen", fill=_SEEN, font_size=20)
    draw.text((12, 34), "fitted", fill=_FITTED, font_size=20)
    return image


def _mesh(result: PhotoResult, view: int, crop: np.ndarray, camera: Camera) -> Image.Image:
    vertices = torch.from_numpy(result.posed(view)).float()
    faces = torch.from_numpy(result.template.mesh.faces)
    clay = VertexColours(torch.tensor(_CLAY).repeat(len(vertices), 1), faces)
    shaded = render(vertices, faces, camera, clay)
    inside = (rasterise(vertices, faces, camera).face >= 0).numpy()[..., None]
    return Image.fromarray(np.where(inside, 0.25 * crop + 0.75 * shaded, crop).astype(np.uint8))


def embedded_landmarks(
    result: PhotoResult, view: int, ibug: bool = False
) -> Float[np.ndarray, "marks 3"]:
    """The 478 landmarks, or the iBUG-68, on the head as one photo shows it. Model space."""
    embedding = load_landmark_embedding()
    vertices = result.posed(view)
    return embedding.ibug68(vertices) if ibug else embedding.positions(vertices)


def _side_by_side(panels: list[Image.Image]) -> Image.Image:
    out = Image.new("RGB", (sum(p.width for p in panels), panels[0].height))
    left = 0
    for panel in panels:
        out.paste(panel, (left, 0))
        left += panel.width
    return out
