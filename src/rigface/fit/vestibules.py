"""The vestibules of the nose deepen into the tubes that a scan shows.

On the template they are shallow cups of a few vertices. Closest points leave them shallow: the
walls of a tube say nothing about its depth until the model reaches it. So each cup is stretched
along one axis, towards the middle of the unpaired scan points inside the nose, until it is as
deep as they are.
"""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import connected_components

from rigface.fit.matching import Matcher, MatchRule
from rigface.geometry.intersections import self_intersections
from rigface.geometry.mesh import face_normals

_REACH = 0.02
"""Metres from the middle of a cup to points that may belong to its tube."""
_FEWEST = 6
_BOTTOM = 85
"""Percentile of the points' depths that counts as a tube's bottom."""
_LEAST = 0.001
"""Metres of growth that are worth a displacement."""
_PARTNERS = MatchRule(0.006, 0.5)
"""Which scan points the skin already explains."""
_ROUNDS = 16
"""Of taking growth back where it folds the skin; each leaves 80 %."""


def deepen_nose(
    skin: Float[np.ndarray, "verts 3"], rest: Float[np.ndarray, "verts 3"], matcher: Matcher
) -> Float[np.ndarray, "verts 3"] | None:
    """Displacement of the vestibules of the nose where the scan shows deep ones, else None.

    Like the eyeballs they are a part that ASM carries: its weights are too smooth to turn a
    shallow cup into a tube.
    """
    inside = matcher.inside_nose(skin, _PARTNERS)
    growth = deepen_vestibules(skin, matcher.faces, matcher.cups, inside) - skin
    if np.abs(growth).max(initial=0.0) < _LEAST:
        return None
    near = matcher.searched[np.isin(matcher.searched, matcher.cups).any(axis=1)]
    normals = face_normals(rest, near)

    def turned(vertices: np.ndarray) -> Bool[np.ndarray, " near"]:
        return (face_normals(vertices, near) * normals).sum(axis=-1) <= 0

    before, crossings = turned(skin), len(self_intersections(skin, matcher.searched))
    share = np.ones(len(skin))
    for _ in range(_ROUNDS):
        moved = skin + share[:, None] * growth
        folds = turned(moved) & ~before
        if folds.any():
            share[near[folds]] *= 0.8
        elif len(self_intersections(moved, matcher.searched)) > crossings:
            share *= 0.8
        else:
            return share[:, None] * growth
    return None


def deepen_vestibules(
    skin: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
    cups: Int[np.ndarray, "cup_faces 3"],
    points: Float[np.ndarray, "points 3"],
) -> Float[np.ndarray, "verts 3"]:
    """Moves the vertices of `cups` alone. `points` lie behind the skin (metres)."""
    out = skin.copy()
    groups = [np.unique(cup) for cup in _pieces(cups)]
    middles = np.array([skin[ids].mean(axis=0) for ids in groups])
    distance = np.linalg.norm(points[:, None] - middles, axis=2)
    for side, ids in enumerate(groups):
        mine = points[(distance.argmin(axis=1) == side) & (distance[:, side] < _REACH)]
        if len(mine) >= _FEWEST:
            out[ids] += _stretch(skin[ids], _fade(faces, ids), middles[side], mine)
    return out


def _stretch(
    cup: np.ndarray, fade: np.ndarray, middle: np.ndarray, points: np.ndarray
) -> Float[np.ndarray, "cup_verts 3"]:
    axis = np.median(points, axis=0) - middle
    axis /= max(float(np.linalg.norm(axis)), 1e-9)
    wanted = np.percentile((points - middle) @ axis, _BOTTOM)
    bottom = float(((cup - middle) @ axis)[fade > 0.8].mean())
    return max(wanted - bottom, 0.0) * fade[:, None] * axis


def _pieces(faces: np.ndarray) -> list[np.ndarray]:
    ids, local = np.unique(faces, return_inverse=True)
    local = local.reshape(faces.shape)
    links = (np.ones(2 * len(local)), (local[:, [0, 1]].ravel(), local[:, [1, 2]].ravel()))
    _, label = connected_components(sp.coo_matrix(links, shape=(len(ids), len(ids))), False)
    return [faces[label[local[:, 0]] == piece] for piece in range(label.max() + 1)]


def _fade(faces: np.ndarray, ids: np.ndarray) -> Float[np.ndarray, " cup_verts"]:
    """One at the bottom of a cup, falling to zero on the ring of skin around it."""
    near = faces[np.isin(faces, ids).any(axis=1)]
    pairs = np.concatenate([near[:, [0, 1]], near[:, [1, 2]], near[:, [2, 0]]])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    place = np.full(int(faces.max()) + 1, -1)
    place[ids] = np.arange(len(ids))
    laplacian = np.zeros((len(ids), len(ids)))
    for a, b in place[pairs]:
        for i, j in ((a, b), (b, a)):
            if i >= 0:
                laplacian[i, i] += 1
                if j >= 0:
                    laplacian[i, j] -= 1
    height = np.linalg.solve(laplacian, np.ones(len(ids)))
    return np.sqrt(height / height.max())
