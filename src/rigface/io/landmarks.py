"""`load_landmarks`: points that somebody placed on a scan, from the usual small files."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rigface.errors import InputError
from rigface.evidence.landmarks import (
    COMMON_NAMES,
    IBUG_COUNT,
    INNER_FIRST,
    Landmarks,
    ibug_index,
)
from rigface.io.point_files import (
    decode_text,
    parse_npy,
    read_content,
    require_finite,
    table_lines,
    to_number,
)

MIN_LANDMARKS = 3
"""Fewer points do not fix a pose."""

_INNER_COUNT = IBUG_COUNT - INNER_FIRST

_Rows = tuple[list[str] | None, np.ndarray]
"""Names, None where the file has only an order, and (points, 3) float64."""


def load_landmarks(path: str | Path) -> Landmarks:
    """Read landmarks in the unit and frame of the scan they belong to.

    68 or 51 points without names are taken in the iBUG-68 order (51: ibug.17 to ibug.67). With
    names, any three or more of those in docs/formats.md. Formats: .txt, .csv, .pts, .npy, .json
    and MeshLab's .pp.

    Raises InputError for files that are missing, unreadable or of another shape, for unknown or
    repeated names, NaN, and fewer than three points.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path} has the unknown extension '{path.suffix}' for landmarks. "
            f"Known are {', '.join(_READERS)}."
        )
    names, points = reader(path, read_content(path))
    if points.ndim != 2 or points.shape[1] != 3:
        raise InputError(
            f"{path} holds landmarks of shape {points.shape}; expected (68, 3), (51, 3), or named "
            "points with x y z. Flat image landmarks cannot be used on a scan."
        )
    require_finite(
        path,
        points,
        "Leave points out that could not be placed, and name the others.",
    )
    ibug = _by_order(path, len(points)) if names is None else _by_name(path, names)
    if len(points) < MIN_LANDMARKS:
        raise InputError(
            f"{path} holds {len(points)} landmarks; at least {MIN_LANDMARKS} are needed to place "
            "a face. Add more, for example nose_tip, eye_outer_right and eye_outer_left."
        )
    return Landmarks(tuple(f"ibug.{index}" for index in ibug), points)


def _by_order(path: Path, count: int) -> list[int]:
    if count not in (IBUG_COUNT, _INNER_COUNT):
        raise InputError(
            f"{path} holds {count} points without names; expected {IBUG_COUNT} (iBUG-68) or "
            f"{_INNER_COUNT} (iBUG-68 without the jaw line). Give other sets by name, such as "
            f"'nose_tip x y z'. Known names: {_known()}."
        )
    return list(range(IBUG_COUNT - count, IBUG_COUNT))


def _by_name(path: Path, names: list[str]) -> list[int]:
    ibug: list[int] = []
    for name in names:
        index = ibug_index(name)
        if index is None:
            raise InputError(
                f"{path} names the unknown landmark '{name[:40]}'. Known names: {_known()} "
                "(left and right are the subject's)."
            )
        if index in ibug:
            raise InputError(
                f"{path} places the landmark '{name[:40]}' (ibug.{index}) twice. Keep one of them."
            )
        ibug.append(index)
    return ibug


def _known() -> str:
    return f"{', '.join(COMMON_NAMES)}, ibug.0 to ibug.{IBUG_COUNT - 1}"


def _read_table(path: Path, content: bytes) -> _Rows:
    """Lines of `x y z` or `name x y z`; blanks, tabs, commas or semicolons between them."""
    names: list[str] = []
    points: list[list[float]] = []
    for number, line, cells in table_lines(path, content):
        values = [to_number(cell) for cell in cells]
        numeric = [value for value in values if value is not None]
        if not points and not numeric:
            continue  # a heading such as "name,x,y,z"
        if len(numeric) == len(cells):
            points.append(numeric)
        elif values[0] is None and len(numeric) == len(cells) - 1:
            names.append(cells[0])
            points.append(numeric)
        else:
            raise InputError(
                f"{path}, line {number}: '{line.strip()[:60]}' is neither 'x y z' nor "
                "'name x y z'. Correct the line, or remove it."
            )
    return _rows(path, names, points)


def _read_pts(path: Path, content: bytes) -> _Rows:
    """The iBUG format: `version`, `n_points`, then the points between braces."""
    text = decode_text(path, content)
    inside = re.search(r"\{(.*?)\}", text, re.DOTALL)
    if inside is None:
        return _read_table(path, content)
    return _read_table(path, inside.group(1).encode())


def _read_npy(path: Path, content: bytes) -> _Rows:
    return None, parse_npy(path, content)


def _read_json(path: Path, content: bytes) -> _Rows:
    """{"nose_tip": [x, y, z], ...} or a list of points; {"points": ...} around it is fine."""
    try:
        data = json.loads(content)
        if isinstance(data, dict) and isinstance(data.get("points", data.get("landmarks")), list):
            data = data.get("points", data.get("landmarks"))
        if isinstance(data, dict) and data:
            return list(data), np.array(list(data.values()), np.float64)
        if isinstance(data, list) and data and isinstance(data[0], dict):
            points = [[point[axis] for axis in "xyz"] for point in data]
            return [str(point["name"]) for point in data], np.array(points, np.float64)
        return None, np.array(data, np.float64)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise InputError(
            f"{path} holds no landmarks as JSON ({type(error).__name__}: {str(error)[:60]}). "
            'Expected {"nose_tip": [x, y, z], ...} or a list of 68 or 51 points [x, y, z].'
        ) from error


def _read_pp(path: Path, content: bytes) -> _Rows:
    """MeshLab's picked points; those that are switched off are left out."""
    text = decode_text(path, content)
    names: list[str] = []
    points: list[list[float]] = []
    # No XML parser: the format is one flat kind of tag, and entities are an attack surface.
    for tag in re.findall(r"<point\b([^>]*)>", text):
        attributes = dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', tag))
        if attributes.get("active", "1") != "1":
            continue
        values = [to_number(attributes.get(axis, "")) for axis in "xyz"]
        if None in values:
            raise InputError(
                f"{path} has a point without readable x, y and z: '<point{tag[:50]}>'. "
                "Save the picked points again."
            )
        names.append(attributes.get("name", ""))
        points.append([value for value in values if value is not None])
    if not points:
        raise InputError(
            f"{path} holds no picked points: no '<point x=... y=... z=.../>' is switched on in it. "
            "Save the points again in MeshLab."
        )
    numbered = all(re.fullmatch(r"\d*", name) for name in names)  # MeshLab's own names
    return _rows(path, [] if numbered else names, points)


_READERS: dict[str, Callable[[Path, bytes], _Rows]] = {
    ".txt": _read_table,
    ".csv": _read_table,
    ".pts": _read_pts,
    ".npy": _read_npy,
    ".json": _read_json,
    ".pp": _read_pp,
}


def _rows(path: Path, names: list[str], points: list[list[float]]) -> _Rows:
    if not points:
        raise InputError(
            f"{path} holds no points; expected lines such as 'x y z' or 'nose_tip x y z'."
        )
    if names and len(names) != len(points):
        raise InputError(
            f"{path} names {len(names)} of its {len(points)} landmarks; name all of them or none."
        )
    if len({len(row) for row in points}) > 1:
        raise InputError(
            f"{path} has landmarks with {min(map(len, points))} and with "
            f"{max(map(len, points))} numbers; expected x y z for each."
        )
    return (names or None), np.array(points, np.float64)
