"""Mesh simplification by half-edge collapse with quadric errors, many edges at a time.

Garland and Heckbert 1997 for the cost. Every round collapses an independent set of vertices, so
that one array operation does the work of thousands of queue steps.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

# A round collapses the cheapest part of its vertices.
_CHEAPEST = 0.5
# Collapsed faces may turn by at most about 75 degrees.
_MIN_COSINE = 0.25
_UPPER = np.triu_indices(4)


def collapse_edges(
    vertices: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
    weight: Float[np.ndarray, " verts"],
    max_faces: int,
    seed: int = 0,
) -> tuple[Int[np.ndarray, " kept"], Int[np.ndarray, "kept_faces 3"]]:
    """Move vertices onto neighbours, cheapest first, until `max_faces` are left or none can go.

    Borders only shrink along themselves, and no face turns over.

    Args:
        weight: the cost of losing a vertex is multiplied by it.

    Returns:
        The kept vertex ids, and the faces among them.
    """
    rng = np.random.default_rng(seed)
    quadrics = _plane_quadrics(vertices, faces)
    stalled = 0
    while len(faces) > max_faces and stalled < 3:
        edges = _half_edges(faces)
        chosen = _independent(edges, len(vertices), rng)
        source, target, cost = _cheapest(vertices, quadrics, weight, edges, chosen)
        able = cost <= np.quantile(cost, _CHEAPEST if stalled == 0 else 1.0)
        source, target = source[able], target[able]
        source, target = _keep_manifold(source, target, edges, len(vertices))
        source, target = _keep_upright(source, target, vertices, faces)
        wanted = (len(faces) - max_faces + 1) // 2
        source, target = source[:wanted], target[:wanted]
        stalled = stalled + 1 if len(source) < 0.002 * len(faces) else 0
        quadrics[target] += quadrics[source]
        new_place = np.arange(len(vertices))
        new_place[source] = target
        faces = new_place[faces]
        a, b, c = faces.T
        faces = faces[(a != b) & (b != c) & (c != a)]
    kept, compact = np.unique(faces, return_inverse=True)
    return kept, compact.reshape(-1, 3)


@dataclass(frozen=True)
class _HalfEdges:
    """Every edge in both directions, sorted by source."""

    source: np.ndarray
    target: np.ndarray
    sides: np.ndarray
    """Faces at the edge: 1 on a border."""
    starts: np.ndarray
    """First half-edge of each source in `vertex`."""
    vertex: np.ndarray


def _half_edges(faces: np.ndarray) -> _HalfEdges:
    size = int(faces.max()) + 1
    a = np.concatenate([faces[:, 0], faces[:, 1], faces[:, 2]])
    b = np.concatenate([faces[:, 1], faces[:, 2], faces[:, 0]])
    key, sides = np.unique(np.concatenate([a * size + b, b * size + a]), return_counts=True)
    source, target = np.divmod(key, size)
    vertex, starts = np.unique(source, return_index=True)
    return _HalfEdges(source, target, sides, starts, vertex)


def _plane_quadrics(vertices: np.ndarray, faces: np.ndarray) -> Float[np.ndarray, "verts 10"]:
    """Sum over a vertex's faces of area * p p^T, p the plane: the upper triangle of 4 x 4."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    cross = np.cross(b - a, c - a)
    length = np.linalg.norm(cross, axis=1)
    normal = cross / np.where(length > 0, length, 1.0)[:, None]
    plane = np.column_stack([normal, -np.einsum("fi,fi->f", normal, a)])
    entries = plane[:, _UPPER[0]] * plane[:, _UPPER[1]] * (0.5 * length)[:, None]
    flat, repeated = faces.ravel(), np.repeat(np.arange(len(faces)), 3)
    columns = [
        np.bincount(flat, weights=entries[repeated, entry], minlength=len(vertices))
        for entry in range(10)
    ]
    return np.stack(columns, axis=1)


