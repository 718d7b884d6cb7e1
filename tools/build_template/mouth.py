"""Teeth of a natural size, moved as rigid bodies by the expressions.

MakeHuman's crowns are 16 mm high and its arches 66 mm wide; both cut through the mouth bag, at
rest and with the jaw open. Human crowns are about 10 mm high and arches 55 to 60 mm wide.
"""

import numpy as np

ARCH_WIDTH = 0.85
CROWN_HEIGHT = 0.6
TONGUE_HEIGHT = 0.8
"""Heights are scaled about the biting edge of the upper incisors."""
SET_BACK = 3e-3
"""Metres towards the throat."""
STILL = 0.2e-3
"""A smaller motion is noise of the source: one vertex of mouthFunnel moves by 0.1 mm."""


def place_teeth(points: np.ndarray, runs: dict[str, slice]) -> np.ndarray:
    """The head with both rows of teeth and the tongue resized together, so that they stay apart.

    `runs` are the vertex runs of the head's parts.
    """
    edge = points[runs["teeth.upper"], 1].min()
    out = points.copy()
    heights = {"teeth.upper": CROWN_HEIGHT, "teeth.lower": CROWN_HEIGHT, "tongue": TONGUE_HEIGHT}
    for part, height in heights.items():
        x, y, z = points[runs[part]].T
        out[runs[part]] = np.stack([ARCH_WIDTH * x, edge + height * (y - edge), z - SET_BACK]).T
    return out


def move_rigidly(source: np.ndarray, offset: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Offsets of `points` under the rigid motion that best takes source to source + offset."""
    if np.linalg.norm(offset, axis=1).max() < STILL:
        return np.zeros_like(points)
    rotation, shift = rigid_motion(source, source + offset)
    return points @ rotation.T + shift - points


def rigid_motion(source: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares rotation and translation (Kabsch) with goal = rotation @ source + shift."""
    a, b = source - source.mean(axis=0), goal - goal.mean(axis=0)
    u, _, vt = np.linalg.svd(a.T @ b)
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))])
    rotation = vt.T @ sign @ u.T
    return rotation, goal.mean(axis=0) - rotation @ source.mean(axis=0)
