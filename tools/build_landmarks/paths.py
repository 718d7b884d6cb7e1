"""Irises on the eyeballs, and the lines on which the face's outline slides."""

import numpy as np
import torch

from rigface.evidence.ibug import MESH_OVAL
from rigface.geometry.surface import Surface
from rigface.render.head_paint import IRIS_RADIUS
from rigface.rig.template import Template

SAMPLES = 48
_RAYS = 600
_CENTRE = np.array([0.0, -0.035, -0.06])
"""Inside the head, level with the middle of the face: the lines run around it."""
_FRONT = np.radians(72)
"""Where the lines begin, seen from the centre: beside the nose, under the eyes, at the lips."""
_BACKWARD = np.radians(75)
"""How far they reach behind their landmark at most."""
_INTO_NECK = 12e-3
"""Metres of the neck's region at their end, so that a chin's outline never is their last point."""


def iris_rings(template: Template) -> tuple[np.ndarray, np.ndarray]:
    """Faces (8,) and barycentric coordinates (8, 3) of both rims: right, then left."""
    faces = template.mesh.faces
    face, bary = [], []
    for side in "RL":
        ball, run = template.eyeballs[side], template.parts[f"eyeball.{side}"].faces
        forward = np.sqrt(ball.radius**2 - IRIS_RADIUS**2) * ball.gaze
        right = np.cross([0.0, 1.0, 0.0], ball.gaze)
        right /= np.linalg.norm(right)
        up = np.cross(ball.gaze, right)
        rim = ball.centre + forward + IRIS_RADIUS * np.stack([right, up, -right, -up])
        surface = Surface(torch.from_numpy(template.mesh.vertices), torch.from_numpy(faces[run]))
        found = surface.closest(torch.from_numpy(rim))
        face.append(found.face.numpy() + run.start)
        bary.append(found.bary.numpy())
    share = np.clip(np.concatenate(bary), 0, 1)
    return np.concatenate(face), share / share.sum(axis=1, keepdims=True)


def contour_paths(template: Template, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces (36, samples) and barycentric coordinates of the lines through the oval's landmarks.

    Each line is the cut of the outer skin with a half plane through the axis along +Z in the
    middle of the face: along a cheek towards the ear, around the chin. It ends where the ear
    begins or a little below the jaw.
    """
    mesh = template.mesh
    ids = np.flatnonzero(template.regions["outer"][mesh.faces].all(axis=1))
    surface = Surface(torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces[ids]))
    ears, neck = (template.regions[name][mesh.faces].any(axis=1) for name in ("ears", "neck"))
    left = MESH_OVAL[: len(MESH_OVAL) // 2 + 1]  # with both ends, which lie on the midline
    rows = [_path(surface, ids, (ears, neck), mesh, positions[mark]) for mark in left]
    rows += [_mirrored(template, *row) for row in rows[-2:0:-1]]
    return np.array([face for face, _ in rows]), np.array([bary for _, bary in rows])


def _mirrored(
    template: Template, face: np.ndarray, bary: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same places on the other side of the head."""
    faces = template.mesh.faces
    twin = {tuple(sorted(row)): number for number, row in enumerate(faces.tolist())}
    there = template.mirror[faces[face]]
    other = np.array([twin[tuple(sorted(row))] for row in there.tolist()])
    order = (faces[other][:, :, None] == there[:, None, :]).argmax(axis=2)
    return other, np.take_along_axis(bary, order, axis=1)


def _path(surface, ids, ends, mesh, mark) -> tuple[np.ndarray, np.ndarray]:
    arm = mark - _CENTRE
    outwards = np.array([arm[0], arm[1], 0.0])
    outwards /= np.linalg.norm(outwards)
    angle = np.arctan2(arm[2], arm @ outwards)
    angles = np.linspace(_FRONT, angle - _BACKWARD, _RAYS)
    here = int(np.abs(angles - angle).argmin())
    rays = np.cos(angles)[:, None] * outwards + np.sin(angles)[:, None] * np.array([0.0, 0, 1])
    origin = torch.from_numpy(np.broadcast_to(_CENTRE, rays.shape).copy())
    hit, distance = surface.ray(origin, torch.from_numpy(rays))
    hit = hit.numpy()
    face = ids[np.maximum(hit, 0)]
    ears, neck = ends
    bad = np.flatnonzero((hit < 0) | ears[face])
    first = max(bad[bad < here], default=-1) + 1
    last = min(bad[bad >= here], default=_RAYS)
    face = face[first:last]
    place = _CENTRE + distance.numpy()[first:last, None] * rays[first:last]
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(place, axis=0), axis=1))])
    below = np.flatnonzero(neck[face] & (np.arange(len(face)) > here - first))
    if len(below):
        along = along[along <= along[below[0]] + _INTO_NECK]
    pick = np.searchsorted(along, np.linspace(0, along[-1], SAMPLES)).clip(0, len(along) - 1)
    corners = mesh.vertices[mesh.faces[face[pick]]]
    return face[pick], _barycentric(place[pick], corners)


def _barycentric(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    a, b, c = corners.transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    area = (normal**2).sum(axis=1)
    u = (np.cross(c - b, points - b) * normal).sum(axis=1) / area
    v = (np.cross(a - c, points - c) * normal).sum(axis=1) / area
    share = np.clip(np.column_stack([u, v, 1 - u - v]), 0, 1)
    return share / share.sum(axis=1, keepdims=True)
