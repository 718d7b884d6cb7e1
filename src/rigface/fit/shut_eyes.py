"""Eyes that a scan shows shut: found by geometry alone, then registered with the lids together.

From open lids the way to shut ones leads past a local minimum: both lid margins lie flat on the
skin of the closed upper lid. Two questions decide, eye by eye.

Does the surface between the lids stand out? A shut lid lies in front of the line from the fold of
the upper lid to the skin below the lower one, the sunk eyeball of an open eye behind it. Only eyes
that pass go on, so that most scans pay nothing for the second question.

What explains the scan best? The skin around the eye is registered with the lids shut and at some
degrees of opening. An open eye shows its ball in the opening, and lids as thick as lids are stand
out from that ball: a step that the surface of a shut lid does not have.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from rigface.fit.eyeballs import LID, balls_behind_lids, fit_ball, in_opening, in_polygon
from rigface.fit.free_form import FreeForm, affine_image, register_patch
from rigface.fit.lids import BLINKS, closed_rest
from rigface.fit.margins import lid_seam, outer_lids
from rigface.fit.matching import Matcher, MatchRule, SkinTopology
from rigface.fit.stages import Wavelengths
from rigface.geometry.similarity import align_points
from rigface.rig.template import Template
from rigface.terms.robust import GemanMcClure
from rigface.terms.seam import SeamTerm

MM = 1e-3
MIN_BULGE = 0.5 * MM
"""At the size of the template. Shut lids bulge by 0.6 to 2 mm, open eyes by -3 to 0.4 mm and,
where the ball protrudes, by more."""
MAX_RATIO = 0.4
"""Residual with the lids shut over the least one with open lids: at most 0.3 for shut lids, at
least 0.6 for open eyes that bulge."""
_OPENINGS = (0.25, 0.75)
"""eyeBlink weights of the open eyes that are tried."""
_REACH = 28 * MM
_SAMPLES = 600
"""Of a mesh, within that reach."""
_TALL = 2.0
"""Height of the zone in which the residuals are compared, in heights of the template's opening."""
_SIGMA = 0.5 * MM
_KERNEL = GemanMcClure(4.0)
_MARGIN = 2 * MM
"""Distance from the margin at which lids have their thickness."""
_HALF_WIDTH = 7 * MM
_FEWEST = 3
_SCHEDULE = FreeForm(
    MatchRule(5 * MM, 0.5, 1 * MM, GemanMcClure(12.0), slide=0.05, reverse=0.3),
    (Wavelengths(0.03, 0.12), Wavelengths(0.02, 0.1)),
    5 * MM,
)


@dataclass(frozen=True)
class EyePatch:
    """The skin around one eye as a mesh of its own, and the scan near it."""

    side: str
    vertices: Int[np.ndarray, " patch"]
    """Ids in the skin."""
    free: Bool[np.ndarray, " patch"]
    """Lids; the other vertices hold them in the face."""
    matcher: Matcher

    @staticmethod
    def around(
        template: Template, skin: Float[np.ndarray, "skin 3"], side: str, matcher: Matcher
    ) -> "EyePatch":
        """The outer skin of one side's lids, with two rings of vertices around it."""
        free = outer_lids(template, side, len(skin))
        inside = _grown(_grown(free, matcher.searched), matcher.searched)
        vertices = np.flatnonzero(inside)
        place = np.cumsum(inside) - 1
        topology = SkinTopology(
            place[matcher.searched[inside[matcher.searched].all(axis=1)]],
            np.ones(len(vertices), dtype=bool),
            template.regions["face"][vertices] & free[vertices],
            np.zeros(len(vertices), dtype=bool),
        )
        rim = np.flatnonzero(template.regions[f"lid_rim.{side}"][: len(skin)])
        target = matcher.target.near(skin[rim].mean(axis=0), _REACH, _SAMPLES)
        return EyePatch(side, vertices, free[vertices], Matcher(topology, target))

    def seam(self, template: Template, shut: Float[np.ndarray, "skin 3"]) -> SeamTerm:
        """`lid_seam` over the patch's own vertices."""
        whole = lid_seam(template, shut, self.side)
        a, b = np.searchsorted(self.vertices, np.stack([whole.a, whole.b]))
        return replace(whole, a=a, b=b)


def shut_eyes(
    template: Template,
    skin: Float[np.ndarray, "skin 3"],
    closed: Mapping[str, float],
    matcher: Matcher,
    local: Float[np.ndarray, " skin"],
) -> tuple[Float[np.ndarray, "skin 3"], tuple[str, ...]]:
    """The registered skin with the lids together where the scan shows them shut, and those sides.

    `closed` holds the eyeBlink* weights that the shape space found, `local` the stiffness of each
    vertex.
    """
    out, sides = skin.copy(), []
    for side, name in BLINKS.items():
        patch = EyePatch.around(template, skin, side, matcher)
        if not bulge(template, skin, side, patch.matcher.target.points) > MIN_BULGE:
            continue
        shut = _register(template, skin, {**closed, name: 1.0}, patch, local, sealed=True)
        zone = _zone(template, skin, patch)
        residual = _distances(shut, patch)[zone].mean()
        if all(
            residual < MAX_RATIO * _with_ball(template, opened, weights, patch)[zone].mean()
            for weights, opened in _opened(template, skin, closed, patch, local)
        ):
            out[patch.vertices] = shut[patch.vertices]
            sides.append(side)
    return out, tuple(sides)


