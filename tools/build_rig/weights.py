"""Initial weights of the 84 bones on the template skin."""

import numpy as np

from rigface.rig.heat import heat_weights, surface_distances
from rigface.rig.skeleton import BONE_NAMES, BONE_PARENTS, GROUP_BONES, mirror_indices

# Bone heat's contrast: 1 is Pinocchio's, more keeps weights closer to their bone.
SHARPNESS = 3.0
# Metres that an ear's heat has to travel before it leaves the ear.
EAR_DELAY = 0.015
# Share that a group bone takes of what its children hold.
GROUP_SHARE = 0.03


def initial_weights(skin, placement) -> np.ndarray:
    """(verts, bones), symmetric, non-negative, rows sum to one."""
    sources = [_seeds(skin, placement, bone) for bone in range(len(BONE_NAMES))]
    distances = surface_distances(skin.vertices, skin.faces, sources)
    weights = heat_weights(skin.vertices, skin.faces, distances, SHARPNESS)
    children = np.zeros((len(BONE_NAMES),) * 2)
    for bone, parent in enumerate(BONE_PARENTS):
        if BONE_NAMES[parent] in GROUP_BONES and BONE_NAMES[parent] not in ("root", "head"):
            children[bone, parent] = GROUP_SHARE
    weights = weights + weights @ children - weights * children.sum(axis=1)
    mirrored = weights[skin.mirror][:, mirror_indices(BONE_NAMES)]
    weights = 0.5 * (weights + mirrored)
    weights[weights < 1e-4] = 0
    return weights / weights.sum(axis=1, keepdims=True)


def _seeds(skin, placement, bone: int):
    """Seed vertices and starting distances of one bone."""
    name = BONE_NAMES[bone]
    area = _group_area(skin, name)
    if area is not None:
        ids = np.flatnonzero(area)
        return ids, np.full(len(ids), EAR_DELAY if name.startswith("ear") else 0.0)
    ids = skin.faces[placement.face[bone]]
    anchor = placement.bary[bone] @ skin.vertices[ids]
    return ids, np.linalg.norm(skin.vertices[ids] - anchor, axis=1)


def _group_area(skin, name: str) -> np.ndarray | None:
    """Skin that only a group bone can carry: scalp, nape, mouth bag, eye socket; ears as wholes."""
    x, y, z = skin.vertices.T
    outer, side = skin.outer_verts, x if name.endswith(".L") else -x
    if name == "head":
        crown = y + 0.25 * np.minimum(-z, 0.16) > 0.085
        return outer & (crown | ((z < -0.1) & (y > 0.0)))
    if name == "root":
        return outer & (z < -0.11) & (y < -0.055)
    if name == "mouth":
        return skin.regions["mouth_cavity"] & ~outer & (z < 0.0)
    if name in ("eye.L", "eye.R"):
        return skin.regions["socket" + name[-2:]] & ~outer & (z < 0.002)
    if name in ("ear.L", "ear.R"):
        return skin.regions["ears"] & (side > 0.073)
    if name == "nose":
        return ~outer & (np.abs(x) < 0.016) & (y > -0.042) & (y < -0.02) & (z > 0)
    return None
