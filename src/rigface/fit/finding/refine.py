"""A candidate pose is polished together with the head's shape, so that an unusual nose or width
of the face does not pass for another scale."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from rigface.fit.finding.evidence import ASIDE
from rigface.fit.finding.face_target import FaceTarget
from rigface.geometry.similarity import Similarity, align_points

_SIGMA = 0.0015
"""Expected misfit (metres) of a shaped template."""
_NORMAL_SIGMA = 0.4
"""Expected difference of unit normals."""
_INDEPENDENT = 40.0
"""Neighbouring residuals are alike: all points together count as this many."""
_LAYER = 0.004
_HAIR = 0.012
"""What floats higher above the face (metres) hides nothing."""


@dataclass(frozen=True)
class Effort:
    """How much work a refinement is worth."""

    most: int
    """Scan points that take part, evenly strided."""
    reaches: tuple[float, ...]
    """Distance (metres) at which a point stops to take part, one per step."""


QUICK = Effort(700, (0.008, 0.007, 0.006, 0.005))
THOROUGH = Effort(2000, (0.008, 0.008, 0.007, 0.006, 0.006, 0.005, 0.005, 0.005))


@dataclass(frozen=True)
class Contact:
    """The scan points near the shaped face and what each meets; template frame, metres."""

    scan: Float[np.ndarray, "near 3"]
    scan_normals: Float[np.ndarray, "near 3"]
    face: np.ndarray
    """Index of the nearest face point."""
    height: Float[np.ndarray, " near"]
    """Signed distance along that point's normal."""
    weight: Float[np.ndarray, " near"]
    """Support within the reach, 0..1."""


@dataclass(frozen=True)
class Refined:
    """The outcome for one candidate."""

    scan_from_model: Similarity
    """Best similarity between the template's face and the shaped face laid on the scan."""
    shape: Float[np.ndarray, " shapes"]
    contact: Contact


def refine(
    start: Similarity,
    points: Float[np.ndarray, "points 3"],
    normals: Float[np.ndarray, "points 3"],
    target: FaceTarget,
    effort: Effort = THOROUGH,
) -> Refined:
    """Robust point-to-plane fit of the similarity and the leading shapes to even scan points."""
    around = start.inverse().apply(points)
    near = np.flatnonzero((np.abs(around - target.points.mean(0)) < 0.125).all(1))
    near = near[:: max(1, len(near) // effort.most)]
    points, normals = points[near], normals[near]
    pose, shape = start, np.zeros(len(target.shapes))
    for reach in effort.reaches:
        contact = touch(pose, shape, points, normals, target, reach)
        pose, shape = _update(pose, shape, contact, target)
    contact = touch(pose, shape, points, normals, target, THOROUGH.reaches[-1])
    shaped = target.points + np.tensordot(shape, target.shapes, 1)
    return Refined(pose @ align_points(target.points, shaped), shape, contact)


def touch(
    pose: Similarity,
    shape: np.ndarray,
    points: np.ndarray,
    normals: np.ndarray,
    target: FaceTarget,
    reach: float,
) -> Contact:
    """Pair scan points with the shaped face. The lookup is that of the unshaped template, made
    with the shape undone; fine while shapes stay below a few voxels."""
    x, m = pose.inverse().apply(points), normals @ pose.rotation
    face = target.volume.lookup(x)
    for _ in range(2):
        offset = np.einsum("s,snd->nd", shape, target.shapes[:, np.maximum(face, 0)])
        face = target.volume.lookup(x - offset)
    found = face >= 0
    x, m, face = x[found], m[found], face[found]
    offset = np.einsum("s,snd->nd", shape, target.shapes[:, face])
    away, n = x - target.points[face] - offset, target.normals[face]
    height = (away * n).sum(1)
    aside = np.linalg.norm(away - height[:, None] * n, axis=1)
    facing = np.maximum(2 * np.abs((m * n).sum(1)) - 1, 0)
    fall = np.maximum(1 - (height / reach) ** 2, 0) ** 2
    weight = fall * facing * (aside < ASIDE + 0.5 * np.abs(height))
    weight = weight * _outermost(target.piece[face], height)
    return Contact(x, m, face, height, weight)


def _cross_matrices(vectors: np.ndarray) -> np.ndarray:
    """[v]x with [v]x w = v x w."""
    out = np.zeros((len(vectors), 3, 3))
    x, y, z = vectors.T
    out[:, 0, 1], out[:, 0, 2], out[:, 1, 2] = -z, y, -x
    out[:, 1, 0], out[:, 2, 0], out[:, 2, 1] = z, -y, x
    return out


def _outermost(piece: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Points that are not below another layer of the scan (a mouth bag, eye pockets)."""
    shown = np.where(height < _HAIR, height, -np.inf)
    top = np.full(piece.max(initial=0) + 1, -np.inf)
    np.maximum.at(top, piece, shown)
    return height > top[piece] - _LAYER


def _update(
    pose: Similarity, shape: np.ndarray, contact: Contact, target: FaceTarget
) -> tuple[Similarity, np.ndarray]:
    used = contact.weight > 0
    face, weight, x = contact.face[used], contact.weight[used], contact.scan[used]
    weight = weight * target.value[face]
    if weight.sum() < 20:
        return pose, shape
    n, offsets = target.normals[face], target.shapes[:, face]
    # Distance along the normal, then the three components of the difference of the normals:
    # these keep features from sliding where the surface is nearly flat or round.
    bend = -np.einsum("nd,snd->ns", n, offsets)
    rows = np.concatenate([np.cross(x, n), n, (n * x).sum(1)[:, None], bend], 1)
    m, bending = contact.scan_normals[used], target.bending[face]
    m = m * np.sign((m * n).sum(1))[:, None]
    away = x - target.points[face] - np.einsum("s,snd->nd", shape, offsets)
    differ = m - n - np.einsum("nij,nj->ni", bending, away)
    moved = np.concatenate(
        [-_cross_matrices(x), np.broadcast_to(np.eye(3), (len(x), 3, 3)), x[:, :, None],
         -offsets.transpose(1, 2, 0)], 2)  # fmt: skip
    turn_rows = -np.einsum("nij,njk->nik", bending, moved)
    turn_rows[:, :, :3] -= _cross_matrices(m)
    strength = _INDEPENDENT / weight.sum() * weight
    rows = np.concatenate([rows[:, None] / _SIGMA, turn_rows / _NORMAL_SIGMA], 1)
    residual = np.concatenate([contact.height[used][:, None] / _SIGMA, differ / _NORMAL_SIGMA], 1)
    weighted = rows * strength[:, None, None]
    hessian = np.einsum("nri,nrj->ij", weighted, rows, optimize=True)
    gradient = np.einsum("nri,nr->i", weighted, residual)
    prior = np.concatenate([np.full(7, 1e-2), np.ones(len(shape))])
    gradient[7:] += shape
    move = -np.linalg.solve(hessian + np.diag(prior), gradient)
    shape = np.clip(shape + move[7:], -3, 3)
    delta = Similarity(
        float(np.exp(np.clip(move[6], -0.08, 0.08))),
        Rotation.from_rotvec(move[:3]).as_matrix(),
        move[3:6],
    )
    return (delta @ pose.inverse()).inverse(), shape
