"""From scattered means to an embedding: symmetric, smooth by the canonical mesh, on the skin."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
import torch

from rigface.geometry.mesh import Mesh, unique_edges
from rigface.geometry.similarity import align_points
from rigface.geometry.surface import Surface
from rigface.io.obj import read_obj
from rigface.rig.template import Template

from .hits import MARKS, allowed_faces

LIPS_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39,
              40, 185)  # fmt: skip
LIPS_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81,
              80, 191)  # fmt: skip
UPPER = (409, 270, 269, 267, 0, 37, 39, 40, 185, 415, 310, 311, 312, 13, 82, 81, 80, 191)
LOWER = (146, 91, 181, 84, 17, 314, 405, 321, 375, 95, 88, 178, 87, 14, 317, 402, 318, 324)
_INSIDE = (*LIPS_OUTER, 33, 133, 159, 145, 362, 263, 386, 374, 1, 4, 5, 6, 168, 98, 327, 105, 334)
LEAST_HITS = 6
_SMOOTH, _SURFACE = 0.1, 0.3
_STEPS = 20
_SIGMA_FLOOR = 0.5e-3
_SIGMA_UNSEEN = 6e-3
_SIGMA_TYPICAL = 1.5e-3


@dataclass(frozen=True)
class Embedded:
    """468 points on the outer skin."""

    face: np.ndarray
    bary: np.ndarray
    sigma: np.ndarray
    """Metres."""
    residual: float
    """RMS distance to the targets, metres."""


def canonical(path: Path) -> tuple[Mesh, np.ndarray]:
    """MediaPipe's canonical face and its mirror map."""
    parsed = read_obj(path)
    vertices, faces = parsed.vertices[:MARKS], parsed.faces
    assert faces is not None and len(vertices) == MARKS
    twin = vertices * np.array([-1.0, 1.0, 1.0])
    distance = np.linalg.norm(vertices[None] - twin[:, None], axis=-1)
    mirror = distance.argmin(axis=1)
    assert distance.min(axis=1).max() < 1e-4 and (mirror[mirror] == np.arange(MARKS)).all()
    return Mesh(vertices, faces), mirror


def first_guess(template: Template, mesh: Mesh, mean: np.ndarray) -> np.ndarray:
    """The canonical face on the skin, aligned by the landmarks inside the face."""
    inside = np.array(_INSIDE)
    whole = align_points(mesh.vertices[inside], mean[inside]).apply(mesh.vertices)
    return _Skin(template).project(whole)[2]


