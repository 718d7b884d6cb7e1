"""Where could a face be? Every patch of relief that resembles one of the template names a pose."""

import numpy as np
from jaxtyping import Float

from rigface.fit.finding.evidence import ScanClouds, measure, merit, step
from rigface.fit.finding.face_target import FaceTarget
from rigface.fit.finding.patches import (
    ANGLES,
    RING_BORDERS,
    Patches,
    Relief,
    polar_patches,
    relief_of,
    smooth_basis,
)
from rigface.fit.finding.poses import Poses, distinct
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
"""Share of the cells of a patch."""
_FLAT, _TORN = 0.002, 0.014
"""Relief (RMS, metres) that a patch of a face may have."""
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
    for every in polar_patches(cloud, centres):
        analysed = relief_of(every)
        good = _could_be_face(every, analysed)
        side, analysed = every[good], analysed[good]
        score, key, turn = match_patches(target, analysed)
        placed = _poses(target, side, analysed, key, turn)
        parts.append(
            Poses(
                np.full(len(key), scale),
                placed[0],
                scale * placed[1],
                score,
                np.full(len(key), level),
            )
        )
    return Poses.joined(parts).best(_PER_SCALE)


def _could_be_face(patches: Patches, analysed: Relief) -> np.ndarray:
    """Enough is seen, and the relief is neither flat nor torn."""
    size = analysed.size
    return (patches.seen.mean(1) > _LEAST_SEEN) & (size > _FLAT) & (size < _TORN)


def match_patches(target: FaceTarget, patches: Relief) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every patch the best template key and turn.

    The score is a log-likelihood ratio, in units of a power of the cells: how much better the
    template's relief explains the heights than no relief does, both up to a plane and a bowl.
    Returns score, key, turn, each (seeds,).
    """
    weight = patches.weight.astype(np.float32)
    ours = (patches.relief * 1e3).astype(np.float32)
    smooth = patches.smooth.astype(np.float32)
    theirs = target.turned
    count, power = weight.sum(1), (weight * ours**2).sum(1)
    template_power = theirs**2 @ weight.T
    for function in range(smooth.shape[1]):
        template_power -= (theirs @ (weight * smooth[:, function]).T) ** 2
    residual = power - 2 * (theirs @ (weight * ours).T) + template_power
    noise = np.float32((_NOISE * 1e3) ** 2)
    null = np.minimum(np.minimum(power, template_power) / count, np.float32((_TELLING * 1e3) ** 2))
    ratio = (null + noise) / (np.maximum(residual, 0) / count + noise)
    best = ratio.argmax(0)
    score = count**0.7 * np.log(ratio[best, np.arange(len(best))])
    return score, best // ANGLES, best % ANGLES


def _poses(
    target: FaceTarget, side: Patches, analysed: Relief, key: np.ndarray, turn: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lay the turned key on the patch, tilted and lifted so that the heights agree best.

    Returns rotations and translations, metres.
    """
    height = target.turned[key * ANGLES + turn] * 1e-3
    fitted = analysed.smooth @ (analysed.weight * (side.height - height))[:, :, None]
    surface = (fitted.transpose(0, 2, 1) @ analysed.smooth)[:, 0]
    # Back from orthonormal functions to (constant, x, y, bowl) coefficients.
    plane = surface @ np.linalg.pinv(smooth_basis()).T
    lift, slope = plane[:, 0], plane[:, 1:3] / RING_BORDERS[-1]
    normal = np.concatenate([-slope, np.ones((len(slope), 1))], 1)
    tilt = _least_turn(normal / np.linalg.norm(normal, axis=1, keepdims=True))
    angle = 2 * np.pi * turn / ANGLES
    spin = np.zeros((len(angle), 3, 3))
    spin[:, 0, 0] = spin[:, 1, 1] = np.cos(angle)
    spin[:, 1, 0], spin[:, 0, 1] = np.sin(angle), -np.sin(angle)
    spin[:, 2, 2] = 1
    rotation = side.frames @ tilt @ spin @ target.keys.frames[key].transpose(0, 2, 1)
    centre = side.centres + lift[:, None] * side.frames[:, :, 2]
    moved = np.einsum("pij,pj->pi", rotation, target.keys.centres[key])
    return rotation, centre - moved


def _least_turn(normal: np.ndarray) -> np.ndarray:
    """Rotations that carry +z to each unit vector the short way (none points to -z)."""
    x, y, z = normal.T
    k = 1 / (1 + z)
    rows = [[1 - k * x * x, -k * x * y, x], [-k * x * y, 1 - k * y * y, y], [-x, -y, z]]
    return np.array(rows).transpose(2, 0, 1)


_SCHEDULE = ((0.015, 240), (0.012, 160), (0.010, 100), (0.008, 70), (0.008, 50), (0.006, 40))
"""Reach (metres) and number of hypotheses of each step."""


def candidates(poses: Poses, clouds: ScanClouds, target: FaceTarget, most: int) -> Poses:
    """The few hypotheses, improved by similarity ICP, that lie best on the scan."""
    poses = poses.with_score(merit(measure(poses, clouds, target.volume, 0.010, False)))
    poses = distinct(poses.best(900), 0.012, _SCHEDULE[0][1])
    for reach, keep in _SCHEDULE:
        sums = measure(poses, clouds, target.volume, reach)
        order = np.argsort(-merit(sums), kind="stable")[:keep]
        poses = step(poses[order], sums[order])
    sums = measure(poses, clouds, target.volume, _SCHEDULE[-1][0], False)
    return distinct(poses.with_score(merit(sums)), 0.020, most)
