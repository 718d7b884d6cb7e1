"""Where could a face be? Local relief votes for poses; poses that agree make a candidate."""

import numpy as np
from jaxtyping import Float

from rigface.fit.finding.evidence import ScanClouds
from rigface.fit.finding.face_target import FaceTarget
from rigface.fit.finding.patches import (
    ANGLES,
    CELLS,
    RING_BORDERS,
    RINGS,
    Patches,
    cell_weights,
    orthonormal_smooth,
    polar_patches,
    relief,
    smooth_basis,
)
from rigface.fit.finding.poses import Poses
from rigface.fit.finding.prepare import one_per_voxel, scan_size

EXTENTS = (0.10, 0.85)
"""Smallest and largest size (metres, template scale) that the whole scan is assumed to have."""
_SCALE_STEP = 1.18
CLOUD_SPACING = 0.005
_SEED_SPACING = 0.010
_MOST_SEEDS = 900
_NOISE = 0.0015
_TELLING = 0.0063
"""Relief (RMS, metres) above which more relief is no better evidence."""
_LEAST_SEEN = 0.3
_PER_SCALE = 200


def scale_levels(points: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, " levels"]:
    """Hypothetical scales (scan units per metre), from a face mask to a bust."""
    levels = int(np.ceil(np.log(EXTENTS[1] / EXTENTS[0]) / np.log(_SCALE_STEP))) + 1
    return scan_size(points) / np.geomspace(EXTENTS[0], EXTENTS[1], levels)


def level_clouds(
    points: Float[np.ndarray, "points 3"],
    normals: Float[np.ndarray, "points 3"],
    scales: Float[np.ndarray, " levels"],
) -> ScanClouds:
    """The scan thinned to the same spacing in metres for every hypothetical scale."""
    kept = [one_per_voxel(points, CLOUD_SPACING * scale) for scale in scales]
    return ScanClouds([points[each] for each in kept], [normals[each] for each in kept])


def propose(
    clouds: ScanClouds, scales: Float[np.ndarray, " levels"], target: FaceTarget, seed: int
) -> Poses:
    """Hypotheses of all scales, best first within each."""
    rng = np.random.default_rng(seed)
    return Poses.joined(
        [
            _at_scale(cloud, level, scale, target, rng)
            for level, (cloud, scale) in enumerate(zip(clouds.points, scales, strict=True))
        ]
    )


def _at_scale(
    points: np.ndarray, level: int, scale: float, target: FaceTarget, rng: np.random.Generator
) -> Poses:
    cloud = points / scale
    centres = cloud[one_per_voxel(cloud, _SEED_SPACING)]
    if len(centres) > _MOST_SEEDS:
        centres = centres[rng.choice(len(centres), _MOST_SEEDS, replace=False)]
    parts = []
    for side in polar_patches(cloud, centres):
        likely = side[_could_be_face(side)]
        score, key, turn = match_patches(target.keys, likely)
        for rank in range(score.shape[1]):
            best = score[:, rank], key[:, rank], turn[:, rank]
            parts.append(_poses(target.keys, likely, *best, scale, level))
    return Poses.joined(parts).best(_PER_SCALE)


def _could_be_face(patches: Patches) -> np.ndarray:
    """Enough is seen, and the relief is neither flat nor torn."""
    size = np.sqrt((relief(patches) ** 2).sum(1) / np.maximum(patches.seen.sum(1), 1))
    return (patches.seen.mean(1) > _LEAST_SEEN) & (size > 0.002) & (size < 0.014)


def match_patches(
    keys: Patches, patches: Patches, per_seed: int = 2
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every patch the best template keys and turns.

    The score is a log-likelihood ratio in units of cells: how much better the template's relief
    explains the heights than no relief does, both up to a plane and a bowl.
    Returns score, key, turn, each (seeds, per_seed).
    """
    weight = (cell_weights() * patches.seen).astype(np.float32)
    ours = (relief(patches) * 1e3).astype(np.float32)
    smooth = orthonormal_smooth(patches).astype(np.float32)
    theirs = _all_turns(keys)
    count, power = weight.sum(1), (weight * ours**2).sum(1)
    template_power = theirs**2 @ weight.T
    for function in range(smooth.shape[1]):
        template_power -= (theirs @ (weight * smooth[:, function]).T) ** 2
    residual = power - 2 * (theirs @ (weight * ours).T) + template_power
    noise = np.float32((_NOISE * 1e3) ** 2)
    null = np.minimum(np.minimum(power, template_power), _TELLING**2 * 1e6 * count)
    gain = np.log((null / count + noise) / (np.maximum(residual, 0) / count + noise))
    score = (count**0.7 * gain).reshape(len(keys.centres), ANGLES, -1).transpose(2, 0, 1)
    best_turn = score.argmax(2)
    best = np.take_along_axis(score, best_turn[:, :, None], 2)[:, :, 0]
    key = np.argsort(-best, axis=1, kind="stable")[:, :per_seed]
    return np.take_along_axis(best, key, 1), key, np.take_along_axis(best_turn, key, 1)


def _all_turns(keys: Patches) -> np.ndarray:
    """Heights (mm) of every key at every turn, (keys * ANGLES, cells)."""
    height = (keys.height * 1e3).astype(np.float32).reshape(-1, RINGS, ANGLES)
    rolls = [np.roll(height, turn, axis=2).reshape(-1, CELLS) for turn in range(ANGLES)]
    return np.stack(rolls, 1).reshape(-1, CELLS)


def _poses(
    keys: Patches,
    side: Patches,
    score: np.ndarray,
    key: np.ndarray,
    turn: np.ndarray,
    scale: float,
    level: int,
) -> Poses:
    """Lay the turned key on the patch, tilted and lifted so that the heights agree best."""
    turned = _all_turns(keys).reshape(-1, ANGLES, CELLS)[key, turn] * 1e-3
    smooth, weight = orthonormal_smooth(side), cell_weights() * side.seen
    plane = np.einsum("skc,sc->sk", smooth, weight * (side.height - turned))
    # Back from orthonormal functions to (constant, x, y, bowl) coefficients.
    plane = np.linalg.lstsq(smooth_basis(), np.einsum("sk,skc->cs", plane, smooth), rcond=None)[0]
    lift, slope = plane[0], plane[1:3].T / RING_BORDERS[-1]
    normal = np.concatenate([-slope, np.ones((len(slope), 1))], 1)
    tilt = _least_turn(normal / np.linalg.norm(normal, axis=1, keepdims=True))
    angle = 2 * np.pi * turn / ANGLES
    spin = np.zeros((len(angle), 3, 3))
    spin[:, 0, 0] = spin[:, 1, 1] = np.cos(angle)
    spin[:, 1, 0], spin[:, 0, 1] = np.sin(angle), -np.sin(angle)
    spin[:, 2, 2] = 1
    rotation = side.frames @ tilt @ spin @ keys.frames[key].transpose(0, 2, 1)
    centre = side.centres + lift[:, None] * side.frames[:, :, 2]
    moved = np.einsum("pij,pj->pi", rotation, keys.centres[key])
    return Poses(
        np.full(len(score), scale),
        rotation,
        scale * (centre - moved),
        score,
        np.full(len(score), level),
    )


def _least_turn(normal: np.ndarray) -> np.ndarray:
    """Rotations that carry +z to each unit vector the short way (none points to -z)."""
    x, y, z = normal.T
    k = 1 / (1 + z)
    rows = [[1 - k * x * x, -k * x * y, x], [-k * x * y, 1 - k * y * y, y], [-x, -y, z]]
    return np.array(rows).transpose(2, 0, 1)
