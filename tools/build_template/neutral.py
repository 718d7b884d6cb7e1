"""From raw MakeHuman positions to a head without intersections: what is done to every head."""

from dataclasses import dataclass

import numpy as np

from .eyes import Ball, clear_facets, clearances, fit_ball, round_eyeball, seat_lids
from .makehuman import HeadSource
from .mouth import place_teeth
from .regions import Anatomy

PUPIL_RING = 8
"""The frontmost vertices of the eyeball's mesh: the octagon around its pole."""


@dataclass(frozen=True)
class Eye:
    """What the correction of the subject's left eye needs; the right one is its mirror image."""

    ball: slice
    grid: np.ndarray
    clearance: np.ndarray
    movable: np.ndarray
    """(verts,) which vertices may be moved to clear the ball: the unseen and the contact ring."""
    faces: np.ndarray
    pupil: np.ndarray


@dataclass(frozen=True)
class Corrector:
    """Applies the corrections that docs/template.md lists."""

    head: HeadSource
    mirror: np.ndarray
    eye: Eye

    def flip(self, points: np.ndarray) -> np.ndarray:
        """The mirror image, or a field of offsets mirrored."""
        return points[self.mirror] * [-1.0, 1.0, 1.0]

    def symmetrised(self, points: np.ndarray) -> np.ndarray:
        """Exactly its own mirror image."""
        return 0.5 * (points + self.flip(points))

    def left_ball(self, points: np.ndarray) -> Ball:
        """The sphere of the subject's left eyeball."""
        return fit_ball(points[self.eye.ball])

    def rest(self, raw: np.ndarray) -> np.ndarray:
        """A neutral head: round eyeballs that look ahead, seated lids, natural teeth."""
        out = self.flip(self._left_eye_at_rest(self.flip(self._left_eye_at_rest(raw))))
        return place_teeth(out, self.head.vertex_runs)

    def _left_eye_at_rest(self, raw: np.ndarray) -> np.ndarray:
        eye, ball = self.eye, self.left_ball(raw)
        out = seat_lids(raw, ball, eye.grid, eye.clearance)
        out[eye.ball] = round_eyeball(raw[eye.ball], eye.pupil)
        return clear_facets(out, eye.faces, ball, eye.movable)


def make_corrector(
    head: HeadSource, anatomy: Anatomy, mirror: np.ndarray, neutral: np.ndarray
) -> Corrector:
    """A corrector for heads in this topology; `neutral` only tells which way the eyes look."""
    ball = head.vertex_runs["eyeball.L"]
    grid = anatomy.eyes["L"]
    clearance = clearances(grid, anatomy.cavities["socket.L"])
    movable = np.isfinite(clearance)
    movable[grid[2:]] = False
    skin = head.faces[head.face_runs["skin"]]
    faces = skin[np.isfinite(clearance)[skin].any(axis=1)]
    pupil = np.argsort(-neutral[ball, 2], kind="stable")[:PUPIL_RING]
    return Corrector(head, mirror, Eye(ball, grid, clearance, movable, faces, pupil))
