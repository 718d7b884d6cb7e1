"""Where the eyeballs are: on the points seen between the lids, behind the lids themselves.

A ball keeps the size and the place relative to its lids that the template gives it, unless the
scan shows it: points inside the lid opening lie on the ball, the skin of the lids lies outside.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from rigface.fit.lids import closed_rest
from rigface.geometry.similarity import Similarity, align_points
from rigface.metrics.mesh_quality import skin_faces_touching
from rigface.rig.template import Template
from rigface.terms.clearance import ClearanceTerm

MM = 1e-3
GAP = 0.3 * MM
"""Least distance of lids and sockets from the ball: the chord of a lid edge stays outside."""
LID = 1.5 * MM
"""Thickness of a lid, from the ball to the outer skin."""
_POINT_SIGMA = 0.3 * MM
_PLACE_SIGMA = np.array([1.5, 1.5, 2.5]) * MM
_SIZE_SIGMA = 0.08
"""Wide: the template's balls, which its lids were drawn around, are larger than real ones."""
_MARGIN = 0.06
"""Share of the lid opening, at its border, that may show the lids' own edges."""
_REACH = 1.35
_FEWEST = 5
_PRIOR = 2.0
"""Weight of the first guess against single points, of which there are some dozens."""


@dataclass(frozen=True)
class Ball:
    """An eyeball as a sphere."""

    centre: Float[np.ndarray, "3"]
    radius: float

    def moved(self, similarity: Similarity) -> "Ball":
        """The ball in another frame."""
        return Ball(similarity.apply(self.centre), self.radius * similarity.scale)


def place_eyeballs(
    template: Template,
    skin: Float[np.ndarray, "skin 3"],
    points: Float[np.ndarray, "points 3"],
    closed: Mapping[str, float],
    shut: Collection[str] = (),
) -> dict[str, Ball]:
    """Both balls, by side, for a fitted skin and the scan's points in the same frame.

    `closed` tells how far the skin's lids are shut (eyeBlink* weights); on the sides `shut` the
    scan shows nothing of the ball.
    """
    balls = {}
    for side, first in balls_behind_lids(template, skin, closed).items():
        near = points[np.linalg.norm(points - first.centre, axis=1) < _REACH * first.radius]
        if side in shut:
            balls[side] = fit_ball(first, near[:0], near, LID)
            continue
        shown = in_opening(template, skin, side, first, near)
        if shown.sum() < _FEWEST:
            balls[side] = first
            continue
        lids = skin[_lids(template, side)]
        balls[side] = fit_ball(first, near[shown], np.concatenate([near[~shown], lids]))
    return balls


def balls_behind_lids(
    template: Template, skin: Float[np.ndarray, "skin 3"], closed: Mapping[str, float]
) -> dict[str, Ball]:
    """Both balls where the template has them relative to its lids, shut as far as `closed` says."""
    face = template.regions["face"][: len(skin)]
    whole = align_points(template.mesh.vertices[: len(skin)][face], skin[face])
    rest = closed_rest(template, closed)
    balls = {}
    for side in "LR":
        rim = np.flatnonzero(template.regions[f"lid_rim.{side}"][: len(skin)])
        centre = template.eyeballs[side].centre
        behind = whole.rotate(centre - rest[rim].mean(axis=0)) * whole.scale
        radius = template.eyeballs[side].radius * whole.scale
        balls[side] = Ball(skin[rim].mean(axis=0) + behind, radius)
    return balls


def lift_off(
    template: Template, skin: Float[np.ndarray, "skin 3"], balls: Mapping[str, Ball]
) -> Float[np.ndarray, "skin 3"]:
    """Hidden skin that lies inside a ball is put onto it, with a gap."""
    out = skin.copy()
    hidden = ~template.regions["outer"][: len(skin)]
    for ball in balls.values():
        offset = out - ball.centre
        distance = np.linalg.norm(offset, axis=1)
        inside = hidden & (distance < ball.radius + GAP) & (distance > 0.3 * ball.radius)
        out[inside] += offset[inside] * ((ball.radius + GAP) / distance[inside] - 1)[:, None]
    return out