def _independent(
    edges: _HalfEdges, verts: int, rng: np.random.Generator
) -> Bool[np.ndarray, " verts"]:
    """Vertices that beat all their neighbours at dice, about every seventh: no two are adjacent."""
    dice = rng.permutation(verts)
    best_near = np.maximum.reduceat(dice[edges.target], edges.starts)
    chosen = np.zeros(verts, dtype=bool)
    chosen[edges.vertex] = dice[edges.vertex] > best_near
    return chosen


def _cheapest(
    vertices: np.ndarray,
    quadrics: np.ndarray,
    weight: np.ndarray,
    edges: _HalfEdges,
    chosen: Bool[np.ndarray, " verts"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each chosen vertex that may go: itself, the neighbour that takes it, and the cost."""
    border = np.zeros(len(vertices), dtype=bool)
    border[edges.source[edges.sides != 2]] = True
    allowed = chosen[edges.source] & (~border[edges.source] | (edges.sides == 1))
    source, target = edges.source[allowed], edges.target[allowed]
    goal = np.column_stack([vertices[target], np.ones(len(target))])
    products = goal[:, _UPPER[0]] * goal[:, _UPPER[1]] * np.where(_UPPER[0] == _UPPER[1], 1.0, 2.0)
    error = np.maximum(np.einsum("eq,eq->e", products, quadrics[source]), 0.0)
    away = ((vertices[source] - vertices[target]) ** 2).sum(axis=1)
    # The length breaks ties on flat ground and keeps triangles compact; borders have no planes.
    cost = weight[source] * (error + np.where(border[source], 1e-1, 1e-3) * away**2)
    order = np.lexsort((cost, source))
    _, first = np.unique(source[order], return_index=True)
    best = order[first]
    return source[best], target[best], cost[best]


def _keep_manifold(
    source: np.ndarray, target: np.ndarray, edges: _HalfEdges, verts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Link condition: source and target share as many neighbours as the edge has faces."""
    first = np.full(verts, 0, dtype=np.int64)
    last = np.full(verts, 0, dtype=np.int64)
    first[edges.vertex] = edges.starts
    last[edges.vertex] = np.append(edges.starts[1:], len(edges.source))
    degree = last[source] - first[source]
    owner = np.repeat(np.arange(len(source)), degree)
    place = np.arange(degree.sum()) - np.repeat(np.cumsum(degree) - degree, degree)
    near = edges.target[first[source][owner] + place]
    keys = edges.source * verts + edges.target  # sorted, as the edges are
    asked = target[owner] * verts + near
    found = np.searchsorted(keys, asked)
    shared = np.bincount(
        owner, weights=keys[np.minimum(found, len(keys) - 1)] == asked, minlength=len(source)
    )
    sides = edges.sides[np.searchsorted(keys, source * verts + target)]
    good = shared == sides
    return source[good], target[good]


def _keep_upright(
    source: np.ndarray, target: np.ndarray, vertices: np.ndarray, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Leave out collapses that would turn a face over or flatten it."""
    place = np.full(len(vertices), -1, dtype=np.int64)
    place[source] = np.arange(len(source))
    moving = place[faces].max(axis=1)  # at most one corner of a face moves
    touched = np.flatnonzero(moving >= 0)
    new_place = np.arange(len(vertices))
    new_place[source] = target
    before, after = faces[touched], new_place[faces[touched]]
    a, b, c = after.T
    stays = (a != b) & (b != c) & (c != a)
    old, new = (_cross(vertices, corners[stays]) for corners in (before, after))
    cosine = np.einsum("fi,fi->f", old, new)
    scale = np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
    bad = cosine < _MIN_COSINE * scale
    bad |= np.linalg.norm(new, axis=1) < 1e-3 * np.linalg.norm(old, axis=1)
    good = np.ones(len(source), dtype=bool)
    good[moving[touched[stays][bad]]] = False
    return source[good], target[good]


def _cross(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)
