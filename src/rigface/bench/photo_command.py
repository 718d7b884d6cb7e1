"""How long `rigface photo` takes on a photo of 12 million pixels, from the shell to the files."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from rigface.bench.photo_paint import PaintedHead
from rigface.bench.photo_pictures import Shot, take
from rigface.render.head_paint import HeadPaint, Palette
from rigface.render.openness import open_share
from rigface.rig.template_io import load_template

MEGAPIXELS_12 = (4000, 3000)
_LENS = 35
_FOCAL_35MM, _EXIF_IFD = 0xA405, 0x8769


@dataclass(frozen=True)
class CommandTime:
    """One run with warm caches."""

    wall: float
    """Seconds of the whole command; NaN if it failed."""
    fit: float
    """Seconds of its stage "fit"."""
    reason: str | None = None


def time_command(runs: int = 2) -> CommandTime:
    """The last of `runs` runs in processes of their own: the first ones warm the caches."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "photo.jpg"
        write_photo(file)
        timed = CommandTime(float("nan"), float("nan"), "never run")
        for _ in range(runs):
            timed = _run(file, Path(folder) / "out")
            if timed.reason is not None:
                break
        return timed


def write_photo(file: Path, size: tuple[int, int] = MEGAPIXELS_12) -> None:
    """The painted template as a JPEG with the focal length in its EXIF."""
    template = load_template()
    vertices = torch.from_numpy(template.mesh.vertices)
    faces = torch.from_numpy(template.mesh.faces)
    paint = HeadPaint.of_template(template, Palette.of_tone(0.3))
    head = PaintedHead("template", vertices, faces, paint, open_share(vertices, faces))
    small = take(head, Shot(0, _LENS, "studio", True), (size[0] // 4, size[1] // 4)).photo.pixels
    # Drawn at a quarter: what is timed reads, reduces and crops it, and looks no closer.
    image = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).normal(scale=2.0, size=(size[1], size[0], 1))
    pixels = np.clip(np.asarray(image, np.float32) + grain, 0, 255).astype(np.uint8)
    exif = Image.Exif()
    exif.get_ifd(_EXIF_IFD)[_FOCAL_35MM] = _LENS
    Image.fromarray(pixels).save(file, quality=95, exif=exif)


def _run(file: Path, out: Path) -> CommandTime:
    words = [sys.executable, "-m", "rigface", "photo", str(file), "-o", str(out), "--quiet"]
    start = time.perf_counter()
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    wall = time.perf_counter() - start
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        return CommandTime(float("nan"), float("nan"), f"exit code {done.returncode}: {last}")
    told = json.loads((out / "result.json").read_text(encoding="utf-8"))
    return CommandTime(wall, float(told.get("seconds", {}).get("fit", float("nan"))))
