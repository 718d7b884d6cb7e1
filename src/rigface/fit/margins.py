"""Lips and lids in a fit: margins may touch and not cross; those of shut lids lie together."""

from collections.abc import Collection

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


def lip_gap(template: Template) -> GapTerm:
    """The lips may touch and not cross."""
    return _gap(template, "lip.upper", "lip.lower")


def lid_gaps(template: Template, shut: Collection[str]) -> list[GapTerm]:
    """The same for the lids of each eye; those of the sides `shut` meet as in a blink."""
    return [
        lid_gap(template, side)
        if side in shut
        else _gap(template, f"lid.upper.{side}", f"lid.lower.{side}")
        for side in "LR"
    ]


def _gap(template: Template, above: str, below: str) -> GapTerm:
    """Facing vertices of the line where two margins meet, by arc length."""
    loops = [template.loops[above], template.loops[below]]
    places = [_arc_length(template.mesh.vertices[loop]) for loop in loops]
    nearest = np.abs(places[0][:, None] - places[1]).argmin(axis=1)
    back = np.abs(places[1][:, None] - places[0]).argmin(axis=1)
    upper = np.concatenate([loops[0][1:-1], loops[0][back][1:-1]])
    lower = np.concatenate([loops[1][nearest][1:-1], loops[1][1:-1]])
    apart = upper != lower
    return _touching(upper[apart], lower[apart])


def _arc_length(points: np.ndarray) -> np.ndarray:
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()


def lid_seam(template: Template, shut: Float[np.ndarray, "skin 3"], side: str) -> SeamTerm:
    """Keeps the two margins of shut lids where `shut` has them on each other."""
    a, b = _facing_margins(template, side)
    return SeamTerm(a, b, shut[a] - shut[b], _SEAM)


def lid_gap(template: Template, side: str) -> GapTerm:
    """The margins of shut lids may touch and not cross."""
    return _touching(*_facing_margins(template, side))


def _touching(above: Int[np.ndarray, " pairs"], below: Int[np.ndarray, " pairs"]) -> GapTerm:
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
