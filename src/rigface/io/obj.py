"""Wavefront OBJ: per-corner UV kept, vertex order kept, a million lines in about a second.

trimesh splits vertices at UV seams or drops the seams; this reader does neither.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rigface.errors import InputError
from rigface.io.color import linear_from_stored
from rigface.io.lines import (
    CHUNK_BYTES,
    LineBlock,
    Words,
    line_blocks,
    numbers,
    parse_numbers,
    split_words,
    unreadable_line,
)
from rigface.io.parsed import ParsedMesh, fan, require_size

_SLASH_TO_BLANK = bytes.maketrans(b"/", b" ")
_MISSING = -1


@dataclass
class _Content:
    """What the blocks gave so far."""

    path: Path
    vertices: list[np.ndarray] = field(default_factory=list)
    colors: list[np.ndarray] = field(default_factory=list)
    uv: list[np.ndarray] = field(default_factory=list)
    normals: list[np.ndarray] = field(default_factory=list)
    faces: list[np.ndarray] = field(default_factory=list)
    uv_faces: list[np.ndarray] = field(default_factory=list)
    vertex_count: int = 0
    uv_count: int = 0
    short_faces: int = 0


def read_obj(path: Path, chunk_bytes: int = CHUNK_BYTES) -> ParsedMesh:
    """Vertices, triangles (polygons fanned), UV per corner, colours; groups are joined.

    Raises InputError for lines that cannot be read and for files without a vertex.
    """
    content = _Content(path)
    for block in line_blocks(path, chunk_bytes):
        _read_block(block, content)
    if content.vertex_count == 0:
        raise InputError(
            f"{path} holds no vertices: no line of it has the form 'v x y z'. "
            "Expected a Wavefront OBJ mesh; check that it is the right file."
        )
    return _assemble(content)


def _read_block(block: LineBlock, content: _Content) -> None:
    vertex_lines = block.starting_with(b"v")
    uv_lines = block.starting_with(b"vt")
    face_lines = block.starting_with(b"f")
    rows, counts = _rows(block, vertex_lines, 3, content.path, "v x y z")
    content.vertices.append(_columns(rows, counts, 0, 3))
    content.colors.append(_columns(rows, counts, 3, 6))
    rows, counts = _rows(block, uv_lines, 1, content.path, "vt u v")
    content.uv.append(_uv(rows, counts))
    normal_lines = block.starting_with(b"vn")
    rows, counts = _rows(block, normal_lines, 3, content.path, "vn x y z")
    content.normals.append(_columns(rows, counts, 0, 3))
    if len(face_lines):
        _read_faces(block, face_lines, vertex_lines, uv_lines, content)
    content.vertex_count += len(vertex_lines)
    content.uv_count += len(uv_lines)
    require_size(content.vertex_count, sum(map(len, content.faces)), str(content.path))


def _rows(
    block: LineBlock, lines: np.ndarray, minimum: int, path: Path, form: str
) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of some `v`, `vt` or `vn` lines, and how many each line has."""
    word = form.split(maxsplit=1)[0].encode()
    # The word alone, never its letters: there is an "n" in nan and inf.
    table = numbers(block.take(lines).replace(word, b" "))
    if table is None or (len(table[1]) and table[1].min() < minimum):
        raise _unreadable(block, unreadable_line(block, lines, len(word), minimum), path, form)
    return table


def _unreadable(block: LineBlock, index: int, path: Path, form: str) -> InputError:
    number, text = block.line(index)
    hint = "the file may be damaged: export it again."
    if "," in text:
        hint = "write numbers with a decimal point and no commas."
    elif "nan" in text.lower() or "#" in text:
        hint = "it is no finite number: remove such vertices and export again."
    return InputError(f"{path}, line {number}: '{text}' cannot be read as '{form}'; {hint}")


def _columns(values: np.ndarray, counts: np.ndarray, first: int, stop: int) -> np.ndarray:
    """(rows, stop - first): those columns of the lines that have them all."""
    if len(counts) == 0:
        return np.zeros((0, stop - first))
    if counts.min() == counts.max():
        width = int(counts[0])
        rows = values.reshape(-1, width)
        return rows[:, first:stop].copy() if width >= stop else rows[:0, :1].repeat(stop - first, 1)
    begin = (np.cumsum(counts) - counts)[counts >= stop]
    return values[begin[:, None] + np.arange(first, stop)]


