"""`load_scan`: any common mesh or point file becomes a checked `Scan`, or says why it cannot."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from rigface.errors import InputError
from rigface.evidence.scan import Scan
from rigface.io.gltf import read_glb, read_gltf
from rigface.io.obj import read_obj
from rigface.io.parsed import ParsedMesh
from rigface.io.ply import read_ply
from rigface.io.points import read_points
from rigface.io.repair import repair
from rigface.io.stl import read_stl

READERS: dict[str, Callable[[Path], ParsedMesh]] = {
    ".obj": read_obj,
    ".ply": read_ply,
    ".stl": read_stl,
    ".glb": read_glb,
    ".gltf": read_gltf,
    ".xyz": read_points,
    ".txt": read_points,
    ".csv": read_points,
    ".asc": read_points,
}
"""Reader by file extension."""

MIN_POINTS = 500
"""Fewer bare points than this cannot show a face."""

_LARGEST = 1e12
_SMALLEST = 1e-12


def load_scan(path: str | Path) -> Scan:
    """Read a scan in its own unit and frame.

    Vertex order and ids are the file's own for OBJ and PLY, unless the mesh is a soup of separate
    triangles; STL and glTF, which cannot share vertices across seams, are merged by position.
    What was repaired is told in `Scan.notes`.

    Raises InputError if the file is missing, unreadable, damaged, truncated, absurdly large, or
    holds neither faces nor at least 500 points; the message says which and what to do.
    """
    path = Path(path)
    reader = _reader(path)
    try:
        # Damaged floats may overflow on the way; the checks below find what matters.
        with np.errstate(all="ignore"):
            mesh = reader(path)
            _check(path, mesh)
            repair(mesh)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except MemoryError as error:
        raise InputError(
            f"{path} does not fit into the memory that is free. Decimate the scan first."
        ) from error
    _check_content(path, mesh)
    has_faces = mesh.faces is not None and len(mesh.faces) > 0
    if mesh.faces is not None and not has_faces:
        mesh.notes.append("no usable face; read as a point cloud")
    return Scan(
        vertices=mesh.vertices,
        faces=mesh.faces if has_faces else None,
        normals=mesh.normals,
        uv=mesh.uv if has_faces else None,
        uv_faces=mesh.uv_faces if has_faces else None,
        colors=mesh.colors,
        source=path,
        notes=tuple(mesh.notes),
    )


def _reader(path: Path) -> Callable[[Path], ParsedMesh]:
    known = ", ".join(READERS)
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder. Give the scan file inside it ({known}).")
        if not path.exists():
            raise InputError(f"{path} does not exist. Check the spelling of the path.")
        if not path.is_file():
            raise InputError(f"{path} is no regular file. Give a scan file ({known}).")
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path} has the unknown extension '{path.suffix}'. Known are {known}; "
            "convert the scan to one of them."
        )
    if size == 0:
        raise InputError(f"{path} is empty (0 bytes). Copy or export the scan again.")
    return reader


def _check(path: Path, mesh: ParsedMesh) -> None:
    """What must hold before the mesh can be repaired."""
    vertices, faces = mesh.vertices, mesh.faces
    bad = np.flatnonzero(~np.isfinite(vertices).all(axis=1))
    if len(bad):
        raise InputError(
            f"{path} has {len(bad):,} vertices of {len(vertices):,} with NaN or infinite "
            f"coordinates, the first is number {bad[0]:,} (counting from 0). Remove them in your "
            "mesh editor, or export the scan again."
        )
    if np.abs(vertices).max(initial=0.0) > _LARGEST:
        raise InputError(
            f"{path} has coordinates up to {np.abs(vertices).max():.3g}; no unit makes a face of "
            f"that (limit {_LARGEST:.0g}). The file is damaged: export the scan again."
        )
    _check_extent(path, mesh)
    if faces is not None:
        wrong = np.flatnonzero(((faces < 0) | (faces >= len(vertices))).any(axis=1))
        if len(wrong):
            shown = [int(index) for index in faces[wrong[0]] if not 0 <= index < len(vertices)]
            named = f"{shown[0]:,}" if shown[0] >= 0 else "a negative number"
            raise InputError(
                f"{path} has {len(wrong):,} faces that name missing vertices: the first names "
                f"vertex {named} (counting from 0), but there are {len(vertices):,}. "
                "The file is cut short or damaged: export the scan again."
            )


def _check_content(path: Path, mesh: ParsedMesh) -> None:
    """Whether what is left can be a scan at all."""
    count = len(mesh.vertices)
    has_faces = mesh.faces is not None and len(mesh.faces) > 0
    if not has_faces and count < MIN_POINTS:
        raise InputError(
            f"{path} holds no usable face and only {count:,} points; expected a mesh, or a point "
            f"cloud of at least {MIN_POINTS} points. Export the scan with its faces or with more "
            "points."
        )


def _check_extent(path: Path, mesh: ParsedMesh) -> None:
    count = len(mesh.vertices)
    if count == 0 or (count < MIN_POINTS and (mesh.faces is None or len(mesh.faces) == 0)):
        return  # other messages fit better
    if float(np.ptp(mesh.vertices, axis=0).max()) < _SMALLEST:
        raise InputError(
            f"{path} has no extent: all {count:,} vertices lie at one place. "
            "The file is damaged: export the scan again."
        )
