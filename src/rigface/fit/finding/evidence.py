"""How well does the face lie on the scan? One pass over the scan's points per hypothesis.

The template's face is turned into a lookup volume once: nearest face point per voxel. A scan
point is then carried into the template frame and looked up, so thousands of hypotheses cost
milliseconds, and the same pass gives the normal equations of a point-to-plane step.
"""

# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportCallIssue=false
# (warp kernels are a language of their own inside Python's annotations)

from dataclasses import dataclass
from typing import Any, no_type_check

import numpy as np
import warp as wp
from jaxtyping import Float
from scipy.ndimage import distance_transform_edt
from scipy.spatial.transform import Rotation

from rigface.fit.finding.poses import Poses
from rigface.geometry.surface import start_warp

_VOXEL = 0.003
_MARGIN = 0.036
ASIDE = wp.constant(0.005)
"""How far (metres) beside its face point a scan point may lie on the surface."""
SUMS = 38
_vec7 = wp.types.vector(length=7, dtype=wp.float32)
"""28 + 7 of the normal equations, then support, telling support, and what speaks against."""


@dataclass(frozen=True)
class FaceVolume:
    """Nearest face point per voxel (-1: farther than the margin), on the device."""

    index: np.ndarray
    """The volume as an array of the host."""
    nearest: Any
    points: Any
    normals: Any
    value: Any
    """How telling each face point is: relief against the smooth head; the mean is 1."""
    inner: Any
    """0 for points on the rim of the face region, where the scan goes on and the face does not."""
    low: np.ndarray

    def lookup(self, x: Float[np.ndarray, "n 3"]) -> np.ndarray:
        """Index of the nearest face point of each position (metres, template frame) or -1."""
        cell = np.floor((x - self.low) / _VOXEL).astype(int)
        inside = np.all((cell >= 0) & (cell < self.index.shape), axis=1)
        cell = np.where(inside[:, None], cell, 0)
        return np.where(inside, self.index[cell[:, 0], cell[:, 1], cell[:, 2]], -1)


class ScanClouds:
    """The scan as one even cloud per scale level, in one unit and frame."""

    def __init__(
        self,
        points: list[Float[np.ndarray, "points 3"]],
        normals: list[Float[np.ndarray, "points 3"]],
    ):
        self.points = points
        starts = np.concatenate([[0], np.cumsum([len(each) for each in points])])
        self.starts = starts.astype(np.int32)
        self.device_points = _vectors(np.concatenate(points))
        self.device_normals = _vectors(np.concatenate(normals))


@no_type_check
@wp.kernel
def _evidence_kernel(
    nearest: wp.array3d(dtype=wp.int32),
    face_points: wp.array(dtype=wp.vec3),
    face_normals: wp.array(dtype=wp.vec3),
    value: wp.array(dtype=wp.float32),
    inner: wp.array(dtype=wp.float32),
    low: wp.vec3,
    voxel: wp.float32,
    points: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    begin: wp.array(dtype=wp.int32),
    end: wp.array(dtype=wp.int32),
    model_from_scan: wp.array(dtype=wp.mat33),
    shift: wp.array(dtype=wp.vec3),
    turn: wp.array(dtype=wp.mat33),
    reach: wp.float32,
    with_equations: wp.bool,
    sums: wp.array2d(dtype=wp.float32),
):
    h = wp.tid()
    support = wp.float32(0.0)
    telling = wp.float32(0.0)
    contrary = wp.float32(0.0)
    matrix = model_from_scan[h]
    offset = shift[h]
    rotation = turn[h]
    top = wp.vec3(
        wp.float32(nearest.shape[0]), wp.float32(nearest.shape[1]), wp.float32(nearest.shape[2])
    )
    for k in range(begin[h], end[h]):
        x = matrix * points[k] + offset
        cell = (x - low) / voxel
        if (
            cell[0] >= 0.0
            and cell[1] >= 0.0
            and cell[2] >= 0.0
            and cell[0] < top[0]
            and cell[1] < top[1]
            and cell[2] < top[2]
        ):
            i = nearest[wp.int32(cell[0]), wp.int32(cell[1]), wp.int32(cell[2])]
            if i >= 0:
                n = face_normals[i]
                away = x - face_points[i]
                height = wp.dot(away, n)
                aside = wp.length(away - height * n)
                if aside < ASIDE + 0.5 * wp.abs(height):
                    facing = wp.abs(wp.dot(rotation * normals[k], n))
                    fall = 1.0 - height * height / (reach * reach)
                    if fall > 0.0:
                        w = fall * fall * wp.max(2.0 * facing - 1.0, 0.0)
                        support = support + w
                        telling = telling + w * value[i]
                        contrary = contrary + value[i] * inner[i] * (1.0 - w)
                        if with_equations:
                            twist = wp.cross(x, n)
                            grow = wp.dot(n, x)
                            row = _vec7(twist[0], twist[1], twist[2], n[0], n[1], n[2], grow)
                            slot = wp.int32(0)
                            for a in range(7):
                                for b in range(a, 7):
                                    sums[h, slot] = sums[h, slot] + w * row[a] * row[b]
                                    slot = slot + 1
                            for a in range(7):
                                sums[h, 28 + a] = sums[h, 28 + a] - w * row[a] * height
                    else:
                        contrary = contrary + value[i] * inner[i]
    sums[h, 35] = support
    sums[h, 36] = telling
    sums[h, 37] = contrary


