"""The concentric vertex rings that MakeHuman's quads form around the eyes and the mouth.

Ring 0 is the rim of the modelled cavity; positive rings run outwards over the visible skin,
column by column along quad edges, so that `grid[ring, column]` is a regular patch.
"""

from collections import defaultdict

import numpy as np

from .makehuman import HeadSource

CONTACT = 1
"""Ring where lid meets eyeball, and lip meets lip: the last one that belongs to the outside."""
LASH = 3
"""Front edge of the lid margin."""
VERMILION = 7
"""Border of the red of the lips."""

Neighbours = dict[int, list[int]]


def quad_neighbours(head: HeadSource) -> Neighbours:
    """Vertices joined by an edge of the artist's quads (no triangulation diagonals)."""
    out: dict[int, set[int]] = defaultdict(set)
    for quad in head.skin_quads.tolist():
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            out[a].add(b)
            out[b].add(a)
    return {vertex: sorted(linked) for vertex, linked in out.items()}


def ring_grid(neighbours: Neighbours, cavity: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """(rings, columns) from ring 0 = `rim` outwards, as far as every column goes on uniquely.

    `cavity` (verts,) marks the vertices of the cavity, its rim included.
    """
    rings, seen = [trace_ring(neighbours, rim)], set(np.flatnonzero(cavity).tolist())
    while True:
        onward = [
            [other for other in neighbours[vertex] if other not in seen] for vertex in rings[-1]
        ]
        following = [options[0] for options in onward if len(options) == 1]
        if len(set(following)) < len(rings[0]):
            return np.array(rings)
        seen.update(following)
        rings.append(following)


def trace_ring(neighbours: Neighbours, members: np.ndarray) -> list[int]:
    """The vertices of a closed ring in order, from its lowest index to its lower neighbour."""
    inside = set(members.tolist())
    ring = [min(inside)]
    while len(ring) < len(inside):
        onward = [v for v in neighbours[ring[-1]] if v in inside and v not in ring]
        ring.append(onward[0])
    return ring


def arcs(ring: np.ndarray, corners: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A ring cut at two columns into the two arcs between them, corners included in both."""
    first, last = sorted(corners)
    one = ring[first : last + 1]
    two = np.concatenate([ring[last:], ring[: first + 1]])[::-1]
    return one, two
