"""Shut lids in a fit: their margins lie together, and each lid keeps its lining behind it."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from rigface.fit.lids import BLINKS, closed_rest
from rigface.rig.template import Template
from rigface.terms.lip_gap import GapTerm
from rigface.terms.seam import SeamTerm

MM = 1e-3
_SEAM = 0.2 * MM
_THIN = 2.5 * MM
"""Thickest lid whose lining is held by its outer skin."""


def lid_seam(template: Template, shut: Float[np.ndarray, "skin 3"], side: str) -> SeamTerm:
    """Keeps the two margins of shut lids where `shut` has them on each other."""
    a, b = _facing_margins(template, side)
    return SeamTerm(a, b, shut[a] - shut[b], _SEAM)


def lid_gap(template: Template, side: str) -> GapTerm:
    """The margins of shut lids may touch and not cross."""
    return touching(*_facing_margins(template, side))


def touching(above: Int[np.ndarray, " pairs"], below: Int[np.ndarray, " pairs"]) -> GapTerm:
    """Facing vertices of two margins that may touch and not cross."""
    return GapTerm(above, below, np.array([0.0, 1.0, 0.0]), 0.1 * MM, 0.02 * MM)


def _facing_margins(
    template: Template, side: str
) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """Vertices of the upper and the lower lid that lie together when the template blinks."""
    shut = closed_rest(template, {BLINKS[side]: 1.0})
    upper, lower = (template.loops[f"lid.{row}.{side}"] for row in ("upper", "lower"))
    on_lower = lower[cKDTree(shut[lower]).query(shut[upper])[1]]
    on_upper = upper[cKDTree(shut[upper]).query(shut[lower])[1]]
    a, b = np.concatenate([upper, on_upper]), np.concatenate([on_lower, lower])
    apart = a != b
    return a[apart], b[apart]


def lining_seam(template: Template, skin: Float[np.ndarray, "skin 3"], side: str) -> SeamTerm:
    """Keeps the lining of the lids behind their outer skin as it is in `skin`."""
    inner = template.regions[f"socket.{side}"] & ~template.regions["outer"]
    lining = np.flatnonzero(inner[: len(skin)])
    outer = np.flatnonzero(outer_lids(template, side, len(skin)))
    distance, nearest = cKDTree(skin[outer]).query(skin[lining])
    thin = distance < _THIN
    a, b = lining[thin], outer[nearest[thin]]
    return SeamTerm(a, b, skin[a] - skin[b], _SEAM)


def outer_lids(template: Template, side: str, count: int) -> Bool[np.ndarray, " skin"]:
    """Outer skin of one side's lids, with their margins."""
    regions = template.regions
    half = template.mesh.vertices[:, 0] * template.eyeballs[side].centre[0] > 0
    lids = (regions["eyes"] | regions[f"lid_rim.{side}"]) & regions["outer"] & half
    return lids[:count]
