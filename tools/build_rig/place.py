"""From authored spots to anchors on the outer skin and joints under it, exactly symmetric."""

from dataclasses import dataclass

import numpy as np
import torch

from rigface.geometry.mesh import face_normals, vertex_normals
from rigface.geometry.surface import Surface
from rigface.rig.skeleton import ATTACHMENT_NAMES, BONE_NAMES, opposite_name

from .authoring import ATTACHMENTS, BONES, TONGUE, Spot

_MIN_BARY = 0.2
_MM = 1e-3
_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Placement:
    """Anchors and joints of all bones, in the order of Table 1."""

    face: np.ndarray
    bary: np.ndarray
    positions: np.ndarray


def place_bones(skin) -> Placement:
    """Cast the authored left and midline spots, mirror the rest."""
    outer = np.flatnonzero(skin.outer_faces)
    surface = Surface(torch.tensor(skin.vertices), torch.tensor(skin.faces[outer]))
    whole = Surface(torch.tensor(skin.vertices), torch.tensor(skin.faces))
    placed: dict[str, tuple[int, np.ndarray, np.ndarray]] = {}
    for name in BONE_NAMES:
        if name.endswith(".R"):
            continue
        spot = BONES[name]
        point = _on_skin(surface, spot)
        face, bary = _interior_anchor(surface, outer, skin, point)
        joint = np.array(spot.pivot) * _MM if spot.pivot else _under(skin, whole, face, bary, spot)
        if opposite_name(name) == name:
            joint[0] = 0.0
        placed[name] = (face, bary, joint)
        if name.endswith(".L"):
            placed[opposite_name(name)] = _mirrored(skin, *placed[name])
    rows = [placed[name] for name in BONE_NAMES]
    return Placement(*(np.array([row[i] for row in rows]) for i in range(3)))


def place_attachments(skin) -> np.ndarray:
    """Joint positions in the order of ATTACHMENT_NAMES; metres.

    Eyeballs turn about their centres, teeth about theirs, the tongue bends at a chain along it.
    """
    joints = {name: np.array(point) * _MM for name, point in ATTACHMENTS.items()}
    joints |= {"eyeball.L": skin.eyeball_left, "eyeball.R": skin.eyeball_left * _MIRROR}
    joints |= {name: _middle(skin.parts[name]) for name in ("teeth.upper", "teeth.lower")}
    tongue = skin.parts["tongue"]
    back, tip = tongue[:, 2].min(), tongue[:, 2].max()
    for name, share in TONGUE.items():
        depth = back + share * (tip - back)
        near = np.abs(tongue[:, 2] - depth) < 0.15 * (tip - back)
        joints[name] = np.array([0.0, tongue[near, 1].mean(), depth])
    return np.array([joints[name] for name in ATTACHMENT_NAMES])


def _middle(points: np.ndarray) -> np.ndarray:
    return 0.5 * (points.min(axis=0) + points.max(axis=0)) * np.array([0, 1, 1])


def _on_skin(surface: Surface, spot: Spot) -> np.ndarray:
    x, y, z = spot.at
    if x is not None and z is not None:
        return np.array([x, y, z]) * _MM
    front = z is None
    origin = np.array([x, y, 500.0] if front else [500.0, y, z], dtype=float) * _MM
    direction = np.array([0.0, 0, -1] if front else [-1.0, 0, 0])
    _, length = surface.ray(torch.tensor(origin[None]), torch.tensor(direction[None]))
    assert torch.isfinite(length).all(), f"{spot} misses the skin"
    return origin + direction * float(length[0])


def _interior_anchor(surface, outer, skin, point) -> tuple[int, np.ndarray]:
    """The outer triangle nearest to a point, barycentrics pushed inside.

    A midline point lies on an edge; the triangle on the left side is taken.
    """
    nudge = point + (np.array([2e-4, 0, 0]) if abs(point[0]) < 2e-4 else 0)
    hit = surface.closest(torch.tensor(nudge[None]))
    face, bary = int(outer[int(hit.face[0])]), hit.bary[0].double().numpy()
    bary = np.maximum(bary, _MIN_BARY)
    excess = (bary.sum() - 1) * (bary - _MIN_BARY) / (bary - _MIN_BARY).sum()
    return face, bary - excess


def _under(skin, whole: Surface, face: int, bary: np.ndarray, spot: Spot) -> np.ndarray:
    """Along the inward normal by the wanted depth, or half of what there is: lids are thin."""
    corners = skin.faces[face]
    smooth = bary @ vertex_normals(skin.vertices, skin.faces)[corners]
    flat = face_normals(skin.vertices, skin.faces[[face]])[0]
    inwards = -(smooth / np.linalg.norm(smooth) + flat)
    inwards /= np.linalg.norm(inwards)
    anchor = bary @ skin.vertices[corners]
    start = anchor + 2e-4 * inwards
    _, free = whole.ray(torch.tensor(start[None]), torch.tensor(inwards[None]))
    return anchor + inwards * min(spot.depth * _MM, 0.5 * (2e-4 + float(free[0])))


def _mirrored(skin, face: int, bary: np.ndarray, joint: np.ndarray):
    image = skin.mirror[skin.faces[face]]
    twin = int(np.flatnonzero((np.sort(skin.faces, 1) == np.sort(image)).all(1))[0])
    order = [int(np.flatnonzero(image == corner)[0]) for corner in skin.faces[twin]]
    return twin, bary[order], joint * _MIRROR
