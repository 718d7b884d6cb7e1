"""Where the face is in a depth frame: as in a scan, but its size and its side are known."""

import numpy as np
from jaxtyping import Float

from rigface.errors import InputError, MissingExtraError
from rigface.evidence.depth import DepthFrame
from rigface.evidence.landmarks import Landmarks
from rigface.evidence.photo import Photo
from rigface.evidence.scan import Scan
from rigface.fit.alignment import Alignment, align
from rigface.fit.depth_cloud import DepthCloud, Person
from rigface.fit.find_face import judged_candidates
from rigface.fit.finding.face_target import face_target
from rigface.fit.finding.prepare import prepare_points, scan_size
from rigface.fit.finding.verify import ACCEPTED
from rigface.fit.unit import LARGEST, SMALLEST
from rigface.geometry.similarity import Similarity
from rigface.rig.template import Template

BLUR = 0.002
"""Metres of smoothing for the search: relief of a face is larger, noise of a sensor is not."""
_SLACK = 3.0
"""Log odds that the right size and the right side add to what the relief says."""
_FACING = 0.2
"""Least cosine between where the face looks and the direction to the camera."""


def find_in_depth(person: Person, template: Template, seed: int = 0) -> Alignment:
    """The face by its relief; where that fails, by landmarks in the colour picture, if there is one
    and the extra `photo` is installed.

    Raises InputError when no face of human size looks towards the camera.
    """
    cloud = person.cloud(BLUR)
    best, other_size = _by_relief(cloud, template, seed)
    if best is not None and best.score > 0:
        return best
    marks = _landmarks(person.frame)
    if marks is not None:
        return align(Scan(cloud.points), template, marks, seed)
    raise InputError(_nothing(person.frame.name, other_size))


def _by_relief(
    cloud: DepthCloud, template: Template, seed: int
) -> tuple[Alignment | None, float | None]:
    """The best candidate of human size, and the size of the best one of another, if that is good.

    The score is above 0 for what may pass as a face.
    """
    points, normals, _ = prepare_points(Scan(cloud.points), seed=seed)
    centre, unit = np.median(points, axis=0), scan_size(points)
    frame_from_normalised = Similarity(unit, np.eye(3), centre)
    judged = judged_candidates((points - centre) / unit, normals, face_target(template), seed)
    toward = cloud.toward.mean(axis=0)
    other: float | None = None
    for each in judged:
        pose = frame_from_normalised @ each.refined.scan_from_model
        score = each.findings.score - ACCEPTED
        if not SMALLEST <= pose.scale <= LARGEST:
            other = pose.scale if other is None and score > 0 else other
            continue
        if pose.rotation[:, 2] @ toward > _FACING * np.linalg.norm(toward):
            return Alignment(pose, float(score + _SLACK)), other
    return None, other


def _landmarks(frame: DepthFrame) -> Landmarks | None:
    """iBUG-68 of the face in the colour picture, lifted onto the depth; any of four turns."""
    if frame.pixels is None:
        return None
    from rigface.perception import load_detector

    try:
        detector = load_detector()
    except MissingExtraError:
        return None
    for turns in range(4):
        turned = np.ascontiguousarray(np.rot90(frame.pixels, turns))
        faces = [face for face in detector.detect(Photo(turned)) if face.quality.trusted]
        if faces:
            return _lifted(frame, _turned_back(faces[0].ibug68(), turns, frame.pixels.shape[:2]))
    return None


def _turned_back(
    points: Float[np.ndarray, "points 2"], turns: int, shape: tuple[int, ...]
) -> Float[np.ndarray, "points 2"]:
    """Pixels of a picture of `shape` (rows, columns) from those of `np.rot90(picture, turns)`."""
    rows, columns = shape
    x, y = points.T
    match turns:
        case 1:
            return np.stack([columns - y, x], axis=1)
        case 2:
            return np.stack([columns - x, rows - y], axis=1)
        case 3:
            return np.stack([y, rows - x], axis=1)
        case _:
            return points


def _lifted(frame: DepthFrame, pixels: Float[np.ndarray, "points 2"]) -> Landmarks | None:
    """Landmarks at measured pixels; those on the jaw lie beside the face and are left out."""
    assert frame.pixels is not None
    scale = frame.depth.shape[0] / frame.pixels.shape[0]
    column, row = np.floor(scale * pixels).astype(int).T
    height, width = frame.depth.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    inside &= np.arange(len(pixels)) >= 17
    ids = np.flatnonzero(inside)
    points = frame.points[row[ids], column[ids]]
    known = np.isfinite(points).all(axis=1)
    if known.sum() < 6:
        return None
    return Landmarks(tuple(f"ibug.{number}" for number in ids[known]), points[known])


def _nothing(name: str, other_size: float | None) -> str:
    if other_size is not None:
        return (
            f"the face in {name} is {other_size:.2g} times as large as a human one should be; "
            "check depth_scale (metres per code: 0.001 for millimetres) and the focal length"
        )
    return (
        f"no face was found in {name}; show at least half of a face from 20 to 80 cm, looking "
        "towards the camera, or give more frames"
    )
