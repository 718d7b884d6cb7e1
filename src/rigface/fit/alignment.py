"""Where the face is in a scan: found from geometry alone, or from landmarks, or known."""

from dataclasses import dataclass

from rigface.evidence.landmarks import Landmarks
from rigface.evidence.scan import Scan
from rigface.geometry.similarity import Similarity
from rigface.rig.template import Template

UNITS = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "inch": 0.0254}
HUMAN_SIZES = (0.72, 1.40)
"""Face size over the template's (a slender teenager's): small children to large adults."""


@dataclass(frozen=True)
class Alignment:
    """The similarity that puts the template head onto the face, and how sure it is."""

    scan_from_model: Similarity
    score: float


def known(scan_from_model: Similarity) -> Alignment:
    """An alignment that the caller vouches for."""
    return Alignment(scan_from_model, 1.0)


def align(
    scan: Scan, template: Template, landmarks: Landmarks | None = None, seed: int = 0
) -> Alignment:
    """Find the face. Raises InputError when there is none."""
    from rigface.fit.find_face import find_face
    from rigface.fit.finding.prepare import prepare_points

    points, normals, _ = prepare_points(scan, seed=seed)
    pose = find_face(points, normals, template=template, seed=seed, landmarks=landmarks)
    return Alignment(Similarity(pose.scale, pose.rotation, pose.translation), float(pose.score))


def decide_unit(per_metre: float) -> str | None:
    """The unit in which a face of `per_metre` scan units per template metre is human-sized."""
    for name, metres in UNITS.items():
        if HUMAN_SIZES[0] <= per_metre * metres <= HUMAN_SIZES[1]:
            return name
    return None
