"""Where is the face in this scan, how is it turned, and how large is it? Geometry only.

A scan may come in any unit, rotated in any way, mirrored, with flipped or mixed winding, as a
mesh or as a bare cloud, with hair, shoulders, holes, half of the face cut away, and outliers.
Four steps, each with its own module in `rigface.fit.finding`:

1. `prepare`: points spread evenly over the surface, gross outliers dropped;
2. `search`: on a logarithmic grid of scales, polar height maps of the scan are matched with
   those of the template (all turns, both sides of the surface); each match names a pose. The
   poses are ranked by how the face lies on the scan, and improved by similarity ICP;
3. `refine`: the best ones are fitted together with the leading head shapes;
4. `verify`: the relief of eyes, nose and mouth must be there, or there is no face.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from rigface.errors import InputError
from rigface.evidence.landmarks import Landmarks
from rigface.fit.finding.face_target import FaceTarget, face_target
from rigface.fit.finding.poses import CORNERS
from rigface.fit.finding.prepare import prepare_points, scan_size
from rigface.fit.finding.refine import QUICK, THOROUGH, Effort, Refined, refine
from rigface.fit.finding.search import candidates, level_clouds, propose, scale_levels
from rigface.fit.finding.verify import ACCEPTED, Findings, examine
from rigface.geometry.normals import plane_normals
from rigface.geometry.similarity import Similarity, align_points
from rigface.rig.template import Template

__all__ = ["FacePose", "find_face", "prepare_points"]

_CANDIDATES = 14
_POLISHED = 3
_OTHER_SCALES = (0.89, 1.12)
_DISTINCT = 0.030
"""Poses that put the face farther apart than this (metres) are different answers."""
_FACE_HEIGHT = 0.20
"""Chin to hairline of the template, metres, about."""
_TALLEST = 4.5
"""A scan that is taller than this many face heights is no head."""


@dataclass(frozen=True)
class FacePose:
    """The template laid on the face of a scan: x_scan = s R x_model + t."""

    scan_from_model: Similarity
    score: float
    """Above 0 means accepted; a complete face reaches about 6 to 12."""
    inlier_share: float
    """Share of the template's face, weighted by relief, that lies on the scan."""
    margin: float
    """Score minus that of the best different pose."""
    message: str

    @property
    def scale(self) -> float:
        """Scan units per metre of the template."""
        return self.scan_from_model.scale

    @property
    def rotation(self) -> Float[np.ndarray, "3 3"]:
        return self.scan_from_model.rotation

    @property
    def translation(self) -> Float[np.ndarray, "3"]:
        return self.scan_from_model.translation


@dataclass(frozen=True)
class Judged:
    """A candidate with what was found about it."""

    refined: Refined
    findings: Findings


def find_face(
    points: Float[np.ndarray, "points 3"],
    normals: Float[np.ndarray, "points 3"] | None,
    *,
    template: Template,
    seed: int = 0,
    landmarks: Landmarks | None = None,
) -> FacePose:
    """Lay the template on the face of a scan, given as even points from `prepare_points`.

    The sign of the normals does not matter; without them they are estimated. With landmarks
    (in the scan's unit and frame) nothing is searched: they give the start, and decide.
    Raises `InputError` when no face is found or when the scan is of a whole body.
    """
    points = np.asarray(points, float)
    if normals is None:
        normals = plane_normals(points)
    target = face_target(template)
    centre, unit = np.median(points, axis=0), scan_size(points)
    normalised = (points - centre) / unit
    scan_from_normalised = Similarity(unit, np.eye(3), centre)
    if landmarks is not None:
        start = scan_from_normalised.inverse() @ _from_landmarks(landmarks, template)
        judged = [_judge(start, normalised, normals, target)]
    else:
        judged = judged_candidates(normalised, normals, target, seed)
    if not judged:
        raise InputError(_no_face(None))
    best = judged[0]
    score = best.findings.score - ACCEPTED
    if score < 0 and landmarks is None:
        raise InputError(_no_face(best.findings))
    _refuse_bodies(normalised, best.refined.scan_from_model)
    pose = scan_from_normalised @ best.refined.scan_from_model
    margin = best.findings.score - _runner_up(judged)
    return FacePose(pose, score, best.findings.cover, margin, _message(best.findings, score))


