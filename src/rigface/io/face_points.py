"""`read_face_points`: the user's own 68 or 478 landmarks on a photo."""

import json
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float

from rigface.errors import InputError
from rigface.evidence.face_mesh import MESH_COUNT
from rigface.evidence.landmarks import IBUG_COUNT
from rigface.io.point_files import (
    decode_text,
    parse_npy,
    read_content,
    require_finite,
    table_lines,
    to_number,
)

_KEYS = ("landmarks", "points")


def read_face_points(path: str | Path) -> Float[np.ndarray, "points columns"]:
    """Read 68 (iBUG) or 478 (MediaPipe face mesh) points in pixels of the upright photo file.

    Two columns x and y, or three with a depth in the same unit. The origin is the top left corner
    of the photo, y points down. Formats: .json (a list of points, or one under the key
    `landmarks` or `points`), .npz (the same keys, or a single array), .npy, .txt, .csv, .pts.

    Raises InputError for files that are missing or unreadable, another count or shape, NaN, and
    coordinates that are fractions of the photo instead of pixels.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path} has the unknown extension '{path.suffix}' for landmarks of a photo. "
            f"Known are {', '.join(_READERS)}."
        )
    points = reader(path, read_content(path))
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise InputError(
            f"{path} holds landmarks of shape {points.shape}; expected one 'x y' or 'x y z' per "
            f"landmark, {IBUG_COUNT} (iBUG) or {MESH_COUNT} (MediaPipe face mesh) of them."
        )
    if len(points) not in (IBUG_COUNT, MESH_COUNT):
        raise InputError(
            f"{path} holds {len(points)} landmarks; expected {IBUG_COUNT} (iBUG) or {MESH_COUNT} "
            "(MediaPipe face mesh with irises), in their usual order."
        )
    require_finite(
        path,
        points,
        f"All {len(points)} are needed.",
    )
    if np.abs(points[:, :2]).max() <= 2.0:
        raise InputError(
            f"{path} holds coordinates up to {np.abs(points[:, :2]).max():.3g}: fractions of the "
            "photo. Multiply x by its width and y by its height; expected pixels."
        )
    return points


def _read_table(path: Path, content: bytes) -> np.ndarray:
    """Lines of `x y` or `x y z`; blanks, tabs, commas or semicolons between them."""
    rows: list[list[float]] = []
    for number, line, cells in table_lines(path, content):
        values = [to_number(cell) for cell in cells]
        numeric = [value for value in values if value is not None]
        if not rows and not numeric:
            continue  # a heading such as "x,y"
        if len(numeric) != len(cells) or (rows and len(numeric) != len(rows[0])):
            raise InputError(
                f"{path}, line {number}: '{line.strip()[:60]}' is not 'x y' or 'x y z' as the "
                "others are. Correct the line, or remove it."
            )
        rows.append(numeric)
    if not rows:
        raise InputError(f"{path} holds no points; expected lines such as 'x y'.")
    return np.array(rows, np.float64)


def _read_pts(path: Path, content: bytes) -> np.ndarray:
    """The iBUG format: `version`, `n_points`, then the points between braces."""
    inside = re.search(r"\{(.*?)\}", decode_text(path, content), re.DOTALL)
    return _read_table(path, content if inside is None else inside.group(1).encode())


def _read_json(path: Path, content: bytes) -> np.ndarray:
    try:
        data = json.loads(content)
        if isinstance(data, dict):
            data = next(data[key] for key in _KEYS if key in data)
        return np.array(data, np.float64)
    except (ValueError, TypeError, StopIteration, OverflowError, RecursionError) as error:
        raise InputError(
            f"{path} holds no landmarks as JSON ({type(error).__name__}: {str(error)[:60]}). "
            'Expected a list of 68 or 478 points [x, y], alone or as {"landmarks": ...}.'
        ) from error


def _read_npz(path: Path, content: bytes) -> np.ndarray:
    try:
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            keys = [key for key in _KEYS if key in arrays] or list(arrays)
            if len(keys) != 1 and keys[0] not in _KEYS:
                raise ValueError(f"it holds {', '.join(keys[:6])}, none called landmarks")
            return arrays[keys[0]].astype(np.float64)
    except Exception as error:  # what a damaged archive raises is not documented
        raise InputError(
            f"{path} is no readable .npz with landmarks ({str(error)[:80]}). Save it again with "
            "numpy.savez(path, landmarks=points)."
        ) from error


_READERS: dict[str, Callable[[Path, bytes], np.ndarray]] = {
    ".json": _read_json,
    ".npz": _read_npz,
    ".npy": parse_npy,
    ".txt": _read_table,
    ".csv": _read_table,
    ".pts": _read_pts,
}
