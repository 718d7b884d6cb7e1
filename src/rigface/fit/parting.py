"""Triangles that cross are parted, and turned ones opened, along axes of a calmer surface.

A model with few variables cannot be repaired where it crosses itself alone, and keeping whole
margins farther apart costs the face its accuracy. What crosses is known: each pair of triangles
gets the axis along which the same two are farthest apart on a surface that does not cross itself,
and the corners of one must stay above those of the other along it. A triangle that is turned over
gets its three altitudes on the calm surface, along which each corner must stay above the other two.
"""

import numpy as np
from jaxtyping import Float, Int

from rigface.terms.lip_gap import GapTerm

_GAP, _SIGMA = 5e-5, 2e-5
_SHARE = 0.5
"""Of what the calm surface leaves between two triangles, at most so much is asked for."""
_LEAST = 1e-9


def part_triangles(
    calm: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
    pairs: Int[np.ndarray, "pairs 2"],
) -> GapTerm | None:
    """Keeps the triangles of each pair (faces without a common corner) apart as `calm` has them.

    Pairs that cross on `calm` too are left out; None if nothing is left.
    """
    above, below = faces[pairs[:, 0]], faces[pairs[:, 1]]
    axis, opening = separating_axes(calm[above], calm[below])
    apart = opening > _LEAST
    above, below, axis, opening = above[apart], below[apart], axis[apart], opening[apart]
    if not len(above):
        return None
    corners = np.indices((3, 3)).reshape(2, -1)
    gap = np.minimum(_GAP, _SHARE * opening)
    return GapTerm(
        above[:, corners[0]].ravel(),
        below[:, corners[1]].ravel(),
        np.repeat(axis, 9, axis=0),
        np.repeat(gap, 9),
        _SIGMA,
    )


def open_triangles(
    calm: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]
) -> GapTerm | None:
    """Keeps each corner on its side of the opposite edge, as `calm` has it; None for no faces."""
    corners = calm[faces]
    tops, lefts, rights = ([0, 1, 2], [1, 2, 0], [2, 0, 1])
    edge = corners[:, rights] - corners[:, lefts]
    up = corners[:, tops] - corners[:, lefts]
    length = np.maximum((edge**2).sum(axis=-1, keepdims=True), _LEAST**2)
    up = up - (up * edge).sum(axis=-1, keepdims=True) / length * edge
    height = np.linalg.norm(up, axis=-1)
    good = height > _LEAST
    if not good.any():
        return None
    top = np.tile(faces[:, tops][good], 2)
    bottom = np.concatenate([faces[:, lefts][good], faces[:, rights][good]])
    axis = np.tile(up[good] / height[good][:, None], (2, 1))
    return GapTerm(top, bottom, axis, np.tile(np.minimum(_GAP, _SHARE * height[good]), 2), _SIGMA)


def separating_axes(
    a: Float[np.ndarray, "pairs 3 3"], b: Float[np.ndarray, "pairs 3 3"]
) -> tuple[Float[np.ndarray, "pairs 3"], Float[np.ndarray, " pairs"]]:
    """Unit direction in which all corners of a[i] lie farthest above those of b[i], and how far.

    Of the separating axis theorem's candidates (both normals, all cross products of edges) and
    the line between the centres; negative where none parts the two.
    """
    edges_a, edges_b = np.roll(a, -1, axis=1) - a, np.roll(b, -1, axis=1) - b
    normal_a = np.cross(edges_a[:, :1], edges_a[:, 1:2])
    normal_b = np.cross(edges_b[:, :1], edges_b[:, 1:2])
    crosses = np.cross(edges_a[:, :, None], edges_b[:, None]).reshape(len(a), 9, 3)
    middle = (a.mean(axis=1) - b.mean(axis=1))[:, None]
    axes = np.concatenate([normal_a, normal_b, crosses, middle], axis=1)
    length = np.linalg.norm(axes, axis=-1, keepdims=True)
    # Parallel edges give no axis: the zero vector parts nothing.
    axes = np.divide(axes, length, out=np.zeros_like(axes), where=length > 1e-15)
    axes = np.concatenate([axes, -axes], axis=1)
    lowest = np.einsum("pcd,pkd->pkc", a, axes).min(axis=-1)
    highest = np.einsum("pcd,pkd->pkc", b, axes).max(axis=-1)
    opening = np.where((axes != 0).any(axis=-1), lowest - highest, -np.inf)
    best = opening.argmax(axis=1)
    rows = np.arange(len(a))
    return axes[rows, best], opening[rows, best]
