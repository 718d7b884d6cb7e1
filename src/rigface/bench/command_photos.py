"""JPEG files that the command is timed on: one photo of 12 million pixels, five of 2 million."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from rigface.bench.photo_paint import PaintedHead
from rigface.bench.photo_pictures import Shot, take
from rigface.bench.views_cases import FEW
from rigface.bench.views_heads import ViewsHead
from rigface.bench.views_pictures import shots, take_view
from rigface.render.head_paint import HeadPaint, Palette
from rigface.render.openness import open_share
from rigface.render.sensor import SENSOR_NOISE
from rigface.rig.template_io import load_template

MEGAPIXELS_12 = (4000, 3000)
SIDE = 1420
"""Pixels; its square is 2 million."""
_LENS = 35
_FOCAL_35MM, _EXIF_IFD = 0xA405, 0x8769


def write_large_photo(folder: Path, size: tuple[int, int] = MEGAPIXELS_12) -> list[Path]:
    """The painted template, with the focal length in its EXIF."""
    template = load_template()
    vertices = torch.from_numpy(template.mesh.vertices)
    faces = torch.from_numpy(template.mesh.faces)
    paint = HeadPaint.of_template(template, Palette.of_tone(0.3))
    head = PaintedHead("template", vertices, faces, paint, open_share(vertices, faces))
    small = take(head, Shot(0, _LENS, "studio", True), (size[0] // 4, size[1] // 4)).photo.pixels
    # Drawn at a quarter: what is timed reads, reduces and crops it, and looks no closer.
    exif = Image.Exif()
    exif.get_ifd(_EXIF_IFD)[_FOCAL_35MM] = _LENS
    file = folder / "photo.jpg"
    grain = np.random.default_rng(0).normal(scale=2.0, size=(size[1], size[0], 1))
    _enlarged(small, size, grain).save(file, quality=95, exif=exif)
    return [file]


def write_views(head: ViewsHead, folder: Path) -> list[Path]:
    """The first views of the head's first draw."""
    rng = np.random.default_rng(0)
    files = []
    for shot in shots(head.name, 0, FEW):
        small = take_view(head.painted, shot, "fixed").pixels
        files.append(folder / shot.file.with_suffix(".jpg"))
        grain = rng.normal(scale=SENSOR_NOISE, size=(SIDE, SIDE, 3))
        _enlarged(small, (SIDE, SIDE), grain).save(files[-1], quality=95)
    return files


def _enlarged(
    pixels: UInt8[np.ndarray, "small_height small_width 3"],
    size: tuple[int, int],
    grain: Float[np.ndarray, "height width channels"],
) -> Image.Image:
    """With grain of its own size added, codes."""
    large = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC), np.float32)
    return Image.fromarray(np.clip(large + grain, 0, 255).astype(np.uint8))
