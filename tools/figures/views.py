"""From five photos to one head: pictures of a head drawn from the shape space of the template,
painted, in another light each, and what `fit_photos` made of them without knowing a camera.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from rigface.bench.photo_fits import predicted
from rigface.bench.views_heads import eyes
from rigface.cameras import Camera
from rigface.cameras.camera import orbiting
from rigface.evidence.photo import Photo
from rigface.fit.photo import fit_photos
from rigface.fit.photo_result import PhotoResult
from rigface.fit.rig_asset import rig_asset
from rigface.fit.texture import dress, wear
from rigface.metrics.now import ScanFace
from rigface.metrics.point_to_plane import point_to_plane_errors
from rigface.render.background import out_of_focus
from rigface.render.head_paint import HeadPaint
from rigface.render.lighting import Lighting
from rigface.render.sensor import with_sensor_noise
from rigface.render.shade import render
from rigface.render.skin_detail import Detailed, SkinDetail
from rigface.rig.template import Template
from rigface.rig.template_io import load_template

from .hero import PAGE, drawn_head, heat, with_scale
from .photo import LIGHT, Materials
from .render import Look, View, over
from .render import render as trace

SEED, SIZE = 5, (640, 640)
YAWS, PITCHES = (-50.0, -24.0, 0.0, 27.0, 52.0), (4.0, -6.0, 8.0, -3.0, 5.0)
LAMPS = ((-0.9, 0.4), (0.8, 0.9), (-0.2, 0.6), (1.1, 0.2), (0.0, 1.1))
"""Where the light of each photo comes from: sideways and upwards, before the head."""
SMALL, LARGE, GAP = 216, 360, 34
LIMIT_MM = 1.5
NOSE_TIP, REACH = 30, 0.095
"""iBUG-68, and metres around it that are judged."""


@dataclass(frozen=True)
class Sitter:
    """A head that nobody has, and its colours."""

    template: Template
    vertices: Float[np.ndarray, "verts 3"]

    @staticmethod
    def drawn(template: Template) -> "Sitter":
        """Same numbers, same head."""
        return Sitter(template, drawn_head(template, np.random.default_rng(SEED)))

    def photo(self, number: int) -> Photo:
        """From its own side, in its own light."""
        rng = np.random.default_rng([SEED, number])
        vertices = torch.from_numpy(self.vertices)
        faces = torch.from_numpy(self.template.mesh.faces)
        paint = HeadPaint.of_template(self.template, mottle=0.0)
        albedo = Detailed(paint, SkinDetail(), vertices, faces, torch.tensor(eyes(self.vertices)))
        yaw, pitch = np.radians([YAWS[number], PITCHES[number]])
        distance = rng.uniform(0.6, 1.2)
        focal = SIZE[0] * distance / 0.36
        camera = orbiting((0.0, -0.035, 0.02), yaw, pitch, distance, focal, SIZE)
        across, up = LAMPS[number]
        light = Lighting.of(0.3, [((across, up, 1.0), 0.6)])
        back = torch.from_numpy(out_of_focus(SIZE, rng))
        clean = render(vertices, faces, camera, albedo, light, back)
        return Photo(with_sensor_noise(clean, rng), source=Path(f"photo_{number + 1}.jpg"))


def draw(folder: Path) -> None:
    """views.png."""
    template = load_template()
    sitter = Sitter.drawn(template)
    photos = [sitter.photo(number) for number in range(len(YAWS))]
    result = fit_photos(photos)
    asset = wear(rig_asset(result), dress(result))
    faces, look = torch.from_numpy(asset.faces), Materials(asset)
    vertices = torch.from_numpy(asset.vertices).float()
    page = (float(PAGE[0]), float(PAGE[1]), float(PAGE[2]))
    heads = [
        render(vertices, faces, _studio(yaw), look, LIGHT, background=page) for yaw in (-35.0, 20.0)
    ]
    error, rms = _error(sitter, result)
    below = (*heads, error)
    titles = (
        "the head, its texture from all five",
        "",
        f"distance to the true head, RMSE {rms:.2f} mm",
    )
    width = max(len(photos) * SMALL, len(below) * LARGE)
    sheet = Image.new("RGB", (width, 2 * GAP + SMALL + LARGE), _page())
    pen = ImageDraw.Draw(sheet)
    _strip(sheet, [photo.pixels for photo in photos], SMALL, GAP)
    _strip(sheet, below, LARGE, 2 * GAP + SMALL)
    _title(pen, "five photos, each in its own light; no camera is known", width / 2, GAP / 2)
    for number, title in enumerate(titles):
        left = (width - len(below) * LARGE) / 2 + number * LARGE
        at = left + LARGE if number == 0 else left + LARGE / 2
        _title(pen, title, at, GAP + SMALL + GAP / 2)
    sheet.quantize(256).save(folder / "views.png", optimize=True)


def _error(sitter: Sitter, result: PhotoResult) -> tuple[np.ndarray, float]:
    """The true head in the colours of the report and the RMSE, as `bench views` measures it."""
    template = sitter.template
    truth = predicted(template, sitter.vertices)
    near = np.linalg.norm(sitter.vertices - truth.landmarks[NOSE_TIP], axis=1) < REACH
    near &= template.regions["face"] & template.regions["outer"]
    order = np.random.default_rng(0).permutation(np.flatnonzero(near))
    scan = ScanFace(sitter.vertices[order], truth.landmarks)
    errors = point_to_plane_errors(scan, predicted(template, result.neutral))
    off = np.full(len(sitter.vertices), np.nan)
    off[order] = np.abs(errors.mm)
    view = View(target=(0.0, -0.03, 0.0), yaw=20, height=0.27)
    look = Look(vertices=heat(off, LIMIT_MM))
    picture = trace(sitter.vertices, template.mesh.faces, look, view, (LARGE, LARGE))
    return with_scale(over(picture, PAGE), LIMIT_MM), errors.rmse


def _studio(yaw: float) -> Camera:
    return orbiting(
        (0.0, -0.03, 0.0), float(np.radians(yaw)), 0.0, 0.8, 2.9 * LARGE, (LARGE, LARGE)
    )


def _strip(sheet: Image.Image, pictures, side: int, top: int) -> None:
    left = (sheet.width - len(pictures) * side) // 2
    for number, picture in enumerate(pictures):
        small = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
        sheet.paste(small, (left + number * side, top))


def _title(pen: ImageDraw.ImageDraw, text: str, x: float, y: float) -> None:
    pen.text((x, y), text, fill="#27303f", font=ImageFont.load_default(17), anchor="mm")


def _page() -> tuple[int, int, int]:
    red, green, blue = over(np.zeros((1, 1, 4)), PAGE)[0, 0]
    return int(red), int(green), int(blue)
