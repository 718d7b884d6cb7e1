"""Point-to-plane RMSE of a face after one rigid alignment, as on MICC and FaceScape.

The protocol of the MICC Florence experiments (Genova et al., "Unsupervised Training for 3D
Morphable Model Regression", CVPR 2018, and those after it): the scan within 95 mm of the nose tip
is laid on the prediction by ICP with isotropic scale, and the error is the root mean square of its
points' distances from the planes of the closest faces. The metric variant leaves the scale out.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from rigface.geometry.similarity import Similarity, align_points
from rigface.metrics.now import ALIGNED_ON, NOW_LANDMARKS, PredictedFace, ScanFace, refined

_MM = 1000.0


@dataclass(frozen=True)
class PlaneErrors:
    """One distance per point of the scan; nothing is dropped."""

    mm: Float[np.ndarray, " points"]
    """Signed: positive where the scan lies outside the prediction."""
    scan_from_prediction: Similarity

    @property
    def rmse(self) -> float:
        """NaN without points."""
        return float(np.sqrt(np.mean(self.mm**2))) if len(self.mm) else float("nan")

    @property
    def scale(self) -> float:
        """Size of the scan over that of the prediction."""
        return self.scan_from_prediction.scale


def point_to_plane_errors(
    scan: ScanFace, face: PredictedFace, with_scale: bool = True
) -> PlaneErrors:
    """Distances of the scan's points (metres, in random order) from the prediction's planes.

    Procrustes on seven landmarks starts, `refined` settles the sum of squared distances; without
    scale the prediction keeps its own size in both.
    """
    marks = list(NOW_LANDMARKS)
    start = align_points(face.landmarks[marks], scan.landmarks[marks], with_scale=with_scale)
    return plane_errors(
        scan.points, face, refined(scan.points[:ALIGNED_ON], face, start, with_scale)
    )


def plane_errors(
    points: Float[np.ndarray, "points 3"], face: PredictedFace, pose: Similarity
) -> PlaneErrors:
    """The same at a given alignment (scan_from_prediction)."""
    found = face.closest(pose.inverse().apply(points))
    gap = points - pose.apply(found.point)
    return PlaneErrors(_MM * np.einsum("nd,nd->n", gap, pose.rotate(found.normal)), pose)