def bulge(
    template: Template,
    skin: Float[np.ndarray, "skin 3"],
    side: str,
    points: Float[np.ndarray, "points 3"],
) -> float:
    """Metres, at the template's size, by which the scan between the lids stands out.

    It is measured from the line between the upper lid's fold and the skin below the lower lid;
    NaN where the scan shows too little of the three.
    """
    face = template.regions["face"][: len(skin)]
    upright = align_points(skin[face], template.mesh.vertices[: len(skin)][face])
    margin = upright.apply(skin[template.loops[f"lid.lower.{side}"]])
    middle = (margin[0] + margin[-1]) / 2
    low = margin[np.argsort(np.abs(margin[:, 0] - middle[0]))[:3]].mean(axis=0)
    x, y, z = (upright.apply(points) - low).T
    central = np.abs(x) < _HALF_WIDTH

    def band(bottom: float, top: float) -> tuple[float, float]:
        inside = central & (y > bottom) & (y < top)
        if inside.sum() < _FEWEST:
            return np.nan, np.nan
        return float(y[inside].mean()), float(np.median(z[inside]))

    below, skin_below = band(-6 * MM, -2 * MM)
    between, lid = band(2 * MM, 8 * MM)
    above, fold = band(9 * MM, 13 * MM)
    share = (between - below) / (above - below)
    return lid - ((1 - share) * skin_below + share * fold)


def _grown(
    mask: Bool[np.ndarray, " verts"], faces: Int[np.ndarray, "faces 3"]
) -> Bool[np.ndarray, " verts"]:
    out = mask.copy()
    out[faces[mask[faces].any(axis=1)]] = True
    return out


def _register(
    template: Template,
    skin: np.ndarray,
    closed: Mapping[str, float],
    patch: EyePatch,
    local: np.ndarray,
    sealed: bool = False,
) -> Float[np.ndarray, "skin 3"]:
    """The skin with one eye at the given closure; the face around it says where that is.

    `sealed` holds the margins together.
    """
    reference = _placed(closed_rest(template, closed), template, skin, patch)
    out = skin.copy()
    out[patch.vertices] = register_patch(
        reference[patch.vertices],
        skin[patch.vertices],
        patch.free,
        patch.matcher,
        _SCHEDULE,
        local[patch.vertices],
        [patch.seam(template, reference)] if sealed else [],
    )
    return out


def _placed(
    vertices: np.ndarray, template: Template, skin: np.ndarray, patch: EyePatch
) -> Float[np.ndarray, "skin 3"]:
    """A template's skin under the affine map of the face around the eye."""
    face = template.regions["face"][: len(skin)].copy()
    face[patch.vertices] = False
    return affine_image(vertices[: len(skin)], skin, np.flatnonzero(face))


def _zone(template: Template, skin: np.ndarray, patch: EyePatch) -> Bool[np.ndarray, " samples"]:
    """Samples in front of the template's opening, stretched upwards and downwards."""
    rest = _placed(template.mesh.vertices, template, skin, patch)
    upper, lower = (rest[template.loops[f"lid.{row}.{patch.side}"]] for row in ("upper", "lower"))
    outline = np.concatenate([upper, lower[::-1]])[:, :2]
    middle = outline.mean(axis=0)
    tall = middle + (outline - middle) * [1.0, _TALL]
    return in_polygon(patch.matcher.target.points[:, :2], tall)


def _opened(
    template: Template,
    skin: np.ndarray,
    closed: Mapping[str, float],
    patch: EyePatch,
    local: np.ndarray,
) -> Iterator[tuple[dict[str, float], Float[np.ndarray, "skin 3"]]]:
    """eyeBlink* weights with the eye open so far, and the skin registered from there."""
    for weight in _OPENINGS:
        weights = {**closed, BLINKS[patch.side]: weight}
        yield weights, _register(template, skin, weights, patch, local)


def _distances(skin: np.ndarray, patch: EyePatch) -> Float[np.ndarray, " samples"]:
    """Robust squared distance of each sample from the skin, in units of sigma."""
    found = patch.matcher.closest(skin[patch.vertices], _REACH)
    return _robust(found.distance.numpy())


def _with_ball(
    template: Template, skin: np.ndarray, closed: Mapping[str, float], patch: EyePatch
) -> Float[np.ndarray, " samples"]:
    """The same for an open eye, whose ball is seen between the lids and lies behind them."""
    points = patch.matcher.target.points
    first = balls_behind_lids(template, skin, closed)[patch.side]
    shown = in_opening(template, skin, patch.side, first, points)
    rows = ("upper", "lower")
    margins = np.concatenate([template.loops[f"lid.{row}.{patch.side}"] for row in rows])
    lids = ~shown & (cKDTree(skin[margins]).query(points)[0] > _MARGIN)
    ball = fit_ball(first, points[shown], points[lids], LID)
    height = np.linalg.norm(points - ball.centre, axis=1) - ball.radius
    sunk = np.where(lids, np.minimum(height - LID, 0.0), 0.0)
    return np.where(shown, _robust(height), _distances(skin, patch) + _robust(sunk))


def _robust(metres: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return _KERNEL.rho((metres / _SIGMA) ** 2)
