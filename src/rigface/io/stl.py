"""STL, binary and ascii; three separate corners per triangle, merged later by position."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from rigface.errors import InputError
from rigface.io.lines import line_blocks, numbers, unreadable_line
from rigface.io.parsed import ParsedMesh, require_size

_HEADER = 84
_TRIANGLE = np.dtype(
    [("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")]
)  # 50 bytes


def read_stl(path: Path) -> ParsedMesh:
    """Triangles of a binary or ascii STL; several solids are joined.

    Raises InputError for a truncated file and for what is no STL.
    """
    with path.open("rb") as file:
        start = file.read(_HEADER)
        size = path.stat().st_size
        announced = int.from_bytes(start[80:84], "little")
        # Binary files may begin with "solid" too: the size decides, then the word.
        exact = len(start) == _HEADER and size == _HEADER + announced * _TRIANGLE.itemsize
        if not exact and start.lstrip()[:5].lower() == b"solid" and b"\0" not in start[5:]:
            return _read_ascii(path)
        if len(start) < _HEADER:
            raise InputError(
                f"{path} is no STL file: {size} bytes are too few for a binary one, and it does "
                "not begin with 'solid' as an ascii one does. Export the scan again."
            )
        require_size(0, announced, f"the header of {path}")
        left = (size - _HEADER) // _TRIANGLE.itemsize
        if announced > left:
            raise InputError(
                f"{path} is cut short or no STL file: its header announces {announced:,} "
                f"triangles, but the file holds {left:,}. Copy or export it again."
            )
        rows = np.frombuffer(file.read(announced * _TRIANGLE.itemsize), _TRIANGLE)
    mesh = _soup(rows["corners"].reshape(-1, 3).astype(np.float64))
    if not exact:
        mesh.notes.append("ignored bytes after the last triangle of the STL")
    return mesh


def _read_ascii(path: Path) -> ParsedMesh:
    corners, closed = [], True
    for as_written in line_blocks(path):
        block = replace(as_written, text=as_written.text.lower())
        lines = block.starting_with(b"vertex")
        table = numbers(block.take(lines).replace(b"vertex", b" "))
        if table is None or np.any(table[1] != 3):
            number, text = block.line(unreadable_line(block, lines, len("vertex"), 3))
            raise InputError(
                f"{path}, line {number}: '{text}' cannot be read as 'vertex x y z'. "
                "Export the scan again."
            )
        corners.append(table[0].reshape(-1, 3))
        # Judged on the last block only: where the text really ends.
        closed = b"endsolid" in block.text[-4096:]
    vertices = np.concatenate(corners) if corners else np.zeros((0, 3))
    if len(vertices) % 3 or not closed:
        raise InputError(
            f"{path} is cut short: the ascii STL ends after {len(vertices):,} corners without "
            "'endsolid'. Copy or export it again."
        )
    return _soup(vertices)


def _soup(corners: np.ndarray) -> ParsedMesh:
    faces = np.arange(len(corners), dtype=np.int64).reshape(-1, 3)
    return ParsedMesh(corners, faces, split_at_seams=True)