def _uv(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    begin = np.cumsum(counts) - counts
    u = values[begin]
    v = np.zeros_like(u)
    v[counts > 1] = values[begin[counts > 1] + 1]
    return np.stack([u, v], axis=-1)


def _read_faces(
    block: LineBlock,
    lines: np.ndarray,
    vertex_lines: np.ndarray,
    uv_lines: np.ndarray,
    content: _Content,
) -> None:
    corners = _corners(block.take(lines).replace(b"f", b" "))
    if corners is None:
        index = unreadable_line(block, lines, 1, 0)
        raise _unreadable(block, index, content.path, "f a/b/c a/b/c a/b/c")
    vertex, uv, counts = corners
    if np.any(vertex == 0):
        row = int(np.searchsorted(np.cumsum(counts), np.flatnonzero(vertex == 0)[0], "right"))
        number, text = block.line(int(lines[row]))
        raise InputError(
            f"{content.path}, line {number}: '{text}' names vertex 0, but OBJ counts from 1. "
            "Export the mesh again, or add 1 to every index."
        )
    owner = np.repeat(lines, counts)
    vertex = _absolute(vertex, owner, vertex_lines, content.vertex_count)
    uv = _absolute(uv, owner, uv_lines, content.uv_count)
    triangles, _ = fan(np.cumsum(counts) - counts, counts)
    content.short_faces += int((counts < 3).sum())
    content.faces.append(vertex[triangles])
    content.uv_faces.append(uv[triangles])


def _corners(text: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Vertex and UV number of each corner as written (0: none), and the corners per line."""
    filled = _fill_slots(text)
    if filled is None:
        return None
    words = split_words(filled)
    slashes = _slashes_per_word(words)
    if slashes.max(initial=0) > 2:
        return None
    total = len(words.begins) + int(slashes.sum())
    values = parse_numbers(filled.translate(_SLASH_TO_BLANK), total, np.int64)
    if values is None:
        return None
    begin = np.cumsum(slashes + 1) - (slashes + 1)
    uv = np.zeros(len(begin), np.int64)
    uv[slashes > 0] = values[begin[slashes > 0] + 1]
    return values[begin], uv, words.per_line


def _fill_slots(text: bytes) -> bytes | None:
    """Write 0 into empty slots ("1//3", "1/"); None where the vertex itself is missing."""
    buffer = np.frombuffer(text, np.uint8)
    slash = np.flatnonzero(buffer == ord("/"))
    if np.any(slash == 0) or np.any(buffer[slash - 1] <= ord(" ")):
        return None
    after = buffer[slash + 1]
    if not np.any((after == ord("/")) | (after <= ord(" "))):
        return text
    text = text.replace(b"//", b"/0/")
    for blank in (b" ", b"\n", b"\t"):
        text = text.replace(b"/" + blank, b"/0" + blank)
    return None if b"//" in text else text


def _slashes_per_word(words: Words) -> np.ndarray:
    slash = np.flatnonzero(np.frombuffer(words.text, np.uint8) == ord("/"))
    count = len(words.begins)
    each, rest = divmod(len(slash), max(count, 1))
    if each and rest == 0:  # nearly always: all corners are written alike
        rows = slash.reshape(count, each)
        if np.all(rows[:, 0] > words.begins) and np.all(rows[:-1, -1] < words.begins[1:]):
            return np.full(count, each)
    return np.bincount(np.searchsorted(words.begins, slash, "right") - 1, minlength=count)


def _absolute(
    written: np.ndarray, owner: np.ndarray, definition_lines: np.ndarray, before: int
) -> np.ndarray:
    """0-based ids: positive numbers count from 1, negative ones back from the line they stand on.

    0 (none) becomes `_MISSING`; a negative number that reaches before the first becomes -2.
    """
    ids = written - 1
    relative = written < 0
    if relative.any():
        so_far = before + np.searchsorted(definition_lines, owner[relative])
        ids[relative] = np.maximum(so_far + written[relative], -2)
        ids[relative & (ids == _MISSING)] = -2
    return ids


def _assemble(content: _Content) -> ParsedMesh:
    vertices = np.concatenate(content.vertices)
    colors = np.concatenate(content.colors)
    normals = np.concatenate(content.normals)
    uv = np.concatenate(content.uv)
    faces = np.concatenate(content.faces) if content.faces else None
    mesh = ParsedMesh(vertices, faces)
    if len(colors) == len(vertices):
        mesh.colors = linear_from_stored(colors)
    if faces is None and len(normals) == len(vertices):
        mesh.normals = normals
    if content.uv_faces:
        uv_faces = np.concatenate(content.uv_faces)
        if uv_faces.max(initial=_MISSING) > _MISSING and len(uv):
            mesh.uv, mesh.uv_faces = uv, uv_faces
    if content.short_faces:
        mesh.notes.append(f"ignored {content.short_faces:,} faces with fewer than 3 corners")
    return mesh
