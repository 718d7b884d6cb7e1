"""Point clouds as text: x y z per line, blanks, commas or semicolons between them."""

import re
from pathlib import Path

import numpy as np

from rigface.errors import InputError
from rigface.io.color import linear_from_stored
from rigface.io.lines import line_blocks, numbers
from rigface.io.parsed import ParsedMesh

_SEPARATORS = bytes.maketrans(b",;", b"  ")
_UNIT_TOLERANCE = 0.01


def read_points(path: Path) -> ParsedMesh:
    """One point per line; three more columns are normals if they have length 1, else colours.

    A first line of words or with the number of points, and lines that begin with `#` or `//`,
    are skipped. Raises InputError for text that is no table of points.
    """
    tables = []
    for block in line_blocks(path):
        text = re.sub(rb"(?m)^(#|//).*$", b"", block.text.translate(_SEPARATORS))
        if not tables:
            text = _without_header(text)
        table = numbers(text)
        rows = None if table is None else _as_rows(*table)
        if rows is None or (tables and rows.shape[1] != tables[0].shape[1]):
            raise InputError(
                f"{path} is no table of points: expected 'x y z' (and perhaps three columns of "
                f"normals or colours) on every line from line {block.first_line} on. "
                f"It begins with '{block.line(0)[1]}'. Check that it is the right file."
            )
        if rows.size:
            tables.append(rows)
    values = np.concatenate(tables) if tables else np.zeros((0, 3))
    mesh = ParsedMesh(values[:, :3].copy())
    if values.shape[1] >= 6:
        extra = values[:, 3:6]
        lengths = np.linalg.norm(extra, axis=1)
        if np.all(np.abs(lengths - 1) < _UNIT_TOLERANCE):
            mesh.normals = extra.copy()
        elif np.all((extra >= 0) & (extra <= 255)):
            mesh.colors = linear_from_stored(extra)
    return mesh


def _without_header(text: bytes) -> bytes:
    """Drop a first line of column names, or one that holds only the number of points."""
    stripped = text.lstrip()
    first, _, rest = stripped.partition(b"\n")
    is_header = numbers(first + b"\n") is None or len(first.split()) == 1
    return rest if is_header and rest.strip() else text


def _as_rows(values: np.ndarray, counts: np.ndarray) -> np.ndarray | None:
    """(points, columns), or None unless all lines that are not empty have as many, 3 or more."""
    filled = counts[counts > 0]
    if len(filled) == 0:
        return np.zeros((0, 3))
    width = int(filled[0])
    return values.reshape(-1, width) if width >= 3 and np.all(filled == width) else None
