"""Meshes as OBJ and PLY: vertex order kept, numbers exact, files whole or absent."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, Shaped

from rigface.geometry.mesh import Mesh
from rigface.io.atomic import atomic_file
from rigface.io.color import srgb_from_linear

_PLY_TYPES = {"f4": "float", "f8": "double"}
_MAX_COMMENT = 200


def save_obj(
    path: str | Path,
    mesh: Mesh,
    normals: Float[np.ndarray, "verts 3"] | None = None,
    colors: bool = False,
    comment: str = "",
) -> None:
    """Write a Wavefront OBJ with per-corner UV.

    Numbers are written so that they read back as the same floats. `colors` writes
    `v x y z r g b` (sRGB), which several readers of benchmark files do not understand.

    Raises OutputError where the file cannot be written, ValueError for vertices that are not
    finite.
    """
    _require_finite(mesh.vertices)
    rows = [_decimals(mesh.vertices)]
    if colors and mesh.colors is not None:
        rows.append(_decimals(srgb_from_linear(np.clip(mesh.colors, 0, 1)).astype(np.float32)))
    vertex = np.arange(1, len(mesh.vertices) + 1)
    has_uv = mesh.uv is not None and mesh.uv_faces is not None
    # What a corner says: v, v/vt, v//vn or v/vt/vn.
    corner = "%d" + ("/%d" if has_uv else "/" if normals is not None else "")
    corner += "/%d" if normals is not None else ""
    columns = [mesh.faces + 1]
    if mesh.uv is not None and mesh.uv_faces is not None:
        columns.append(mesh.uv_faces + 1)
    if normals is not None:
        columns.append(vertex[mesh.faces])
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"# {line}\n" for line in _comment_lines(comment))
        file.writelines(f"v {' '.join(parts)}\n" for parts in zip(*rows, strict=True))
        if mesh.uv is not None and has_uv:
            file.writelines(f"vt {row}\n" for row in _decimals(mesh.uv))
        if normals is not None:
            file.writelines(f"vn {row}\n" for row in _decimals(normals))
        line = "f " + " ".join([corner] * 3) + "\n"
        numbers = np.stack(columns, axis=-1).reshape(len(mesh.faces), -1)
        file.writelines(line % tuple(row) for row in numbers.tolist())


def save_ply(
    path: str | Path,
    mesh: Mesh,
    colors: Shaped[np.ndarray, "verts 3"] | None = None,
    scalars: Mapping[str, Float[np.ndarray, " verts"]] | None = None,
    ascii: bool = False,
    precision: type | None = None,
    comment: str = "",
) -> None:
    """Write a PLY, binary little endian unless `ascii`; a mesh without faces is a point cloud.

    `colors` are linear RGB in [0, 1], or uint8 codes written as they are (a colour map's output);
    by default the mesh's own. `scalars` adds named columns per vertex, such as "quality", the
    column that MeshLab colours by. `precision` np.float32 or np.float64 says how coordinates are
    stored, by default as they are in memory. UV are not written: OBJ keeps them.

    Raises OutputError where the file cannot be written, ValueError for vertices that are not
    finite.
    """
    _require_finite(mesh.vertices)
    kind = np.dtype(precision or mesh.vertices.dtype).str[-2:]
    colors = mesh.colors if colors is None else colors
    fields: list[tuple[str, str]] = [(axis, f"<{kind}") for axis in "xyz"]
    assert all(name.isidentifier() for name in scalars or {}), "a PLY name is one word"
    fields += [(name, "<f4") for name in scalars or {}]
    if colors is not None:
        fields += [(name, "u1") for name in ("red", "green", "blue")]
    rows = np.zeros(len(mesh.vertices), np.dtype(fields))
    for axis, name in enumerate("xyz"):
        rows[name] = mesh.vertices[:, axis]
    for name, values in (scalars or {}).items():
        rows[name] = values
    if colors is not None:
        codes = _codes(colors)
        for channel, name in enumerate(("red", "green", "blue")):
            rows[name] = codes[:, channel]
    header = _ply_header(rows.dtype, mesh, ascii, comment)
    with atomic_file(path) as partial, partial.open("wb") as file:
        file.write(header)
        if ascii:
            _write_ascii(file, rows, mesh.faces)
        else:
            faces = np.zeros(len(mesh.faces), np.dtype([("count", "u1"), ("ids", "<i4", (3,))]))
            faces["count"], faces["ids"] = 3, mesh.faces
            file.write(rows.tobytes())
            file.write(faces.tobytes())


def _write_ascii(file: BinaryIO, rows: np.ndarray, faces: np.ndarray) -> None:
    columns = [
        (f"{value:.9g}" for value in rows[name].tolist())
        if rows.dtype[name].str == "<f4"
        else map(repr, rows[name].tolist())
        for name in rows.dtype.names or ()
    ]
    file.writelines(f"{' '.join(row)}\n".encode() for row in zip(*columns, strict=True))
    file.writelines(b"3 %d %d %d\n" % tuple(row) for row in faces.tolist())


def _ply_header(dtype: np.dtype, mesh: Mesh, ascii: bool, comment: str) -> bytes:
    lines = ["ply", f"format {'ascii' if ascii else 'binary_little_endian'} 1.0"]
    lines += [f"comment {line}" for line in _comment_lines(comment)]
    lines.append(f"element vertex {len(mesh.vertices)}")
    for name in dtype.names or ():
        lines.append(f"property {_PLY_TYPES.get(dtype[name].str[-2:], 'uchar')} {name}")
    if len(mesh.faces):
        lines += [f"element face {len(mesh.faces)}", "property list uchar int vertex_indices"]
    return ("\n".join([*lines, "end_header"]) + "\n").encode("ascii", "replace")


def _codes(colors: np.ndarray) -> np.ndarray:
    if colors.dtype == np.uint8:
        return colors
    return np.rint(srgb_from_linear(np.clip(colors, 0.0, 1.0)) * 255).astype(np.uint8)


def _decimals(table: np.ndarray) -> Iterable[str]:
    """Each row in decimals that read back as the same floats."""
    if table.dtype == np.float32:
        return (" ".join([f"{value:.9g}" for value in row]) for row in table.tolist())
    return (" ".join(map(repr, row)) for row in table.astype(np.float64).tolist())


def _comment_lines(comment: str) -> list[str]:
    """Lines that cannot break a header."""
    return [line[:_MAX_COMMENT] for line in comment.splitlines()]


def _require_finite(vertices: np.ndarray) -> None:
    if not np.isfinite(vertices).all():
        raise ValueError("refusing to write vertices that are NaN or infinite")
