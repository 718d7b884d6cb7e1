"""Pairs of triangles that cut through each other, within one mesh or between two.

A pair counts when the two triangles *cross properly*: each has corners strictly on both sides of
the other's plane and their sections of the common line overlap over a positive length (Moller,
"A fast triangle-triangle intersection test", 1997), or when they lie in one plane and overlap
with positive area. Triangles that only touch, at a point or along an edge, do not count.
"""

# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false
# (warp kernels are a language of their own inside Python's annotations)

from typing import no_type_check

import numpy as np
import warp as wp
from jaxtyping import Bool, Float, Int

from rigface.geometry.surface import start_warp

_RELATIVE = 1e-10
"""Heights over a plane below this share of the pair's own size are rounding, hence zero."""


@no_type_check
@wp.kernel
def _count_overlaps_kernel(
    bvh: wp.uint64,
    lowers: wp.array(dtype=wp.vec3),
    uppers: wp.array(dtype=wp.vec3),
    counts: wp.array(dtype=wp.int32),
):
    i = wp.tid()
    query = wp.bvh_query_aabb(bvh, lowers[i], uppers[i])
    other = wp.int32(0)
    count = wp.int32(0)
    while wp.bvh_query_next(query, other):
        count = count + 1
    counts[i] = count


@no_type_check
@wp.kernel
def _list_overlaps_kernel(
    bvh: wp.uint64,
    lowers: wp.array(dtype=wp.vec3),
    uppers: wp.array(dtype=wp.vec3),
    starts: wp.array(dtype=wp.int32),
    found: wp.array(dtype=wp.int32),
):
    i = wp.tid()
    query = wp.bvh_query_aabb(bvh, lowers[i], uppers[i])
    other = wp.int32(0)
    at = starts[i]
    while wp.bvh_query_next(query, other):
        found[at] = other
        at = at + 1


def self_intersections(
    vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]
) -> Int[np.ndarray, "pairs 2"]:
    """Crossing pairs of faces that share no vertex index; lower face first, sorted."""
    pairs = _overlapping_boxes(vertices[faces], vertices[faces])
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    pairs = pairs[_shared_corners(faces[pairs[:, 0]], faces[pairs[:, 1]]) == 0]
    return _crossing_pairs(vertices[faces], vertices[faces], pairs)


def folded_neighbours(
    vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]
) -> Int[np.ndarray, "pairs 2"]:
    """Crossing pairs of faces that share exactly one vertex; lower face first, sorted."""
    pairs = _overlapping_boxes(vertices[faces], vertices[faces])
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    pairs = pairs[_shared_corners(faces[pairs[:, 0]], faces[pairs[:, 1]]) == 1]
    return _crossing_pairs(vertices[faces], vertices[faces], pairs)


def intersections(
    vertices_a: Float[np.ndarray, "verts_a 3"],
    faces_a: Int[np.ndarray, "faces_a 3"],
    vertices_b: Float[np.ndarray, "verts_b 3"],
    faces_b: Int[np.ndarray, "faces_b 3"],
) -> Int[np.ndarray, "pairs 2"]:
    """Crossing pairs (face of a, face of b) of two meshes in one frame, sorted."""
    a, b = vertices_a[faces_a], vertices_b[faces_b]
    return _crossing_pairs(a, b, _overlapping_boxes(a, b))


def triangles_cross(
    a: Float[np.ndarray, "pairs 3 3"], b: Float[np.ndarray, "pairs 3 3"]
) -> Bool[np.ndarray, " pairs"]:
    """Whether triangle a[i] crosses triangle b[i]; corners along the second axis, float64."""
    a, b = _local_units(np.asarray(a, np.float64), np.asarray(b, np.float64))
    normal_a, normal_b = _plane_normals(a), _plane_normals(b)
    height_a = _heights(a, b, normal_b)
    height_b = _heights(b, a, normal_a)
    crossing = np.zeros(len(a), dtype=bool)

    straddling = _straddles(height_a) & _straddles(height_b)
    some = np.flatnonzero(straddling)
    line = np.cross(normal_a[some], normal_b[some])
    low_a, high_a = _section(a[some], height_a[some], line)
    low_b, high_b = _section(b[some], height_b[some], line)
    overlap = np.minimum(high_a, high_b) - np.maximum(low_a, low_b)
    crossing[some] = overlap > _RELATIVE * np.linalg.norm(line, axis=-1)

    flat = np.flatnonzero(np.all(height_a == 0, axis=1) & np.all(height_b == 0, axis=1))
    crossing[flat] = _overlap_in_plane(a[flat], b[flat], normal_a[flat])
    return crossing


