"""PLY, ascii and binary of both byte orders: any property order and type, meshes and points."""

from pathlib import Path

import numpy as np

from rigface.errors import InputError
from rigface.io.color import linear_from_stored
from rigface.io.parsed import ParsedMesh, fan
from rigface.io.ply_body import Column, Lists, read_tables
from rigface.io.ply_header import read_header

_FACE_LISTS = ("vertex_indices", "vertex_index")
_UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))
_COLOR_NAMES = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"))


def read_ply(path: Path) -> ParsedMesh:
    """The `vertex` and `face` elements; others are skipped.

    Raises InputError for damaged or truncated files and for files without vertices.
    """
    data = path.read_bytes()
    header = read_header(path, data)
    tables = read_tables(path, header, data)
    names = [element.name for element in header.elements]
    vertex = tables.get("vertex", {})
    if not {"x", "y", "z"} <= vertex.keys():
        raise InputError(
            f"{path} holds no mesh and no points: its PLY elements are {', '.join(names) or 'none'}"
            ", and no element 'vertex' with x, y and z is among them. "
            "If it is a depth frame, give it to `rigface depth`."
        )
    mesh = _vertices(vertex)
    if "face" in tables:
        _add_faces(mesh, tables["face"], vertex)
    if "tristrips" in tables:
        mesh.notes.append("ignored the PLY element 'tristrips'; export plain triangles")
    return mesh


def _vertices(vertex: dict[str, Column]) -> ParsedMesh:
    mesh = ParsedMesh(_stack(vertex, ("x", "y", "z")))
    if {"nx", "ny", "nz"} <= vertex.keys():
        mesh.normals = _stack(vertex, ("nx", "ny", "nz"))
    for names in _COLOR_NAMES:
        if set(names) <= vertex.keys():
            channels = [_scalar(vertex, name) for name in names]
            mesh.colors = linear_from_stored(np.stack(channels, axis=-1))
            break
    return mesh


def _add_faces(mesh: ParsedMesh, face: dict[str, Column], vertex: dict[str, Column]) -> None:
    name = next((name for name in _FACE_LISTS if isinstance(face.get(name), Lists)), None)
    if name is None:
        mesh.notes.append("ignored the PLY faces: they have no list 'vertex_indices'")
        return
    corners = face[name]
    assert isinstance(corners, Lists)
    first = np.cumsum(corners.lengths) - corners.lengths
    triangles, _ = fan(first, corners.lengths)
    mesh.faces = corners.values.astype(np.int64)[triangles]
    short = int((corners.lengths < 3).sum())
    if short:
        mesh.notes.append(f"ignored {short:,} faces with fewer than 3 corners")
    wedge = face.get("texcoord")  # MeshLab: u v of each corner
    if isinstance(wedge, Lists) and np.array_equal(wedge.lengths, 2 * corners.lengths):
        mesh.uv = wedge.values.astype(np.float64).reshape(-1, 2)
        mesh.uv_faces = triangles
        return
    for names in _UV_NAMES:
        if set(names) <= vertex.keys():
            mesh.uv, mesh.uv_faces = _stack(vertex, names), mesh.faces
            return


def _stack(columns: dict[str, Column], names: tuple[str, ...]) -> np.ndarray:
    return np.stack([_scalar(columns, name).astype(np.float64) for name in names], axis=-1)


def _scalar(columns: dict[str, Column], name: str) -> np.ndarray:
    column = columns[name]
    if isinstance(column, Lists):
        raise InputError(
            f"the PLY property '{name}' is a list where a number was expected. Export it again."
        )
    return column
