"""Distances of a scan to a predicted face by the protocol of the NoW challenge.

Sanyal et al., "Learning to Regress 3D Face Shape and Expression from an Image without 3D
Supervision", CVPR 2019, and the challenge's public evaluation code: the prediction is laid on the
scan by Procrustes on seven landmarks; rotation, shift and scale are then refined so that the sum
of squared distances from the scan to the prediction's surface is least; those distances are the
errors. The metric variant keeps the prediction's own size in both steps.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int

from rigface.geometry.mesh import face_normals
from rigface.geometry.rotations import rotation_from_vector
from rigface.geometry.similarity import Similarity, align_points
from rigface.geometry.surface import Surface
from rigface.metrics.closest import closest_barycentric

NOW_LANDMARKS = (36, 39, 42, 45, 33, 48, 54)
"""Among iBUG-68: eye corners from the subject's right to their left, the bottom of the nose where
it meets the upper lip, the right and the left corner of the mouth."""
ALIGNED_ON = 4000
"""Points that the refinement looks at; the errors are over all of them."""
_ROUNDS = 50
_SETTLED = 1e-6
"""Metres; no point of the face moves farther in the last round."""
_REACH = 0.1
"""Metres from the middle of a face to its points, about: weighs turns and scale against shifts."""
_TOUCHING = 1e-9
_MM = 1000.0


@dataclass(frozen=True)
class PredictedFace:
    """A face that somebody predicted: its outer surface, in metres, in any frame."""

    vertices: Float[np.ndarray, "verts 3"]
    faces: Int[np.ndarray, "faces 3"]
    landmarks: Float[np.ndarray, "68 3"]
    """iBUG-68."""

    def closest(self, points: Float[np.ndarray, "points 3"]) -> "ClosestPlaces":
        """Where points (metres, in the prediction's frame) meet the surface."""
        surface, centre = self._surface
        face = surface.closest(torch.from_numpy(points - centre)).face.numpy()
        corners = self.vertices[self.faces[face]]
        place = np.einsum("nc,ncd->nd", closest_barycentric(points, corners), corners)
        return ClosestPlaces(place, self._normals[face])

    @cached_property
    def _surface(self) -> tuple[Surface, Float[np.ndarray, "3"]]:
        """Built once: the scan's points are moved, not the mesh."""
        centre = self.vertices.mean(axis=0)
        centred = torch.from_numpy(self.vertices - centre)
        return Surface(centred, torch.from_numpy(self.faces)), centre

    @cached_property
    def _normals(self) -> Float[np.ndarray, "faces 3"]:
        return face_normals(self.vertices, self.faces)


@dataclass(frozen=True)
class ClosestPlaces:
    """Closest places on a surface and its unit normals there."""

    point: Float[np.ndarray, "points 3"]
    normal: Float[np.ndarray, "points 3"]


@dataclass(frozen=True)
class ScanFace:
    """What a prediction is compared with: metres, in the scan's frame."""

    points: Float[np.ndarray, "points 3"]
    """In random order, uniform by area, inside the mask."""
    landmarks: Float[np.ndarray, "68 3"]
    """iBUG-68 on the scan, known without any prediction."""


@dataclass(frozen=True)
class NowErrors:
    """One distance per point of the scan; nothing is dropped."""

    mm: Float[np.ndarray, " points"]
    scan_from_prediction: Similarity

    @property
    def median(self) -> float:
        return float(np.median(self.mm))

    @property
    def mean(self) -> float:
        return float(self.mm.mean())

    @property
    def std(self) -> float:
        return float(self.mm.std())


def now_mask(landmarks: Float[np.ndarray, "68 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    """Centre and radius of the ball of the scan that counts, in the landmarks' unit and frame.

    The centre is 30 % of the way from the bottom of the nose to the point between the inner eye
    corners; the radius is 0.7 times the sum of that way and the outer eye distance.
    """
    outer_right, inner_right, inner_left, outer_left, bottom = landmarks[list(NOW_LANDMARKS[:5])]
    up = (inner_right + inner_left) / 2 - bottom
    across = float(np.linalg.norm(outer_left - outer_right))
    return bottom + 0.3 * up, 0.7 * (across + float(np.linalg.norm(up)))


def now_errors(scan: ScanFace, face: PredictedFace, with_scale: bool = True) -> NowErrors:
    """Distances from the scan to the prediction; without scale the metric variant."""
    marks = list(NOW_LANDMARKS)
    start = align_points(face.landmarks[marks], scan.landmarks[marks], with_scale=with_scale)
    return aligned_errors(scan.points, face, start, with_scale)


def aligned_errors(
    points: Float[np.ndarray, "points 3"],
    face: PredictedFace,
    start: Similarity,
    with_scale: bool = True,
) -> NowErrors:
    """Distances after the refinement from `start` (scan_from_prediction) over these points alone.

    Over the points of one region, from the alignment of the whole face, this is the part of a
    regional score (Chai et al., "REALY", ECCV 2022) that does not bend the prediction. No points
    give no errors.
    """
    if not len(points):
        return NowErrors(np.zeros(0), start)
    pose = refined(points[:ALIGNED_ON], face, start, with_scale)
    found = face.closest(pose.inverse().apply(points))
    distance = np.linalg.norm(points - pose.apply(found.point), axis=1)
    return NowErrors(_MM * distance, pose)


def refined(
    points: Float[np.ndarray, "points 3"],
    face: PredictedFace,
    start: Similarity,
    with_scale: bool,
) -> Similarity:
    """scan_from_prediction with the least sum of squared distances, by Gauss-Newton.

    A distance changes with the component of the motion along the line to the closest place, so
    each round renews the places and solves for the small motion of the prediction. Metres.
    """
    pose = start
    for _ in range(_ROUNDS):
        found = face.closest(pose.inverse().apply(points))
        place = pose.apply(found.point)
        step = _step(points, place, pose.rotate(found.normal), with_scale)
        pose = step.motion @ pose
        if step.size < _SETTLED:
            break
    return pose


@dataclass(frozen=True)
class _Step:
    motion: Similarity
    size: float
    """Metres, about, at the border of the face."""


def _step(points: np.ndarray, place: np.ndarray, normal: np.ndarray, with_scale: bool) -> _Step:
    """The motion of the places that brings the points nearest, about their middle."""
    gap = points - place
    distance = np.linalg.norm(gap, axis=1, keepdims=True)
    along = np.where(distance > _TOUCHING, gap / np.maximum(distance, _TOUCHING), normal)
    middle = place.mean(axis=0)
    arm = (place - middle) / _REACH
    columns = [np.cross(arm, along), along]
    if with_scale:
        columns.append(np.einsum("nd,nd->n", arm, along)[:, None])
    design = np.concatenate(columns, axis=1)
    left = design.T @ design
    left[np.diag_indices_from(left)] += 1e-6 * len(points)  # a plane may slide along itself
    solved = np.linalg.solve(left, design.T @ np.einsum("nd,nd->n", gap, along))
    turn = rotation_from_vector(torch.from_numpy(solved[:3] / _REACH)).numpy()
    scale = float(np.exp(solved[6] / _REACH)) if with_scale else 1.0
    shift = middle + solved[3:6] - scale * turn @ middle
    return _Step(Similarity(scale, turn, shift), float(np.linalg.norm(solved)))
