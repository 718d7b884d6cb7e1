"""What every mesh reader hands to `load_scan`: the file's content, not yet checked or repaired."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rigface.errors import InputError

MAX_VERTICES = 50_000_000
"""No face scan has more; a header that announces more is damaged or hostile."""

MAX_FACES = 2 * MAX_VERTICES


@dataclass
class ParsedMesh:
    """Raw arrays; `faces` None means a point cloud, -1 in `uv_faces` a corner without UV."""

    vertices: np.ndarray
    """(verts, 3) float64."""
    faces: np.ndarray | None = None
    """(faces, 3) int64, not yet known to be in range."""
    normals: np.ndarray | None = None
    uv: np.ndarray | None = None
    """(uvs, 2), origin in the lower left corner of the image as OBJ has it."""
    uv_faces: np.ndarray | None = None
    colors: np.ndarray | None = None
    """(verts, 3) linear RGB in [0, 1]."""
    notes: list[str] = field(default_factory=list)
    split_at_seams: bool = False
    """glTF and STL cannot share a vertex across seams or faces: merge by position."""


def require_size(vertices: int, faces: int, where: str) -> None:
    """Refuse absurd counts before anything is allocated for them."""
    if vertices > MAX_VERTICES or faces > MAX_FACES:
        raise InputError(
            f"{where} announces {vertices:,} vertices and {faces:,} faces; at most "
            f"{MAX_VERTICES:,} vertices and {MAX_FACES:,} faces are read. If the scan is really "
            "that large, decimate it first; otherwise the file is damaged: export it again."
        )


def join_parts(parts: Sequence[ParsedMesh]) -> ParsedMesh:
    """Several pieces as one mesh, vertices and UV renumbered; a piece may lack UV."""
    if len(parts) == 1:
        return parts[0]
    first_vertex = np.cumsum([0, *(len(part.vertices) for part in parts)])
    has_uv = any(part.uv is not None for part in parts)
    first_uv = np.cumsum([0, *(0 if part.uv is None else len(part.uv) for part in parts)])
    faces, uv_faces = [], []
    for part, vertex, uv in zip(parts, first_vertex, first_uv, strict=False):
        if part.faces is None:
            continue
        faces.append(part.faces + vertex)
        ids = np.full_like(part.faces, -1) if part.uv_faces is None else part.uv_faces
        uv_faces.append(np.where(ids < 0, -1, ids + uv))
    return ParsedMesh(
        vertices=np.concatenate([part.vertices for part in parts]),
        faces=np.concatenate(faces) if faces else None,
        normals=_concatenate_all([part.normals for part in parts]),
        uv=np.concatenate([part.uv for part in parts if part.uv is not None]) if has_uv else None,
        uv_faces=np.concatenate(uv_faces) if has_uv and faces else None,
        colors=_concatenate_all([part.colors for part in parts]),
        notes=[note for part in parts for note in part.notes],
        split_at_seams=any(part.split_at_seams for part in parts),
    )


def fan(corners: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangulate polygons as fans: (triangles, 3) positions into `corners`' axis, and the polygon
    of each triangle. Polygon i owns the next `counts[i]` corners; under 3 corners gives nothing.

    `corners` is the number of the first corner of each polygon.
    """
    triangles = np.maximum(counts - 2, 0)
    polygon = np.repeat(np.arange(len(counts)), triangles)
    step = np.arange(len(polygon)) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    start = corners[polygon]
    return np.stack([start, start + step + 1, start + step + 2], axis=-1), polygon


def _concatenate_all(arrays: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """One array if every part has it: half a colouring is none."""
    present = [array for array in arrays if array is not None]
    return np.concatenate(present) if len(present) == len(arrays) else None
