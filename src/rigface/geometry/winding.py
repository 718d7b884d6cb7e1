"""Corner orders that agree across shared edges, for meshes whose faces were turned at random."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int
from scipy.sparse.csgraph import connected_components


def consistent_winding(
    faces: Int[np.ndarray, "faces 3"],
) -> tuple[Int[np.ndarray, "faces 3"], int]:
    """The faces with as few as needed turned, and how many were.

    Two faces that share an edge should run through it in opposite directions. Each face appears
    twice in a graph, as it is and turned, tied to its neighbours by what suits them; a piece that
    can be oriented falls into two parts, of which the one that turns fewer faces is taken.
    """
    one, other, alike = _neighbours(faces)
    if not alike.any():
        return faces, 0
    count = len(faces)
    # Turned twins are numbered from `count` on; a neighbour that runs the same way is tied to them.
    start = np.concatenate([one, one + count])
    stop = np.concatenate([other + alike * count, other + ~alike * count])
    graph = sp.coo_matrix((np.ones(len(start)), (start, stop)), shape=(2 * count, 2 * count))
    _, part = connected_components(graph, directed=False)
    here, there = part[:count], part[count:]
    size = np.bincount(here, minlength=part.max() + 1)
    turn = size[here] < size[there]
    tied = (size[here] == size[there]) & (here > there)  # a tie goes to the first part
    turn |= tied
    turned = faces.copy()
    turned[turn] = turned[turn, ::-1]
    return turned, int(turn.sum())


def _neighbours(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of faces that share an edge which no third face has, and whether they run alike."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    owner = np.tile(np.arange(len(faces)), 3)
    upward = edges[:, 0] < edges[:, 1]
    low, high = edges.min(axis=1), edges.max(axis=1)
    order = np.lexsort((high, low))
    low, high, owner, upward = low[order], high[order], owner[order], upward[order]
    same = (low[1:] == low[:-1]) & (high[1:] == high[:-1])
    before = np.concatenate([[False], same])[:-1]
    after = np.concatenate([same, [False]])[1:]
    pair = np.flatnonzero(same & ~before & ~after)
    return owner[pair], owner[pair + 1], upward[pair] == upward[pair + 1]
