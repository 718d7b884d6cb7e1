"""Eyeballs made exact spheres, lids laid on them, and a blink that closes.

MakeHuman's eyeball is a sphere to 0.3 mm without a cornea, its lid margins and socket reach up
to 3.3 mm into it, and its blink drives the upper lid 3 mm past the lower one. Here every skin
vertex near the eye keeps a clearance from the sphere at rest and in each expression. A triangle
whose corners clear the sphere may still sag below it, so the clearance exceeds that sag; the
eyeball's own facets lie inside the sphere, whichever way it looks.
"""

from dataclasses import dataclass

import numpy as np

from .rings import CONTACT, LASH

RING_CLEARANCE = (0.2e-3, 0.2e-3, 0.45e-3, 0.75e-3)
"""Least height over the ball of the grid's rings 0 to 3. They rise towards the lashes so that
the lining of one lid can pass under the margin of the other where the eye closes."""
SOCKET_CLEARANCE = 0.8e-3
"""Deep in the socket, where triangles are longer and nobody looks."""
FACET_CLEARANCE = 0.03e-3
"""Least distance of any lid triangle from the sphere."""
LID_GAP = 0.15e-3
"""Left between the two margins when the eye is shut."""
TUCK = 1.0e-3
"""How far ring 0, the first of the lining, lies behind the contact ring."""
CORNERS = (8, 21)
"""Columns of the eye grid at the inner and outer corner."""
UPPER = tuple(range(22, 28)) + tuple(range(0, 8))
"""Columns of the upper lid, from the outer to the inner corner, both excluded."""
LOWER = tuple(range(21, 7, -1))
"""Columns of the lower lid with both corners, in the same direction; a blink leaves them alone
but for those before `STRAIGHT`, which leave the outer corner's round for a straight line."""
STRAIGHT = 4
CALM = {18: 0.7, 19: 0.4, 20: 0.15, 21: 0.0, 22: 0.05, 23: 0.15, 24: 0.35, 25: 0.6, 26: 0.85}
"""Share of a gaze shape that the columns around the outer corner follow."""
CORNER_FADE = 0.25
"""Radians of azimuth over which the socket's motion ends at the corners."""
FADE_RINGS = 5
"""Over how many rings above the lashes an extra turn dies away."""


