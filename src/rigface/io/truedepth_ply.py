"""TrueDepth frames as StandardCyborg's recorder writes them: a PLY with colour, depth, metadata.

Element `metadata` holds characters of a JSON text with the size, the camera's intrinsic matrix
(column after column) for its full resolution, and Apple's lens distortion table; `color` (r, g, b
in 0 to 1) and `depth` (metres, 9999 where nothing was measured) run row by row.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from rigface.cameras.lens import RadialTable, farthest_corner
from rigface.errors import InputError
from rigface.evidence.depth import DepthFrame
from rigface.io.lens import Lens
from rigface.io.ply_body import Column, Lists, read_tables
from rigface.io.ply_header import read_header


def read_truedepth(path: Path) -> DepthFrame:
    """Depth as it stands in the file, the codes for "nothing" included.

    Raises InputError for damaged files and for PLY files that hold no depth frame.
    """
    data = path.read_bytes()
    header = read_header(path, data)
    tables = read_tables(path, header, data)
    if "depth" not in tables or "metadata" not in tables:
        names = ", ".join(element.name for element in header.elements) or "none"
        raise InputError(
            f"{path} is no depth frame: its PLY elements are {names}, and 'depth' and 'metadata' "
            "(with the intrinsics) are not both among them. Meshes and point clouds go to "
            "`rigface scan`."
        )
    about = _metadata(path, tables["metadata"])
    try:
        return _frame(path, tables, about)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            f"{path} has damaged metadata: {type(error).__name__} {error}. It needs width, height "
            "and camera_intrinsics with intrinsic_matrix and its reference dimensions."
        ) from error


def _frame(path: Path, tables: dict[str, dict[str, Column]], about: dict[str, Any]) -> DepthFrame:
    width, height = int(about["width"]), int(about["height"])
    depth = _column(tables["depth"], "d")
    if len(depth) != width * height:
        raise InputError(
            f"{path} has {len(depth):,} depths, but its intrinsics are those of {width} x {height} "
            "pixels. Export the frame again."
        )
    lens = about["camera_intrinsics"]
    full = float(lens["intrinsic_matrix_reference_dimensions_width"])
    factor = width / full
    matrix = np.array(lens["intrinsic_matrix"], dtype=np.float64).reshape(3, 3).T
    focal_and_centre = factor * matrix[[0, 1, 0, 1], [0, 1, 2, 2]]
    fx, fy, cx, cy = focal_and_centre.tolist()
    camera = Lens((width, height), (fx, fy), (cx, cy)).camera()
    pixels = None
    if "color" in tables:
        channels = [_column(tables["color"], name) for name in "rgb"]
        codes = np.round(255 * np.clip(np.stack(channels, axis=-1), 0, 1)).astype(np.uint8)
        pixels = codes.reshape(height, width, 3)
    table = _table(lens, factor, (float(width), float(height)))
    return DepthFrame(depth.reshape(height, width), camera, table, pixels, path)


def _table(lens: dict[str, Any], factor: float, size: tuple[float, float]) -> RadialTable | None:
    values = np.array(lens.get("lens_distortion_lookup_table") or [], dtype=np.float64)
    if len(values) < 2:
        return None
    centre = factor * np.array([lens["lens_distortion_center_x"], lens["lens_distortion_center_y"]])
    return RadialTable(centre, farthest_corner(centre, size), values)


def _metadata(path: Path, table: dict[str, Column]) -> dict[str, Any]:
    try:
        characters = _column(table, "char").astype(np.uint8).tobytes()
        content = json.loads(characters.rstrip(b"\0"))
    except (ValueError, KeyError, RecursionError) as error:
        raise InputError(f"{path} has unreadable metadata: {str(error)[:80]}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} has metadata that are no JSON object.")
    return content


def _column(table: dict[str, Column], name: str) -> np.ndarray:
    column = table[name]
    if isinstance(column, Lists):
        raise ValueError(f"the PLY property '{name}' is a list")
    return column.astype(np.float64)
