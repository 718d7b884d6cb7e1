"""The iBUG-68 points, authored on the subject's left half and the midline, then mirrored.

Eyes and lips are vertices of the ring patches, midline points vertices of the skin; the rest are
positions in the template's frame, dropped onto the nearest outer face. The jaw line and the
brows were placed with ICT-FaceKit's published indices as a guide, the brows lowered onto the
ridge of this head.
"""

import numpy as np

from rigface.rig.template import SurfacePoints

from .makehuman import HeadSource
from .regions import Anatomy

EYE = {42: (2, 8), 43: (2, 2), 44: (2, 0), 45: (2, 21), 46: (2, 15), 47: (2, 13)}
"""Landmark -> ring, column of the left eye's patch."""
MOUTH = {51: (7, 8), 52: (7, 10), 53: (7, 13), 54: (5, 19), 55: (7, 24), 56: (7, 26), 57: (7, 27),
         62: (2, 8), 63: (2, 11), 64: (2, 19), 65: (2, 25), 66: (2, 27)}  # fmt: skip
MIDLINE = {8: 1580, 27: 133, 28: 131, 29: 201, 30: 297, 33: 343}
"""Landmark -> skin vertex."""
POSITION = {
    16: (68.0, 4.8, -34.0), 15: (68.0, -15.9, -32.0), 14: (64.5, -34.5, -27.0),
    13: (58.5, -52.3, -22.5), 12: (49.8, -72.0, -16.0), 11: (38.5, -89.1, -7.5),
    10: (26.9, -97.3, 3.6), 9: (13.4, -102.0, 14.8),
    26: (53.0, 11.5, 5.0), 25: (45.5, 18.0, 13.0), 24: (35.0, 20.5, 20.0),
    23: (22.5, 19.5, 25.0), 22: (11.0, 16.5, 26.5),
    34: (6.2, -47.0, 30.3), 35: (12.6, -45.8, 26.8),
}  # fmt: skip
"""Landmark -> millimetres."""
OPPOSITE = {**{k: 16 - k for k in range(8)}, **{17 + k: 26 - k for k in range(5)}, 31: 35, 32: 34,
            36: 45, 37: 44, 38: 43, 39: 42, 40: 47, 41: 46, 48: 54, 49: 53, 50: 52, 58: 56,
            59: 55, 60: 64, 61: 63, 67: 65}  # fmt: skip
"""Landmarks of the subject's right half -> left half."""


def ibug_landmarks(
    head: HeadSource,
    anatomy: Anatomy,
    vertices: np.ndarray,
    mirror: np.ndarray,
    outer: np.ndarray,
) -> SurfacePoints:
    """ibug.0 .. ibug.67 as faces and barycentric coordinates; `outer` is that region's mask."""
    skin = head.faces[head.face_runs["skin"]]
    eye = {mark: anatomy.eyes["L"][where] for mark, where in EYE.items()}
    mouth = {mark: anatomy.mouth[where] for mark, where in MOUTH.items()}
    spots = {
        mark: _at_vertex(skin, int(vertex)) for mark, vertex in (eye | mouth | MIDLINE).items()
    }
    allowed = np.flatnonzero(outer[skin].all(axis=1))
    for mark, position in POSITION.items():
        face, bary = _nearest(np.array(position) * 1e-3, vertices[skin[allowed]])
        spots[mark] = int(allowed[face]), bary
    index = {tuple(sorted(face)): number for number, face in enumerate(skin.tolist())}
    for right, left in OPPOSITE.items():
        spots[right] = _mirrored(*spots[left], skin, mirror, index)
    marks = sorted(spots)
    assert marks == list(range(68))
    return SurfacePoints(
        names=tuple(f"ibug.{mark}" for mark in marks),
        face=np.array([spots[mark][0] for mark in marks]),
        bary=np.array([spots[mark][1] for mark in marks]),
    )


def _at_vertex(faces: np.ndarray, vertex: int) -> tuple[int, np.ndarray]:
    face = int(np.flatnonzero((faces == vertex).any(axis=1))[0])
    return face, (faces[face] == vertex).astype(float)


def _mirrored(
    face: int, bary: np.ndarray, faces: np.ndarray, mirror: np.ndarray, index: dict
) -> tuple[int, np.ndarray]:
    there = mirror[faces[face]].tolist()
    twin = index[tuple(sorted(there))]
    return twin, np.array([bary[there.index(vertex)] for vertex in faces[twin].tolist()])


def _nearest(point: np.ndarray, corners: np.ndarray) -> tuple[int, np.ndarray]:
    """Nearest of (faces, 3, 3) to a point by the foot of the perpendicular or the nearest edge."""
    best, where = np.inf, (0, np.zeros(3))
    near = np.argsort(np.linalg.norm(corners.mean(axis=1) - point, axis=1), kind="stable")[:40]
    for face in near.tolist():
        bary = _closest_bary(point, corners[face])
        distance = float(np.linalg.norm(bary @ corners[face] - point))
        if distance < best:
            best, where = distance, (face, bary)
    return where


def _closest_bary(point: np.ndarray, corners: np.ndarray) -> np.ndarray:
    a, b, c = corners
    inside = np.linalg.lstsq(np.stack([b - a, c - a], axis=1), point - a, rcond=None)[0]
    bary = np.array([1 - inside.sum(), *inside])
    if (bary >= 0).all():
        return bary
    edges = []
    for k in range(3):
        start, stop = corners[k], corners[(k + 1) % 3]
        share = np.clip((point - start) @ (stop - start) / ((stop - start) ** 2).sum(), 0, 1)
        on_edge = np.zeros(3)
        on_edge[k], on_edge[(k + 1) % 3] = 1 - share, share
        edges.append(on_edge)
    return min(edges, key=lambda on_edge: float(np.linalg.norm(on_edge @ corners - point)))