def clearance(template: Template, balls: Mapping[str, Ball]) -> list[ClearanceTerm]:
    """Keeps the lids off the balls; sockets stay near where `lift_off` put them."""
    return [
        ClearanceTerm(_lids(template, side), ball.centre, ball.radius + GAP, 0.1 * MM)
        for side, ball in balls.items()
    ]


def _lids(template: Template, side: str) -> Int[np.ndarray, " lids"]:
    """Skin vertices on the lid margin and next to it."""
    ids = np.unique(skin_faces_touching(template, (f"lid_rim.{side}",)))
    return ids[ids < template.parts["skin"].vertices.stop]


def in_opening(
    template: Template, skin: np.ndarray, side: str, ball: Ball, points: np.ndarray
) -> Bool[np.ndarray, " points"]:
    """Points that are seen from the ball's centre through the opening between the lids."""
    upper, lower = (skin[template.loops[f"lid.{row}.{side}"]] for row in ("upper", "lower"))
    outline = np.concatenate([upper, lower[::-1]])
    forward = outline.mean(axis=0) - ball.centre
    forward /= np.linalg.norm(forward)
    right = np.cross([0.0, 1.0, 0.0], forward)
    frame = np.stack([right / np.linalg.norm(right), np.cross(forward, right), forward])

    def project(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        local = (places - ball.centre) @ frame.T
        return local[:, :2] / np.maximum(local[:, 2:], 1e-9), local[:, 2]

    flat, _ = project(outline)
    middle = flat.mean(axis=0)
    place, depth = project(points)
    return in_polygon(place, middle + (1 - _MARGIN) * (flat - middle)) & (depth > 0)


def in_polygon(points: np.ndarray, outline: np.ndarray) -> Bool[np.ndarray, " points"]:
    """Even-odd rule: a ray to the right crosses the outline an odd number of times."""
    a, b = outline, np.roll(outline, -1, axis=0)
    above = a[:, 1] > points[:, 1:]
    spans = above != (b[:, 1] > points[:, 1:])
    rise = np.where(a[:, 1] == b[:, 1], 1.0, b[:, 1] - a[:, 1])
    crossing = a[:, 0] + (points[:, 1:] - a[:, 1]) / rise * (b[:, 0] - a[:, 0])
    return (spans & (points[:, :1] < crossing)).sum(axis=1) % 2 == 1


def fit_ball(
    first: Ball,
    shown: Float[np.ndarray, "shown 3"],
    skin: Float[np.ndarray, "lids 3"],
    thickness: float = 0.0,
) -> Ball:
    """The likeliest ball near `first`: through the points shown, inside the skin around them.

    `thickness` (metres) is the least distance of the skin from the ball. Where skin and points
    shown contradict each other, these are lids that the skin took for an open eye: they give in
    (robust), the skin does not.
    """
    from scipy.optimize import least_squares  # a tenth of a second that photos do not need

    def unpack(x: np.ndarray) -> tuple[np.ndarray, float]:
        return first.centre + x[:3] * _PLACE_SIGMA, first.radius * (1 + _SIZE_SIGMA * float(x[3]))

    def residuals(x: np.ndarray) -> np.ndarray:
        centre, radius = unpack(x)
        on = (np.linalg.norm(shown - centre, axis=1) - radius) / _POINT_SIGMA
        off = (np.linalg.norm(skin - centre, axis=1) - radius - thickness) / _POINT_SIGMA
        robust = np.sign(on) * np.sqrt(2 * (np.sqrt(1 + on**2) - 1))
        return np.concatenate([robust, np.minimum(off, 0.0), _PRIOR * x])

    return Ball(*unpack(least_squares(residuals, np.zeros(4)).x))
