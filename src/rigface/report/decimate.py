"""Fewer triangles and points for the screen. Numbers are never computed on the result."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from rigface.geometry.mesh import face_areas
from rigface.report.collapse import collapse_edges

# Edge collapse is careful and not fast: larger meshes are first clustered to about this size.
_CAREFUL = 300_000
# An edge of the surroundings is given up as if its geometric error were this much smaller.
_OUTSIDE = 1 / 30


def decimate(
    vertices: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
    important: Bool[np.ndarray, " verts"],
    max_faces: int,
) -> tuple[Int[np.ndarray, " kept"], Int[np.ndarray, "kept_faces 3"]]:
    """At most `max_faces` triangles over original vertices, the surroundings coarser.

    Kept vertices are original ones where they were, so that errors and colours carry over.

    Returns:
        The kept vertex ids, and the faces among them.
    """
    if len(faces) <= max_faces:
        return np.arange(len(vertices)), faces
    kept = np.arange(len(vertices))
    if len(faces) > _CAREFUL:
        kept, faces = cluster_vertices(vertices, faces, _CAREFUL)
    weight = np.where(important, 1.0, _OUTSIDE)[kept]
    chosen, faces = collapse_edges(vertices[kept], faces, weight, max_faces)
    kept = kept[chosen]
    while len(faces) > max_faces:  # folds that no collapse could take apart
        chosen, faces = cluster_vertices(vertices[kept], faces, max_faces // 2)
        kept = kept[chosen]
    return kept, faces


def cluster_vertices(
    vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"], about: int
) -> tuple[Int[np.ndarray, " kept"], Int[np.ndarray, "kept_faces 3"]]:
    """Merge the vertices of each cell of a grid into the one nearest to their mean.

    The cell is chosen for `about` faces: a surface crosses some 1.75 A / h^2 cells of edge h.
    """
    cell = np.sqrt(3.5 * face_areas(vertices, faces).sum() / about)
    grid = np.floor((vertices - vertices.min(axis=0)) / cell).astype(np.int64)
    _, cluster = np.unique(grid, axis=0, return_inverse=True)
    cluster = cluster.reshape(-1)
    count = np.bincount(cluster)
    middle = np.stack(
        [np.bincount(cluster, weights=vertices[:, axis]) / count for axis in range(3)], axis=1
    )
    away = np.linalg.norm(vertices - middle[cluster], axis=1)
    order = np.lexsort((away, cluster))
    chosen = order[np.searchsorted(cluster[order], np.arange(len(count)))]
    merged = cluster[faces]
    a, b, c = merged.T
    merged = merged[(a != b) & (b != c) & (c != a)]
    _, first = np.unique(np.sort(merged, axis=1), axis=0, return_index=True)
    used, compact = np.unique(merged[np.sort(first)], return_inverse=True)
    return chosen[used], compact.reshape(-1, 3)


def thin_points(
    important: Bool[np.ndarray, " verts"], max_points: int, seed: int = 0
) -> Int[np.ndarray, " kept"]:
    """A seeded choice of points, half of it at least from the important ones; rising ids."""
    if len(important) <= max_points:
        return np.arange(len(important))
    rng = np.random.default_rng(seed)
    inside, outside = np.flatnonzero(important), np.flatnonzero(~important)
    take = min(len(inside), max(max_points // 2, max_points - len(outside)))
    chosen = [
        rng.choice(inside, take, replace=False),
        rng.choice(outside, max_points - take, replace=False),
    ]
    return np.sort(np.concatenate(chosen))


def point_spacing(vertices: Float[np.ndarray, "verts 3"]) -> float:
    """Distance to the nearest other point that most points keep, in the unit of the points."""
    sample = vertices[:: max(1, len(vertices) // 2000)]
    distances, _ = cKDTree(vertices).query(sample, k=2)
    return float(np.percentile(distances[:, 1], 75))
