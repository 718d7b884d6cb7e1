"""Depth frames from files: 16-bit PNG beside a JSON with the intrinsics, or TrueDepth PLY frames.

docs/depth.md prints the layout of the JSON.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from rigface.errors import InputError
from rigface.evidence.depth import DepthFrame
from rigface.io.image import read_photo
from rigface.io.intrinsics import Intrinsics, find_intrinsics, read_intrinsics
from rigface.io.truedepth_ply import read_truedepth

NEAREST, FARTHEST = 0.05, 5.0
"""Metres within which a face is measured; depths outside count as not measured."""
FEWEST = 300
"""Pixels with a depth that a frame must have."""


def load_depth(path: str | Path, intrinsics: str | Path | None = None) -> DepthFrame:
    """Read one depth frame.

    A PNG needs its intrinsics: the file `intrinsics`, else a JSON of the same name, else
    `intrinsics.json` in its folder. A TrueDepth PLY frame holds its own.

    Raises InputError if a file is missing or damaged, there are no intrinsics, they belong to
    another resolution, or next to no pixel holds a depth; the message says what to do.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder; give the frames in it" if path.is_dir() else "does not exist"
        raise InputError(f"{path} {what}.")
    try:
        if path.suffix.lower() == ".ply":
            frame = read_truedepth(path)
        elif path.suffix.lower() == ".png":
            frame = _read_png(path, find_intrinsics(path, intrinsics))
        else:
            raise InputError(
                f"{path} has the unknown extension '{path.suffix}'. Known are .png (16 bit, with "
                "intrinsics) and .ply (TrueDepth frames)."
            )
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    return _measured(frame)


def load_depth_frames(
    paths: Sequence[str | Path], intrinsics: str | Path | None = None
) -> tuple[list[DepthFrame], dict[str, str]]:
    """The frames of a sequence, and for each file that gives none the reason.

    Raises InputError if a file does not exist, or not one of them can be used.
    """
    frames, refused = [], {}
    first: InputError | None = None
    for path in paths:
        try:
            frames.append(load_depth(path, intrinsics))
        except InputError as error:
            if not Path(path).is_file():
                raise
            first = first or error
            refused[Path(path).name] = str(error)
    if first is not None and not frames:
        raise first
    return frames, refused


def _read_png(path: Path, place: Path) -> DepthFrame:
    intrinsics = read_intrinsics(place)
    raw = _codes(path)
    height, width = raw.shape
    if (width, height) != intrinsics.camera.size:
        theirs = " x ".join(map(str, intrinsics.camera.size))
        raise InputError(
            f"{path} has {width} x {height} pixels, but {place} holds the intrinsics of {theirs} "
            "pixels. Give those of this resolution, or scale fx, fy, cx, cy, width and height."
        )
    depth = np.where(np.isin(raw, intrinsics.invalid), np.nan, intrinsics.depth_scale * raw)
    pixels = _colour(path, place, intrinsics)
    return DepthFrame(depth, intrinsics.camera, intrinsics.lens, pixels, path)


def _codes(path: Path) -> np.ndarray:
    """Codes of a 16-bit picture of one channel, as floats."""
    try:
        with Image.open(path) as image:
            if image.mode not in ("I;16", "I;16B", "I"):
                raise InputError(
                    f"{path} is a picture of mode {image.mode}, not a depth picture: expected "
                    "16-bit grey. Eight bits are too few for depth, and the colours of a depth map "
                    "cannot be turned back; export the raw depth."
                )
            return np.asarray(image, dtype=np.float64)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is no readable PNG: {str(error)[:80]}.") from error


def _colour(
    path: Path, place: Path, intrinsics: Intrinsics
) -> UInt8[np.ndarray, "rows columns 3"] | None:
    if intrinsics.rgb is None:
        return None
    picture = place.parent / intrinsics.rgb.replace("{stem}", path.stem)
    pixels = read_photo(picture).pixels
    rows, columns = pixels.shape[:2]
    width, height = intrinsics.camera.size
    if not math.isclose(columns / rows, width / height, rel_tol=0.01):
        raise InputError(
            f"{picture} has {columns} x {rows} pixels, which is another shape than the depth "
            f"picture's {width} x {height}. The colours must be those of the depth camera's view "
            "(registered); leave 'rgb' out if they are not."
        )
    return pixels


def _measured(frame: DepthFrame) -> DepthFrame:
    """Without what is no distance of a face; refuses what is left if it is next to nothing."""
    depth = frame.depth
    with np.errstate(invalid="ignore"):
        known = np.isfinite(depth) & (depth > 0)
        good = known & (depth >= NEAREST) & (depth <= FARTHEST)
    if good.sum() < FEWEST:
        raise InputError(_nothing(frame, known, int(good.sum())))
    return replace(frame, depth=np.where(good, depth, np.nan))


def _nothing(frame: DepthFrame, known: np.ndarray, good: int) -> str:
    count = int(known.sum())
    if count < FEWEST:
        return (
            f"{frame.source} holds next to no depth: {count:,} of {known.size:,} pixels were "
            "measured. Drop the frame, or look whether the sensor was covered or too near."
        )
    low, middle, high = np.percentile(frame.depth[known], [2, 50, 98])
    return (
        f"{frame.source} shows nothing between {NEAREST} and {FARTHEST} m: its depths run from "
        f"{low:.3g} to {high:.3g} m, {middle:.3g} m in the middle ({good:,} pixels lie between). "
        "Check the unit: depth_scale is 0.001 where the codes are millimetres."
    )