def symmetrise(
    mean: np.ndarray, spread: np.ndarray, count: np.ndarray, mirror: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Both sides averaged by their hits; also the mean asymmetry before, metres."""
    flip = np.array([-1.0, 1.0, 1.0])
    twin = mean[mirror] * flip
    both = (count >= LEAST_HITS) & (count[mirror] >= LEAST_HITS)
    asymmetry = float(np.linalg.norm(mean - twin, axis=1)[both].mean())
    total = np.maximum(count + count[mirror], 1)
    share = (count / total)[:, None]
    mixed = share * mean + (1 - share) * twin
    wide = np.sqrt(share[:, 0] * spread**2 + (1 - share[:, 0]) * spread[mirror] ** 2)
    return mixed, wide, total, asymmetry


def embed(
    template: Template,
    mesh: Mesh,
    mirror: np.ndarray,
    target: np.ndarray,
    spread: np.ndarray,
    count: np.ndarray,
) -> Embedded:
    """Deform the canonical mesh smoothly onto the targets and the skin, then project it."""
    seen = count >= 2 * LEAST_HITS
    weight = np.where(seen, (_SIGMA_TYPICAL / np.hypot(spread, _SIGMA_FLOOR)) ** 2, 0.0)
    start = align_points(mesh.vertices[seen], target[seen], weight[seen]).apply(mesh.vertices)
    edges = unique_edges(mesh.faces)
    ends = np.concatenate([edges, edges[:, ::-1]]).T
    near = sp.csr_matrix((np.ones(ends.shape[1]), (ends[0], ends[1])), shape=(MARKS, MARKS))
    rows = sp.diags(1 / np.asarray(near.sum(axis=1)).ravel()) @ near
    bend = sp.eye(MARKS) - rows
    system = sp.diags(weight + _SURFACE) + _SMOOTH * 4 * (bend.T @ bend)
    solve = spla.factorized(system.tocsc())
    skin = _Skin(template)
    x = start
    for _ in range(_STEPS):
        goal = weight[:, None] * np.nan_to_num(target) + _SURFACE * skin.project(x)[2]
        goal += _SMOOTH * 4 * (bend.T @ (bend @ start))
        x = np.column_stack([solve(goal[:, axis]) for axis in range(3)])
        x = 0.5 * (x + x[mirror] * np.array([-1.0, 1.0, 1.0]))
    face, bary, place = skin.project(x)
    face, bary = _mirrored(template, face, bary, mirror, mesh.vertices[:, 0])
    place = np.einsum("nc,ncd->nd", bary, template.mesh.vertices[template.mesh.faces[face]])
    off = np.linalg.norm(place - target, axis=1)
    sigma = np.where(
        seen, np.hypot(np.hypot(spread, np.nan_to_num(off)), _SIGMA_FLOOR), _SIGMA_UNSEEN
    )
    residual = float(np.sqrt((off[seen] ** 2).mean()))
    return Embedded(face, bary, 0.5 * (sigma + sigma[mirror]), residual)


class _Skin:
    """Closest points on the outer skin, the upper lip for the upper lip's landmarks only."""

    def __init__(self, template: Template):
        faces = template.mesh.faces
        outer = allowed_faces(template)
        index, offset = template.expressions.of("jawOpen")
        drop = np.zeros(len(template.mesh.vertices))
        drop[index] = np.linalg.norm(offset, axis=1)
        lips = template.regions["lips"] | template.regions["lip_ring"]
        ring = template.regions["lip_ring"]
        half = 0.5 * drop[ring].max()
        low = lips[faces].any(axis=1) & (drop[faces].mean(axis=1) > half)
        high = lips[faces].any(axis=1) & ~low
        everything = np.arange(MARKS)
        self._kinds = []
        for marks, allowed in (
            (np.setdiff1d(everything, UPPER + LOWER), outer),
            (np.array(UPPER), outer & ~low),
            (np.array(LOWER), outer & ~high),
        ):
            ids = np.flatnonzero(allowed)
            surface = Surface(
                torch.from_numpy(template.mesh.vertices), torch.from_numpy(faces[ids])
            )
            self._kinds.append((marks, ids, surface))

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Face ids of the template, barycentric coordinates and positions."""
        face, bary = np.zeros(MARKS, dtype=np.int64), np.zeros((MARKS, 3))
        place = np.zeros((MARKS, 3))
        for marks, ids, surface in self._kinds:
            found = surface.closest(torch.from_numpy(points[marks]))
            face[marks] = ids[found.face.numpy()]
            bary[marks], place[marks] = found.bary.numpy(), found.point.numpy()
        bary = np.clip(bary, 0, 1)
        return face, bary / bary.sum(axis=1, keepdims=True), place


def _mirrored(
    template: Template, face: np.ndarray, bary: np.ndarray, mirror: np.ndarray, side: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The left half (x > 0) copied to the right one exactly, the midline put at x = 0."""
    faces = template.mesh.faces
    twin = {tuple(sorted(row)): number for number, row in enumerate(faces.tolist())}
    face, bary = face.copy(), bary.copy()
    middle = np.flatnonzero(np.abs(side) < 1e-6)
    across = template.mesh.vertices[faces[face[middle]], 0]
    slope = across - across.mean(axis=1, keepdims=True)
    off = (bary[middle] * across).sum(axis=1, keepdims=True)
    share = np.clip(bary[middle] - off * slope / (slope**2).sum(axis=1, keepdims=True), 0, 1)
    bary[middle] = share / share.sum(axis=1, keepdims=True)
    for left in np.flatnonzero(side > 1e-6).tolist():
        there = template.mirror[faces[face[left]]].tolist()
        right = mirror[left]
        face[right] = twin[tuple(sorted(there))]
        corners = faces[face[right]].tolist()
        bary[right] = [bary[left][there.index(vertex)] for vertex in corners]
    return face, bary
