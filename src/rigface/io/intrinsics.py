"""Intrinsics of a depth camera: a JSON file beside the frames (docs/depth.md prints one)."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rigface.cameras import Camera
from rigface.cameras.lens import RadialTable, farthest_corner
from rigface.errors import InputError
from rigface.io.camera_json import read_json, read_lens

SHARED = "intrinsics.json"
"""For all frames of a folder."""
_SIZE = ("width", "height", "fx", "fy", "cx", "cy")
_KNOWN = {*_SIZE, "depth_scale", "pixel_centre", "invalid", "distortion", "rgb"}


@dataclass(frozen=True)
class Intrinsics:
    """What a depth picture does not tell about itself."""

    camera: Camera
    depth_scale: float
    """Metres per code of the picture."""
    invalid: tuple[int, ...]
    """Codes that mean "nothing measured", 0 among them."""
    lens: RadialTable | None
    rgb: str | None
    """File of the colour picture, from the folder of the JSON; {stem} is the frame's own name."""


def find_intrinsics(frame: Path, given: str | Path | None = None) -> Path:
    """`given`, else the JSON of the frame's name, else intrinsics.json beside it.

    Raises InputError if there is none.
    """
    if given is not None:
        return Path(given)
    for place in (frame.with_suffix(".json"), frame.with_name(SHARED)):
        if place.is_file():
            return place
    raise InputError(
        f"{frame} has no intrinsics: neither {frame.with_suffix('.json').name} nor {SHARED} is "
        "beside it. Without focal length a depth picture has no shape. Write fx, fy, cx, cy, "
        "width, height and depth_scale into one of them, or name a file with --intrinsics."
    )


def read_intrinsics(path: str | Path) -> Intrinsics:
    """Read and check. Raises InputError for a file that is missing, damaged or incomplete."""
    path = Path(path)
    content = read_json(path)
    unknown = sorted(set(content) - _KNOWN)
    if unknown:
        raise InputError(
            f"{path} has the unknown key {', '.join(unknown)}; known are "
            f"{', '.join(sorted(_KNOWN))}."
        )
    lens = read_lens(content, _SIZE, str(path))
    shift = 0.5 - _number(content, "pixel_centre", 0.5, path)
    if shift not in (0.0, 0.5):
        raise InputError(
            f"{path}: 'pixel_centre' is where the first pixel's centre lies, 0 or 0.5."
        )
    scale = _number(content, "depth_scale", None, path)
    if scale <= 0:
        raise InputError(
            f"{path}: 'depth_scale' must be above zero, metres per code: 0.001 for millimetres."
        )
    rgb = content.get("rgb")
    if rgb is not None and not isinstance(rgb, str):
        raise InputError(f"{path}: 'rgb' must be the name of a picture, such as '{{stem}}.jpg'.")
    return Intrinsics(
        replace(lens, centre=(lens.centre[0] + shift, lens.centre[1] + shift)).camera(),
        scale,
        (0, *_codes(content, path)),
        _lens(content, lens.size, np.array(lens.centre), shift, path),
        rgb,
    )


def _number(content: dict[str, Any], key: str, default: float | None, path: Path) -> float:
    value = content.get(key, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not np.isfinite(value):
        raise InputError(f"{path} lacks a finite number for {key}.")
    return float(value)


def _codes(content: dict[str, Any], path: Path) -> list[int]:
    codes = content.get("invalid", [])
    if not isinstance(codes, list) or not all(type(code) is int for code in codes):
        raise InputError(f"{path}: 'invalid' must be a list of whole numbers, such as [65535].")
    return codes


def _lens(
    content: dict[str, Any],
    size: tuple[int, int],
    centre: np.ndarray,
    shift: float,
    path: Path,
) -> RadialTable | None:
    row = content.get("distortion")
    if row is None:
        return None
    try:
        values = np.array(row["table"], dtype=np.float64)
        middle = np.array(row.get("centre", centre), dtype=np.float64)
    except (KeyError, TypeError, ValueError, AttributeError):
        values, middle = np.zeros(0), np.zeros(0)
    good = values.ndim == 1 and len(values) >= 2 and middle.shape == (2,)
    if not good or not np.isfinite(values).all() or not np.isfinite(middle).all():
        raise InputError(
            f"{path}: 'distortion' needs 'table', a list of at least two finite numbers from the "
            "centre to the farthest corner, and may have 'centre' as [x, y] in pixels."
        )
    if np.abs(values).max() > 0.5:
        raise InputError(
            f"{path}: 'distortion' stretches the radius by {np.abs(values).max():.0%}. The table "
            "holds relative changes, such as 0.01, not factors or pixels."
        )
    middle = middle + shift
    return RadialTable(middle, farthest_corner(middle, size), values)