@dataclass(frozen=True)
class Ball:
    """A sphere, metres."""

    centre: np.ndarray
    radius: float

    def height(self, points: np.ndarray) -> np.ndarray:
        """Signed distance of points from the sphere, positive outside."""
        return np.linalg.norm(points - self.centre, axis=-1) - self.radius

    def polar(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unit directions from the centre, and heights."""
        ray = points - self.centre
        length = np.linalg.norm(ray, axis=-1, keepdims=True)
        return ray / length, length[..., 0] - self.radius

    def at(self, direction: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Inverse of `polar`."""
        return self.centre + (self.radius + height)[..., None] * direction


def fit_ball(points: np.ndarray) -> Ball:
    """Algebraic least-squares sphere through points."""
    design = np.column_stack([2 * points, np.ones(len(points))])
    solution = np.linalg.lstsq(design, (points**2).sum(axis=1), rcond=None)[0]
    centre = solution[:3]
    return Ball(centre, float(np.sqrt(solution[3] + centre @ centre)))


def round_eyeball(points: np.ndarray, pupil: np.ndarray) -> np.ndarray:
    """The eyeball projected onto its fitted sphere and turned so that it looks along +Z.

    `pupil` are the indices of the vertices around the pole of the iris.
    """
    ball = fit_ball(points)
    direction, _ = ball.polar(points)
    forward_from_gaze = turn(unit(direction[pupil].mean(axis=0)), np.array([0.0, 0.0, 1.0]))
    return ball.at(direction @ forward_from_gaze.T, np.zeros(len(points)))


def clearances(grid: np.ndarray, socket: np.ndarray) -> np.ndarray:
    """(verts,) height that each vertex must keep; -inf away from the eye."""
    out = np.full(len(socket), -np.inf)
    out[socket] = SOCKET_CLEARANCE
    for ring, clearance in enumerate(RING_CLEARANCE):
        out[grid[ring]] = clearance
    return out


def lift_off(points: np.ndarray, ball: Ball, clearance: np.ndarray) -> np.ndarray:
    """`points` with those below their clearance moved out to it along the sphere's radius."""
    direction, height = ball.polar(points)
    low = height < clearance
    out = points.copy()
    out[low] = ball.at(direction[low], clearance[low])
    return out


def seat_lids(
    points: np.ndarray, ball: Ball, grid: np.ndarray, clearance: np.ndarray
) -> np.ndarray:
    """Lids at rest: the contact ring slides forward along the margin until it clears the ball.

    Behind its contact line the lid continues as a thin lining around the ball, as the
    conjunctiva does: ring 0 is tucked `TUCK` behind, deeper rings are lifted off radially.
    """
    out = points.copy()
    inner, outer = points[grid[CONTACT]], points[grid[CONTACT + 1]]
    share = np.linspace(0, 1, 201)[:, None, None]
    slide = inner + share * (outer - inner)
    clear = ball.height(slide) >= clearance[grid[CONTACT]]
    first = np.where(clear.any(axis=0), clear.argmax(axis=0), 0)
    out[grid[CONTACT]] = slide[first, np.arange(grid.shape[1])]
    bearing = _bearing(ball.polar(out[grid[CONTACT]])[0])
    tucked = bearing + TUCK / ball.radius * _outward(bearing)
    out[grid[0]] = ball.at(_direction(tucked), clearance[grid[0]])
    return lift_off(out, ball, clearance)


def close_lids(
    rest: np.ndarray, offset: np.ndarray, ball: Ball, grid: np.ndarray, clearance: np.ndarray
) -> np.ndarray:
    """Offsets of a blink that ends with the upper margin `LID_GAP` above the lower one.

    Each column of the upper margin goes to the same share of the arc between the corners on the
    lower margin, ring by ring, as a zip closes. The rest of the lid turns about the ball's centre
    towards where `offset` would put it, by the share that its column's lashes need, plus what
    the lashes then lack, fading up the lid. Heights over the ball follow by the share.
    """
    start, low = ball.polar(rest)
    stop, high = ball.polar(rest + offset)
    upper = list(UPPER)
    aim = _zip(start, grid, LID_GAP / ball.radius)
    share = _shares(start, stop, aim[LASH], grid, np.isfinite(clearance))
    direction = slerp(start, stop, share)
    height = low + share * (high - low)
    lack = aim[LASH] - _bearing(direction[grid[LASH][upper]])
    for ring in range(LASH + 1, len(grid)):
        members = grid[ring][upper]
        fade = max(0.0, 1 - (ring - LASH) / FADE_RINGS)
        direction[members] = _direction(_bearing(direction[members]) + fade * lack)
    for ring, goal in aim.items():
        direction[grid[ring][upper]] = _direction(goal)
    tucked = aim[CONTACT] + [0, TUCK / ball.radius]
    direction[grid[0][upper]] = _direction(tucked)
    lower = list(LOWER)[:STRAIGHT]
    for ring in range(LASH + FADE_RINGS):
        members, source = grid[ring][lower], grid[min(max(ring, CONTACT), LASH)]
        raise_ = (_straight(start[source]) - _bearing(start[source[list(LOWER)]]))[:STRAIGHT]
        fade = min(1.0, 1 - (ring - LASH) / FADE_RINGS)
        direction[members] = _direction(_bearing(start[members]) + fade * raise_)
    end = lift_off(ball.at(direction, height), ball, clearance)
    still = (offset == 0).all(axis=1) & ~np.isin(np.arange(len(rest)), grid)
    end[still] = rest[still]
    return end - rest


def calm_corner(offset: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Offsets of a gaze shape whose lids no longer cross at the outer corner."""
    out = offset.copy()
    for column, share in CALM.items():
        for ring in range(LASH + FADE_RINGS):
            fade = min(1.0, 1 - (ring - LASH) / FADE_RINGS)
            out[grid[ring, column]] *= 1 - fade * (1 - share)
    return out


def clear_facets(
    points: np.ndarray, faces: np.ndarray, ball: Ball, movable: np.ndarray
) -> np.ndarray:
    """`points` with the `movable` corners of faces that sag into the sphere moved out of it.

    `faces` are those around the eye; afterwards none comes closer than `FACET_CLEARANCE`.
    """
    out = points.copy()
    for _ in range(100):
        direction, height = ball.polar(out)
        sag = FACET_CLEARANCE - (_distance_to_faces(ball.centre, out[faces]) - ball.radius)
        push = np.zeros(len(out))
        for corner in range(3):
            np.maximum.at(push, faces[:, corner], sag)
        push *= movable
        if push.max() <= 0:
            return out
        out = ball.at(direction, height + np.where(push > 0, push + 1e-5, 0))
    raise AssertionError("faces keep sagging into the eyeball")


def _distance_to_faces(point: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Distance from one point to each triangle of (faces, 3, 3)."""
    ends = np.roll(corners, -1, axis=1)
    edge = ends - corners
    share = ((point - corners) * edge).sum(-1) / (edge**2).sum(-1)
    near_edge = corners + share.clip(0, 1)[..., None] * edge
    distance = np.linalg.norm(point - near_edge, axis=-1).min(axis=1)
    normal = unit(np.cross(edge[:, 0], edge[:, 1]))
    lift = ((point - corners[:, 0]) * normal).sum(-1)
    foot = point - lift[:, None] * normal
    turns = (np.cross(edge, foot[:, None] - corners) * normal[:, None]).sum(-1)
    return np.where((turns >= 0).all(axis=1), np.abs(lift), distance)


def _zip(start: np.ndarray, grid: np.ndarray, gap: float) -> dict[int, np.ndarray]:
    """Per margin ring, the bearings at which the upper columns meet the lower lid."""
    inner, outer = CORNERS
    margin = range(CONTACT, LASH + 1)
    at = np.mean([_arc(start[grid[k][[outer, *UPPER, inner]]]) for k in margin], axis=0)[1:-1]
    out = {}
    for ring in margin:
        bearing = _straight(start[grid[ring]])
        along = _arc(_direction(bearing))
        meet = np.stack([np.interp(at, along, bearing[:, k]) for k in range(2)], axis=-1)
        meet[:, 1] += gap
        out[ring] = meet
    return out


def _straight(ring: np.ndarray) -> np.ndarray:
    """Bearings of a ring's lower half, the first `STRAIGHT` on the line to the next."""
    bearing = _bearing(ring[list(LOWER)])
    share = _arc(ring[list(LOWER)][: STRAIGHT + 1])[:, None]
    bearing[: STRAIGHT + 1] = bearing[0] + share * (bearing[STRAIGHT] - bearing[0])
    return bearing


def _shares(
    start: np.ndarray, stop: np.ndarray, aim: np.ndarray, grid: np.ndarray, near: np.ndarray
) -> np.ndarray:
    """(verts,) share of the raw turn: per upper column what its lashes need, none for lower ones.

    Off the grid by nearness to the lash ring; the socket's fades out towards the eye's corners.
    """
    lash, upper = grid[LASH], list(UPPER)
    share = np.zeros(len(start))
    have = _bearing(start[lash[upper]])[:, 1] - _bearing(stop[lash[upper]])[:, 1]
    need = _bearing(start[lash[upper]])[:, 1] - aim[:, 1]
    share[grid[:, upper]] = np.clip(need / np.maximum(have, 1e-3), 0.0, 1.0)
    others = np.setdiff1d(np.arange(len(share)), grid)
    distance = np.linalg.norm(start[others, None] - start[lash], axis=-1)
    weight = 1 / (distance**2 + 1e-6)
    share[others] = (weight * share[lash]).sum(axis=1) / weight.sum(axis=1)
    hidden = others[near[others]]
    inner, outer = (_bearing(start[grid[CONTACT, column]])[0] for column in CORNERS)
    azimuth = _bearing(start[hidden])[:, 0]
    share[hidden] *= np.clip(np.minimum(azimuth - inner, outer - azimuth) / CORNER_FADE, 0, 1)
    return share


def _outward(ring: np.ndarray) -> np.ndarray:
    """(n, 2) unit normals of a closed ring of bearings, away from its inside."""
    along = np.roll(ring, -1, axis=0) - np.roll(ring, 1, axis=0)
    normal = unit(np.stack([along[:, 1], -along[:, 0]], axis=-1))
    return normal * np.sign((normal * (ring - ring.mean(axis=0))).sum())


def _arc(points: np.ndarray) -> np.ndarray:
    """Share of a polyline's length at each of its points."""
    step = np.linalg.norm(np.diff(points, axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(step)])
    return length / length[-1]


def _direction(bearing: np.ndarray) -> np.ndarray:
    azimuth, elevation = bearing[..., 0], bearing[..., 1]
    flat = np.cos(elevation)
    return np.stack([flat * np.sin(azimuth), np.sin(elevation), flat * np.cos(azimuth)], axis=-1)


def _bearing(direction: np.ndarray) -> np.ndarray:
    """(n, 2) azimuth towards +X and elevation of directions."""
    azimuth = np.arctan2(direction[..., 0], direction[..., 2])
    return np.stack([azimuth, np.arcsin(direction[..., 1].clip(-1, 1))], axis=-1)


def turn(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """The smallest rotation matrix that takes one unit direction to another."""
    axis, cosine = np.cross(start, stop), float(start @ stop)
    x, y, z = axis
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)


def slerp(start: np.ndarray, stop: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Directions a share of the way along great circles."""
    angle = np.arccos((start * stop).sum(axis=-1).clip(-1, 1))
    sine = np.sin(angle)
    small = sine < 1e-9
    safe = np.where(small, 1, sine)
    a = np.where(small, 1 - share, np.sin((1 - share) * angle) / safe)
    b = np.where(small, share, np.sin(share * angle) / safe)
    return unit(a[:, None] * start + b[:, None] * stop)


def unit(vector: np.ndarray) -> np.ndarray:
    """Scaled to length one along the last axis."""
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)
