"""Is it a face? What is measured on a refined candidate, and the score made of it."""

from dataclasses import dataclass, fields

import numpy as np

from rigface.fit.finding.face_target import FaceTarget
from rigface.fit.finding.refine import Refined

_ODDS = np.array([26.25, -2.44, 18.77, 0.0, -2.11, -1.23])
"""Of the fields of `Findings`; logistic regression on simulated scans."""
ACCEPTED = 15.3


@dataclass(frozen=True)
class Findings:
    """All in 0..1 except misfit and shape; a good face is near 1."""

    cover: float
    """Share of the template's face (weighted by how telling it is) that lies on the scan."""
    precise: float
    """Share of the scan in front of and behind the face that lies on it."""
    alike: float
    """Correlation of the relief: how normals depart from those of the smoothed face."""
    amount: float
    """Regression of the scan's relief on the template's (1: as strong)."""
    misfit: float
    """RMS distance of the supporting points, millimetres."""
    shape: float
    """Size of the shape coefficients, in standard deviations."""

    @property
    def score(self) -> float:
        """Log odds, up to a constant, of a face against anything else."""
        return float(self.vector() @ _ODDS)

    def vector(self) -> np.ndarray:
        return np.array([getattr(self, each.name) for each in fields(self)])


def examine(refined: Refined, target: FaceTarget) -> Findings:
    """Measure a refined candidate."""
    contact = refined.contact
    face, weight = contact.face, contact.weight
    value, inner = target.value[face], target.inner[face]
    on = (value * weight).sum()
    off = (value * inner * (1 - weight)).sum()
    normals, smooth = target.normals[face], target.smooth_normals[face]
    seen = contact.scan_normals * np.sign((contact.scan_normals * normals).sum(1))[:, None]
    near = (np.abs(contact.height) < 0.008) & (inner > 0)
    theirs, ours = (normals - smooth)[near], (seen - smooth)[near]
    both = (theirs * ours).sum()
    power, own = (theirs**2).sum() + 1e-9, (ours**2).sum() + 1e-9
    return Findings(
        cover=_coverage(face[weight > 0.2], target),
        precise=float(on / (on + off + 1e-9)),
        alike=float(both / np.sqrt(power * own)),
        amount=float(both / power),
        misfit=float(1e3 * np.sqrt((weight * contact.height**2).sum() / (weight.sum() + 1e-9))),
        shape=float(np.sqrt((refined.shape**2).mean())),
    )


def _coverage(touched: np.ndarray, target: FaceTarget) -> float:
    """Value-weighted share of small pieces of the face that hold a supported point."""
    worth = np.bincount(target.piece, target.value * target.inner)
    hit = np.bincount(target.piece[touched], minlength=len(worth)) > 0
    return float((worth * hit).sum() / worth.sum())
