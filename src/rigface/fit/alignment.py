"""Where the face is in a scan: found from geometry alone, or from landmarks, or known."""

from dataclasses import dataclass

import numpy as np

from rigface.evidence.landmarks import Landmarks
from rigface.evidence.scan import Scan
from rigface.geometry.mesh import Mesh
from rigface.geometry.similarity import Similarity
from rigface.geometry.visibility import seen_from_outside
from rigface.rig.template import Template

_DIRECTIONS = 64
"""Fewer than a metric needs: only the bulk of hidden surface must go."""


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
    shown = _shown(scan, points, normals)
    points, normals = points[shown], normals[shown]
    pose = find_face(points, normals, template=template, seed=seed, landmarks=landmarks)
    return Alignment(Similarity(pose.scale, pose.rotation, pose.translation), float(pose.score))


def _shown(scan: Scan, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Samples that are not inside the head: mouth bags and eye pockets would speak against it."""
    if scan.faces is None:
        return np.ones(len(points), dtype=bool)
    mesh = Mesh(scan.vertices, scan.faces)
    seen = seen_from_outside(mesh, points, normals, directions=_DIRECTIONS)
    # A scan that hides most of itself is a tangle of outliers: visibility says nothing there.
    return seen if seen.mean() > 0.3 else np.ones(len(points), dtype=bool)