def judged_candidates(
    points: Float[np.ndarray, "points 3"],
    normals: Float[np.ndarray, "points 3"],
    target: FaceTarget,
    seed: int,
) -> list[Judged]:
    """Refined candidates, the most face-like first."""
    scales = scale_levels(points)
    clouds = level_clouds(points, normals, scales)
    poses = candidates(propose(clouds, scales, target, seed), clouds, target, _CANDIDATES)
    quick = [
        _judge(poses.similarity(index), points, normals, target, QUICK)
        for index in range(len(poses))
    ]
    quick.sort(key=lambda each: -each.findings.score)
    polished = [
        _judge(each.refined.scan_from_model, points, normals, target) for each in quick[:_POLISHED]
    ]
    if polished:
        first = max(polished, key=lambda each: each.findings.score).refined.scan_from_model
        # A part of a face can settle on a wrong scale: try the neighbours.
        for factor in _OTHER_SCALES:
            polished.append(_judge(_scaled(first, factor), points, normals, target))
    every = polished + quick[_POLISHED:]
    return sorted(every, key=lambda each: -each.findings.score)


def _judge(
    start: Similarity,
    points: np.ndarray,
    normals: np.ndarray,
    target: FaceTarget,
    effort: Effort = THOROUGH,
) -> Judged:
    refined = refine(start, points, normals, target, effort)
    return Judged(refined, examine(refined, target))


def _scaled(pose: Similarity, factor: float) -> Similarity:
    """Larger or smaller about the middle of the face."""
    middle = CORNERS.mean(0)
    shift = pose.apply(middle) - factor * pose.scale * pose.rotation @ middle
    return Similarity(factor * pose.scale, pose.rotation, shift)


def _from_landmarks(landmarks: Landmarks, template: Template) -> Similarity:
    """scan_from_model by Umeyama's method from at least three landmarks."""
    known = {name: index for index, name in enumerate(template.landmarks.names)}
    pairs = [(known[name], mark) for mark, name in enumerate(landmarks.names) if name in known]
    if len(pairs) < 3:
        raise InputError(
            f"{len(pairs)} of the {len(landmarks.names)} landmarks are known to the template, "
            "but at least 3 are needed; name them ibug.0 to ibug.67"
        )
    ours, theirs = np.array(pairs).T
    where = template.landmarks.positions(template.mesh.vertices, template.mesh.faces)[ours]
    marks = landmarks.points[theirs]
    for each in (where, marks):
        length, width, _ = np.linalg.svd(each - each.mean(0), compute_uv=False)
        if width < 0.05 * length:
            raise InputError(
                "the landmarks lie on one line, which leaves the head free to turn; give three "
                "that span the face, for example both outer eye corners and the chin"
            )
    return align_points(where, marks)


def _refuse_bodies(points: np.ndarray, scan_from_model: Similarity) -> None:
    height = scan_from_model.inverse().apply(points)[:, 1]
    low, high = np.percentile(height, [0.5, 99.5])
    faces = (high - low) / _FACE_HEIGHT
    if faces > _TALLEST:
        raise InputError(
            f"the scan is {faces:.1f} face heights tall and looks like a whole body; crop it to "
            "the head (and shoulders, if you like) and try again"
        )


def _runner_up(judged: list[Judged]) -> float:
    first = judged[0].refined.scan_from_model
    for other in judged[1:]:
        second = other.refined.scan_from_model
        apart = np.linalg.norm(first.apply(CORNERS) - second.apply(CORNERS), axis=1)
        if np.sqrt((apart**2).mean()) > _DISTINCT * np.sqrt(first.scale * second.scale):
            return other.findings.score
    return -np.inf


def _no_face(found: Findings | None) -> str:
    best = (
        ""
        if found is None
        else (
            f" (the best candidate shows {found.cover:.0%} of a face, its relief agrees to "
            f"{max(found.alike, 0):.0%})"
        )
    )
    return (
        f"no face was found in the scan{best}; give a scan in which at least half of a face can "
        "be seen, cropped to the head if there is more, or pass landmarks (--landmarks)"
    )


def _message(found: Findings, score: float) -> str:
    sure = "surely" if score > 2 else "just about"
    return f"{sure} a face: {found.cover:.0%} of it seen, relief agrees to {found.alike:.0%}"
