"""What a reader mends without asking, each with a note: soups merged, useless faces removed."""

import numpy as np

from rigface.io.parsed import ParsedMesh

_FLAT = 1e-12
"""Height over length of a triangle below which it has no usable normal in float64."""

_MIX = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xC2B2AE3D27D4EB4F),
    np.uint64(0x165667B19E3779F9),
)


def repair(mesh: ParsedMesh) -> None:
    """Merge where the format could not share vertices; drop degenerate and duplicate faces.

    Works in place. Vertex ids change only if the mesh is a soup of separate triangles or comes
    from a format that splits its vertices (STL, glTF). Faces must be in range, vertices finite.
    """
    _drop_broken_extras(mesh)
    if mesh.faces is not None and (mesh.split_at_seams or _is_soup(mesh)):
        _merge(mesh)
    if mesh.faces is not None:
        _drop_faces(mesh)
        _note_loose_vertices(mesh)
        _fill_missing_uv(mesh)


def _drop_broken_extras(mesh: ParsedMesh) -> None:
    """Normals, colours and UV that are not finite are no reason to refuse a good surface."""
    for name in ("normals", "colors"):
        values = getattr(mesh, name)
        if values is not None and not np.isfinite(values).all():
            mesh.notes.append(f"ignored the {name}: some are NaN or infinite")
            setattr(mesh, name, None)
    if mesh.uv is not None and not np.isfinite(mesh.uv).all():
        mesh.notes.append("ignored the UV: some are NaN or infinite")
        mesh.uv = mesh.uv_faces = None


def first_of_equal_rows(rows: np.ndarray) -> np.ndarray:
    """For each row of an (n, 3) table the number of the first equal row.

    By hashing: sorting millions of rows directly takes many times longer.
    """
    code = _hash(rows)
    order = np.argsort(code, kind="stable")
    new = np.concatenate([[True], np.diff(code[order]) != 0]) if len(code) else np.zeros(0, bool)
    first = np.empty(len(rows), np.int64)
    first[order] = order[new][np.cumsum(new) - 1]
    if not np.array_equal(rows[first], rows):  # two rows share a hash: do it the slow, sure way
        _, index, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        first = index[inverse.reshape(-1)]
    return first


def _hash(rows: np.ndarray) -> np.ndarray:
    words = rows if rows.dtype.kind in "iu" else rows + 0.0  # -0.0 and 0.0 are one place
    words = np.ascontiguousarray(words).view(np.uint64)
    code = np.zeros(len(rows), np.uint64)
    for column, factor in enumerate(_MIX):
        code = (code ^ words[:, column]) * factor
        code ^= code >> np.uint64(29)
    return code


def _is_soup(mesh: ParsedMesh) -> bool:
    """Every vertex belongs to exactly one corner: nothing is connected."""
    faces = mesh.faces
    assert faces is not None
    if faces.size != len(mesh.vertices) or len(faces) < 2:
        return False
    return bool(np.all(np.bincount(faces.reshape(-1), minlength=len(mesh.vertices)) == 1))


def _merge(mesh: ParsedMesh) -> None:
    """One vertex per place; UV stay with the corners, normals are averaged."""
    assert mesh.faces is not None
    first = first_of_equal_rows(mesh.vertices)
    kept = np.flatnonzero(first == np.arange(len(first)))
    if len(kept) == len(first):
        return
    new_id = np.searchsorted(kept, first)
    mesh.notes.append(f"merged {len(first):,} vertices into {len(kept):,} with distinct positions")
    if mesh.normals is not None:
        total = np.zeros((len(kept), 3))
        np.add.at(total, new_id, mesh.normals)
        length = np.linalg.norm(total, axis=1, keepdims=True)
        mesh.normals = np.divide(total, length, out=np.zeros_like(total), where=length > 0)
    mesh.vertices = mesh.vertices[kept]
    mesh.colors = None if mesh.colors is None else mesh.colors[kept]
    mesh.faces = new_id[mesh.faces]


def _drop_faces(mesh: ParsedMesh) -> None:
    assert mesh.faces is not None
    degenerate = _degenerate(mesh.vertices, mesh.faces)
    good = np.flatnonzero(~degenerate)
    first = first_of_equal_rows(np.sort(mesh.faces[good], axis=1))
    kept = good[first == np.arange(len(good))]
    if degenerate.any():
        mesh.notes.append(f"removed {int(degenerate.sum()):,} degenerate faces")
    if len(kept) < len(good):
        mesh.notes.append(f"removed {len(good) - len(kept):,} duplicate faces")
    if len(kept) < len(mesh.faces):
        mesh.faces = mesh.faces[kept]
        mesh.uv_faces = None if mesh.uv_faces is None else mesh.uv_faces[kept]


def _degenerate(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Faces with a repeated corner or no area."""
    a, b, c = faces.T
    first, second = vertices[b] - vertices[a], vertices[c] - vertices[a]
    area = _square(np.cross(first, second))
    longest = np.maximum(_square(first), np.maximum(_square(second), _square(second - first)))
    return (a == b) | (b == c) | (c == a) | (area <= (_FLAT * longest) ** 2)


def _square(vectors: np.ndarray) -> np.ndarray:
    return np.einsum("nd,nd->n", vectors, vectors)


def _note_loose_vertices(mesh: ParsedMesh) -> None:
    assert mesh.faces is not None
    used = np.zeros(len(mesh.vertices), bool)
    used[mesh.faces] = True
    loose = len(used) - int(used.sum())
    if loose:
        mesh.notes.append(f"{loose:,} vertices belong to no face; they are kept and not fitted")


def _fill_missing_uv(mesh: ParsedMesh) -> None:
    """Corners without UV get one shared point: per-corner UV are all or nothing."""
    if mesh.uv is None or mesh.uv_faces is None:
        return
    missing = (mesh.uv_faces < 0) | (mesh.uv_faces >= len(mesh.uv))
    if missing.all():
        mesh.uv = mesh.uv_faces = None
    elif missing.any():
        mesh.notes.append(f"{int(missing.any(axis=1).sum()):,} faces have no UV; they got (0, 0)")
        mesh.uv_faces = np.where(missing, len(mesh.uv), mesh.uv_faces)
        mesh.uv = np.concatenate([mesh.uv, np.zeros((1, 2))])
