"""Lips that touch instead of passing through each other."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from rigface.geometry.intersections import self_intersections

from .regions import LIP_RINGS, Anatomy
from .rings import Neighbours

CORNERS = (19, 35)
"""Columns of the mouth grid at its corners: subject's left, right."""
STEP = 0.08e-3
"""Metres per round."""
ROUNDS = 80
SMOOTHING = 4
"""How far a push spreads over neighbours."""


@dataclass(frozen=True)
class Lips:
    """The faces around the mouth's opening, and to which lip each vertex belongs."""

    faces: np.ndarray
    side: np.ndarray
    """(verts,) +1 upper, -1 lower, 0 elsewhere and at the corners."""
    links: np.ndarray
    """(links, 2) pairs of neighbouring vertices, both ways."""


def find_lips(anatomy: Anatomy, skin: np.ndarray, verts: int) -> Lips:
    """Lips out to `LIP_RINGS` and some way into the mouth."""
    side = np.zeros(verts, int)
    left, right = CORNERS
    columns = np.arange(anatomy.mouth.shape[1])
    lower = (columns > left) & (columns < right)
    upper = (columns < left) | (columns > right)
    side[anatomy.mouth[: LIP_RINGS + 1, upper]] = 1
    side[anatomy.mouth[: LIP_RINGS + 1, lower]] = -1
    _label_cavity(side, anatomy.neighbours, anatomy.mouth[0], anatomy.cavities["mouth"])
    faces = skin[(side[skin] != 0).any(axis=1)]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return Lips(faces, side, np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0))


def part_lips(points: np.ndarray, lips: Lips) -> np.ndarray:
    """`points` with the lips moved apart, smoothly and upwards or downwards, until none cross."""
    lift = np.zeros(len(points))
    out = points
    for _ in range(ROUNDS):
        pairs = self_intersections(out, lips.faces)
        if len(pairs) == 0:
            break
        touched = np.unique(lips.faces[pairs])
        push = np.zeros(len(points))
        push[touched] = STEP * lips.side[touched]
        for _ in range(SMOOTHING):
            push = np.where(lips.side != 0, _relaxed(push, lips), 0)
        peak = np.abs(push).max()
        lift += push * (STEP / peak if peak > 0 else 0)
        out = points + np.stack([0 * lift, lift, 0 * lift], axis=1)
    return out


def _relaxed(value: np.ndarray, lips: Lips) -> np.ndarray:
    total, count = np.zeros_like(value), np.zeros_like(value)
    np.add.at(total, lips.links[:, 0], value[lips.links[:, 1]])
    np.add.at(count, lips.links[:, 0], 1)
    return 0.5 * value + 0.5 * total / np.maximum(count, 1)


def _label_cavity(
    side: np.ndarray, neighbours: Neighbours, rim: np.ndarray, cavity: np.ndarray
) -> None:
    """Carry the rim's labels inwards, vertex to neighbour, for eight rings."""
    queue = deque((int(vertex), 0) for vertex in rim)
    seen = set(rim.tolist())
    while queue:
        vertex, depth = queue.popleft()
        for other in neighbours[vertex]:
            if other not in seen and cavity[other] and depth < 8:
                seen.add(other)
                side[other] = side[vertex]
                queue.append((other, depth + 1))