def face_volume(
    points: Float[np.ndarray, "points 3"],
    normals: Float[np.ndarray, "points 3"],
    value: Float[np.ndarray, " points"],
    inner: Float[np.ndarray, " points"],
) -> FaceVolume:
    """Index the face (metres, template frame) for lookups."""
    start_warp()
    low = points.min(0) - _MARGIN
    count = np.ceil((points.max(0) + _MARGIN - low) / _VOXEL).astype(int)
    cell = np.floor((points - low) / _VOXEL).astype(int)
    holder = np.full(count, -1, np.int32)
    holder[tuple(cell.T)] = np.arange(len(points))
    distance, nearest = distance_transform_edt(holder < 0, return_indices=True)
    index = np.where(distance * _VOXEL <= _MARGIN, holder[tuple(nearest)], -1).astype(np.int32)
    return FaceVolume(
        index,
        wp.array(index, dtype=wp.int32, device="cpu"),
        _vectors(points),
        _vectors(normals),
        wp.array(value.astype(np.float32), dtype=wp.float32, device="cpu"),
        wp.array(inner.astype(np.float32), dtype=wp.float32, device="cpu"),
        low,
    )


def measure(
    poses: Poses,
    clouds: ScanClouds,
    volume: FaceVolume,
    reach: float,
    with_equations: bool = True,
) -> Float[np.ndarray, "poses sums"]:
    """The sums of every hypothesis; `reach` (metres) is where a point stops to support it."""
    sums = np.zeros((len(poses), SUMS), np.float32)
    back = poses.rotation.transpose(0, 2, 1)
    linear = back / poses.scale[:, None, None]
    shift = -np.einsum("pij,pj->pi", linear, poses.translation)
    wp.launch(
        _evidence_kernel,
        dim=len(poses),
        inputs=[
            volume.nearest,
            volume.points,
            volume.normals,
            volume.value,
            volume.inner,
            wp.vec3(*volume.low.tolist()),
            _VOXEL,
            clouds.device_points,
            clouds.device_normals,
            wp.array(clouds.starts[poses.level], dtype=wp.int32, device="cpu"),
            wp.array(clouds.starts[poses.level + 1], dtype=wp.int32, device="cpu"),
            wp.array(linear.astype(np.float32), dtype=wp.mat33, device="cpu"),
            _vectors(shift),
            wp.array(np.ascontiguousarray(back, np.float32), dtype=wp.mat33, device="cpu"),
            reach,
            with_equations,
            wp.array(sums, dtype=wp.float32, device="cpu", copy=False),
        ],
        device="cpu",
    )
    return sums.astype(float)


def merit(sums: Float[np.ndarray, "poses sums"]) -> Float[np.ndarray, " poses"]:
    """How much of a face is there, times how little else: ranks hypotheses, proves nothing."""
    telling, contrary = sums[:, 36], sums[:, 37]
    return telling**2 / (telling + contrary + 1e-9)


def step(poses: Poses, sums: Float[np.ndarray, "poses sums"], damping: float = 1e-3) -> Poses:
    """One damped Gauss-Newton step of every hypothesis (rotation, translation, log scale)."""
    upper = np.triu_indices(7)
    hessian = np.zeros((len(poses), 7, 7))
    hessian[:, upper[0], upper[1]] = sums[:, :28]
    hessian[:, upper[1], upper[0]] = sums[:, :28]
    # Lengths of ~5 cm make the rotation and scale columns comparable with the translation.
    weight = sums[:, 35, None, None] + 1e-9
    prior = np.diag([2.5e-3, 2.5e-3, 2.5e-3, 1.0, 1.0, 1.0, 2.5e-3])
    move = np.linalg.solve(
        hessian / weight + damping * prior, (sums[:, 28:35] / weight[:, 0])[:, :, None]
    )[:, :, 0]
    move[:, :3] = _limited(move[:, :3], 0.25)
    move[:, 3:6] = _limited(move[:, 3:6], 0.015)
    move[:, 6] = np.clip(move[:, 6], -0.08, 0.08)
    # x_model' = s dR x_model + dt, and x_model = (R^T / scale) (x_scan - t).
    grow, turn = np.exp(move[:, 6]), Rotation.from_rotvec(move[:, :3]).as_matrix()
    rotation = poses.rotation @ turn.transpose(0, 2, 1)
    scale = poses.scale / grow
    moved = np.einsum("pij,pj->pi", rotation, move[:, 3:6])
    return Poses(
        scale, rotation, poses.translation - scale[:, None] * moved, poses.score, poses.level
    )


def _limited(vectors: np.ndarray, most: float) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors * np.minimum(1, most / np.maximum(length, 1e-12))


def _vectors(array: np.ndarray) -> Any:
    return wp.array(np.ascontiguousarray(array, np.float32), dtype=wp.vec3, device="cpu")
