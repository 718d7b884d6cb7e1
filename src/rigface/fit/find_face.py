"""Where is the face? From geometry alone, in any orientation and unit.

Hypotheses come from matching small relief patches at many scales; all of them are judged by how
much telling surface they explain, the best are refined with a few shapes of the template, and the
winner must look like a face: most of the scan in front of and behind it lies on it, and the relief
of eyes, nose and mouth agrees. docs/face_finder.md has the measured figures.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from rigface.errors import InputError
from rigface.evidence.landmarks import Landmarks
from rigface.fit.finding.evidence import measure, step
from rigface.fit.finding.face_target import FaceTarget, face_target
from rigface.fit.finding.poses import distinct
from rigface.fit.finding.prepare import scan_size
from rigface.fit.finding.refine import Refined, refine
from rigface.fit.finding.search import level_clouds, propose, scale_levels
from rigface.fit.finding.verify import Findings, examine
from rigface.geometry.similarity import Similarity, align_points
from rigface.rig.template import Template

_REACHES = (0.015, 0.012, 0.010, 0.008, 0.008, 0.006)
"""Metres within which a scan point supports a hypothesis, ever tighter."""
_CANDIDATES = 6
_LIKENESS = 1.05
"""Least `precise + alike` of a face. Faces measured at least 1.3, other shapes at most 0.95."""
_BODY = 1.05
"""Metres (template scale) beyond which a scan holds far more than a head and shoulders."""


@dataclass(frozen=True)
class FacePose:
    """x_scan = scale * rotation @ x_model + translation, and how sure it is."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]
    score: float
    """`precise + alike` of the findings: 2 is perfect, below 1.05 is no face."""
    margin: float
    """Score minus that of the best clearly different candidate."""
    message: str

    @property
    def similarity(self) -> Similarity:
        """scan_from_model."""
        return Similarity(self.scale, self.rotation, self.translation)


def find_face(
    points: Float[np.ndarray, "points 3"],
    normals: Float[np.ndarray, "points 3"],
    *,
    template: Template,
    seed: int = 0,
    landmarks: Landmarks | None = None,
) -> FacePose:
    """Put the template head onto the face of an evenly sampled scan (see `prepare_points`).

    Raises InputError if nothing in the scan looks like a face, or if it is a whole body.
    """
    target = _target() if template.name == "anny" else face_target(template)
    if landmarks is not None:
        start = [_from_landmarks(landmarks, template)]
    else:
        start = _candidates(points, normals, target, seed)
    refined = [refine(each, points, normals, target) for each in start]
    found = [examine(each, target) for each in refined]
    scores = np.array([each.precise + each.alike for each in found])
    if len(scores) == 0 or (scores.max() < _LIKENESS and landmarks is None):
        best = f"{scores.max():.2f}" if len(scores) else "none"
        raise InputError(
            "No face was found in the scan: the best candidate has a likeness of "
            f"{best}, a face has at least {_LIKENESS}. Expected a head or a face with nose, eyes "
            "and mouth. Crop the scan to the head, or give --landmarks."
        )
    order = np.argsort(-scores, kind="stable")
    winner = refined[order[0]]
    _refuse_body(points, winner)
    margin = float(scores[order[0]] - scores[order[1]]) if len(order) > 1 else float("inf")
    return _pose(winner, found[order[0]], float(scores[order[0]]), margin)


@lru_cache(maxsize=1)
def _target() -> FaceTarget:
    from rigface.rig.template_io import load_template

    return face_target(load_template())


def _candidates(
    points: np.ndarray, normals: np.ndarray, target: FaceTarget, seed: int
) -> list[Similarity]:
    """The most convincing, clearly different hypotheses, refined as rigid similarities."""
    scales = scale_levels(points)
    clouds = level_clouds(points, normals, scales)
    poses = propose(clouds, scales, target, seed)
    poses = poses.with_score(_merit(measure(poses, clouds, target.volume, 0.010)))
    poses = distinct(poses.best(1000), 0.012, 300)
    for reach in _REACHES:
        poses = step(poses, measure(poses, clouds, target.volume, reach))
    poses = poses.with_score(_merit(measure(poses, clouds, target.volume, _REACHES[-1])))
    poses = distinct(poses, 0.02, _CANDIDATES)
    return [poses.similarity(i) for i in range(len(poses))]


def _merit(sums: Float[np.ndarray, "poses sums"]) -> Float[np.ndarray, " poses"]:
    """Explained telling surface, discounted by what is there and not explained."""
    on, off = sums[:, 37], sums[:, 39]
    return on * on / (on + off + 1e-9)


def _from_landmarks(landmarks: Landmarks, template: Template) -> Similarity:
    places = template.landmarks.positions(template.mesh.vertices, template.mesh.faces)
    known = [template.landmarks.names.index(f"ibug.{i}") for i in landmarks.ibug]
    return align_points(places[known], landmarks.points)


def _refuse_body(points: np.ndarray, winner: Refined) -> None:
    extent = scan_size(points) / winner.scan_from_model.scale
    if extent > _BODY:
        raise InputError(
            f"The scan is {extent:.1f} m across when its face has a natural size: it looks like a "
            "whole body. Crop it to the head and shoulders."
        )


def _pose(winner: Refined, findings: Findings, score: float, margin: float) -> FacePose:
    pose = winner.scan_from_model
    message = (
        f"face found: likeness {score:.2f}, {findings.cover:.0%} of the face lies on the scan, "
        f"{findings.misfit:.1f} mm off"
    )
    return FacePose(pose.scale, pose.rotation, pose.translation, score, margin, message)
