"""Joints and initial weights of JNR on the template skin: heat, as for ASM's bones."""

import numpy as np
from scipy.spatial import cKDTree
from tools.build_rig.skin import Skin
from tools.build_rig.weights import SHARPNESS

from rigface.rig.heat import heat_weights, surface_distances
from rigface.rig.jnr_skeleton import JNR_NAMES, JNR_PARENTS, mirror_joints, other_side
from rigface.rig.rig import Rig

from .authoring import PLACES

_MM = 1e-3
_MIRROR = np.array([-1.0, 1.0, 1.0])
MOST_INFLUENCES = 4
GROUP_SHARE = 0.15
"""What a joint without skin of its own takes of what its children hold."""
_GROUPS = ("Skull_Center", "Ears", "Lower_Face_Root", "Nose_Base_Position")
_POINTS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "L_Crown_Outer": ((60, 75, -75), (60, 72, -100), (58, 75, -50)),
    "L_Orbital": ((30, -17, 14), (42, 9, 13)),
    "Nose_Nostril": ((14, -38, 27), (-14, -38, 27)),
    "Nose_Base_Rotate": ((4, -49, 28), (-4, -49, 28)),
    "Jaw_Root": ((60, -40, -40), (-60, -40, -40)),
    "Jaw_Front": ((30, -90, 0), (-30, -90, 0), (0, -110, 0)),
    "Maxilla": ((19, -38, 20), (-19, -38, 20)),
    "Mouth_Center_Top": ((0, -54, 32),),
    "Mouth_Center_Bottom": ((0, -81, 24),),
}
"""Skin points (mm) of joints whose own place is no good one to look for skin at."""


def place_joints(rig: Rig) -> np.ndarray:
    """(52, 3) metres; exactly symmetric."""
    places: dict[str, np.ndarray] = {}
    for name in JNR_NAMES:
        if name not in PLACES:
            continue
        spot = PLACES[name]
        at = rig.bind_positions[rig.index(spot)] if isinstance(spot, str) else np.array(spot) * _MM
        places[name] = at
        if other_side(name) != name:
            places[other_side(name)] = at * _MIRROR
    return np.array([places[name] for name in JNR_NAMES])


def initial_weights(skin: Skin, joints: np.ndarray) -> np.ndarray:
    """(verts, 52), symmetric, non-negative, rows sum to one, few influences each."""
    tree = np.flatnonzero(skin.outer_verts)
    near = cKDTree(skin.vertices[tree])
    sources = [_seeds(skin, near, tree, joints, joint) for joint in range(len(JNR_NAMES))]
    own = np.array([len(ids) > 0 for ids, _ in sources])
    distances = np.full((len(own), len(skin.vertices)), np.inf)
    distances[own] = surface_distances(
        skin.vertices, skin.faces, [s for s, kept in zip(sources, own, strict=True) if kept]
    )
    weights = heat_weights(skin.vertices, skin.faces, distances, SHARPNESS)
    share = np.zeros((len(own), len(own)))
    for joint, parent in enumerate(JNR_PARENTS):
        if parent >= 0 and JNR_NAMES[parent] in _GROUPS:
            share[joint, parent] = GROUP_SHARE
    weights = weights + weights @ share - weights * share.sum(axis=1)
    weights = 0.5 * (weights + weights[skin.mirror][:, mirror_joints()])
    return _few(weights)


def _few(weights: np.ndarray) -> np.ndarray:
    """The largest influences of each vertex; ties, as on the midline, are kept together."""
    least = -np.sort(-weights, axis=1)[:, MOST_INFLUENCES - 1]
    weights = np.where(weights >= np.maximum(least, 0.01)[:, None] - 1e-12, weights, 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


def _seeds(skin: Skin, near: cKDTree, tree: np.ndarray, joints: np.ndarray, joint: int):
    """Seed vertices and starting distances of one joint; none for a group joint."""
    name = JNR_NAMES[joint]
    if name in _GROUPS:
        return np.zeros(0, dtype=int), np.zeros(0)
    area = _area(skin, name)
    if area is not None:
        ids = np.flatnonzero(area)
        return ids, np.zeros(len(ids))
    left = name if name in PLACES else other_side(name)
    points = np.array(_POINTS[left]) * _MM if left in _POINTS else joints[[JNR_NAMES.index(left)]]
    points = points if left == name else points * _MIRROR
    distance, ids = near.query(points, k=3)
    return tree[ids.ravel()], (distance - distance.min(axis=1, keepdims=True)).ravel()


def _area(skin: Skin, name: str) -> np.ndarray | None:
    """Skin that a joint owns as a whole: neck, scalp, ears, sockets."""
    x, y, z = skin.vertices.T
    outer, side = skin.outer_verts, x if name.startswith("L_") else -x
    back = outer & (z < -0.02)
    areas = {
        "Root": outer & (y < -0.115) & (z < -0.03),
        "Neck": back & (y < -0.075) & (y > -0.1) & (z < -0.075),
        "Skull_Root": back & (z < -0.13) & (np.abs(y) < 0.035),
        "Cranium": outer & (np.abs(y - 0.05) < 0.012),
        "Crown": outer & (y > 0.098),
        "Maxilla": None,
    }
    if name in areas:
        return areas[name]
    socket = f"socket.{name[0]}"
    if name.endswith("Eye_Socket"):
        return skin.regions[socket] & ~outer & (z < 0.004)
    if name.endswith("Ear_Rotate_Scale"):
        return skin.regions["ears"] & (side > 0.073)
    if name.endswith("Ear_Position"):
        return skin.regions["ears"] & (side > 0) & (side < 0.068)
    return None