def _crossing_pairs(a: np.ndarray, b: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    crossing = pairs[triangles_cross(a[pairs[:, 0]], b[pairs[:, 1]])]
    return crossing[np.lexsort((crossing[:, 1], crossing[:, 0]))]


def _shared_corners(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a[:, :, None] == b[:, None, :]).sum(axis=(1, 2))


def _overlapping_boxes(a: np.ndarray, b: np.ndarray) -> Int[np.ndarray, "pairs 2"]:
    """Index pairs of triangles whose bounding boxes overlap (a superset, boxes are padded)."""
    if len(a) == 0 or len(b) == 0:
        return np.zeros((0, 2), dtype=np.int64)
    start_warp()
    centre = b.reshape(-1, 3).mean(axis=0)
    lower_a, upper_a = _boxes(a - centre)
    lower_b, upper_b = _boxes(b - centre)
    bvh = wp.Bvh(_vec3(lower_b), _vec3(upper_b))
    queries = [_vec3(lower_a), _vec3(upper_a)]
    counts = wp.zeros(len(a), dtype=wp.int32, device="cpu")
    wp.launch(_count_overlaps_kernel, dim=len(a), inputs=[bvh.id, *queries, counts], device="cpu")
    count = counts.numpy().astype(np.int64)
    starts = wp.array((np.cumsum(count) - count).astype(np.int32), dtype=wp.int32, device="cpu")
    found = wp.zeros(max(1, int(count.sum())), dtype=wp.int32, device="cpu")
    wp.launch(
        _list_overlaps_kernel, dim=len(a), inputs=[bvh.id, *queries, starts, found], device="cpu"
    )
    other = found.numpy()[: count.sum()].astype(np.int64)
    return np.stack([np.repeat(np.arange(len(a)), count), other], axis=1)


def _boxes(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # float32 boxes must still contain the float64 triangle.
    pad = 1e-6 * np.abs(triangles).max()
    lower, upper = triangles.min(axis=1) - pad, triangles.max(axis=1) + pad
    return lower.astype(np.float32), upper.astype(np.float32)


def _vec3(rows: np.ndarray) -> wp.array:
    return wp.array(rows, dtype=wp.vec3, device="cpu")


def _local_units(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both triangles of each pair, moved near the origin and scaled to size one."""
    both = np.concatenate([a, b], axis=1)
    centre = both.mean(axis=1, keepdims=True)
    size = np.abs(both - centre).max(axis=(1, 2), keepdims=True)
    size = np.where(size > 0, size, 1.0)
    return (a - centre) / size, (b - centre) / size


def _plane_normals(triangles: np.ndarray) -> np.ndarray:
    p, q, r = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    normal = np.cross(q - p, r - p)
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    return np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)


def _heights(corners: np.ndarray, plane: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Signed distances of the corners to the other triangle's plane; rounding becomes zero."""
    height = np.einsum("ncd,nd->nc", corners - plane[:, :1], normal)
    return np.where(np.abs(height) < _RELATIVE, 0.0, height)


def _straddles(height: np.ndarray) -> np.ndarray:
    return (height.min(axis=1) < 0) & (height.max(axis=1) > 0)


def _section(
    corners: np.ndarray, height: np.ndarray, line: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where each straddling triangle meets the other plane: an interval along `line`."""
    along = np.einsum("ncd,nd->nc", corners, line)
    ends = []
    for i, j in ((0, 1), (1, 2), (2, 0)):
        between = height[:, i] * height[:, j] < 0
        gap = np.where(between, height[:, i] - height[:, j], 1.0)
        at = along[:, i] + (along[:, j] - along[:, i]) * height[:, i] / gap
        ends.append(np.where(between, at, np.nan))
        ends.append(np.where(height[:, i] == 0, along[:, i], np.nan))
    stacked = np.stack(ends, axis=1)
    if len(stacked) == 0:
        return np.zeros(0), np.zeros(0)
    return np.nanmin(stacked, axis=1), np.nanmax(stacked, axis=1)


def _overlap_in_plane(a: np.ndarray, b: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Separating-axis test over the six edge normals within the common plane."""
    overlap = np.linalg.norm(normal, axis=-1) > 0
    for triangle in (a, b):
        for i, j in ((0, 1), (1, 2), (2, 0)):
            axis = np.cross(normal, triangle[:, j] - triangle[:, i])
            on_a = np.einsum("ncd,nd->nc", a, axis)
            on_b = np.einsum("ncd,nd->nc", b, axis)
            shared = np.minimum(on_a.max(1), on_b.max(1)) - np.maximum(on_a.min(1), on_b.min(1))
            overlap &= shared > _RELATIVE
    return overlap
