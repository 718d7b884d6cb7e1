"""Correspondences between a scan and the model's outer surface, renewed once per outer step."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from rigface.fit.target import ScanTarget
from rigface.geometry.mesh import boundary_edges, face_normals, vertex_normals
from rigface.geometry.surface import ClosestPoints, Surface
from rigface.rig.template import Template
from rigface.terms.robust import Kernel, LeastSquares
from rigface.terms.surface_points import SurfacePointTerm

_CUP_DEPTH = 0.001
"""Metres behind the model's skin from which an unpaired point counts as inside the nose."""
_NOSE = 0.025
"""Metres around the middle of the vestibules."""


@dataclass(frozen=True)
class MatchRule:
    """What may be matched with what, and how hard it pulls."""

    trim: float
    """Pairs farther apart than this (metres) are dropped."""
    cosine: float = 0.6
    """Least agreement of the two normals."""
    sigma: float = 5e-4
    """Metres; a residual of this size costs 1/2 per square millimetre of scan."""
    kernel: Kernel = LeastSquares()
    slide: float = 0.02
    reverse: float = 0.5
    """Weight of the model-to-scan pairs relative to the scan-to-model ones."""


@dataclass(frozen=True)
class SkinTopology:
    """Which part of a model's skin a scan can show."""

    faces: Int[np.ndarray, "faces 3"]
    outer: Bool[np.ndarray, " verts"]
    """Seen from outside."""
    face: Bool[np.ndarray, " verts"]
    """Outer skin that every face scan shows; these vertices look for the scan themselves."""
    cups: Bool[np.ndarray, " verts"]
    """Vestibules of the nose: shallow on the template, tubes in many scans."""

    @staticmethod
    def of_template(template: Template) -> "SkinTopology":
        """The template's skin."""
        skin = template.parts["skin"]
        return SkinTopology(
            np.ascontiguousarray(template.mesh.faces[skin.faces]),
            template.regions["outer"][skin.vertices],
            template.regions["face"][skin.vertices],
            template.regions["nostrils"][skin.vertices],
        )


class Matcher:
    """Finds pairs between a scan target and a model's skin."""

    def __init__(self, topology: SkinTopology, target: ScanTarget):
        self.target = target
        self.faces = topology.faces
        self.searched = np.ascontiguousarray(self.faces[topology.outer[self.faces].all(axis=1)])
        self.rim = np.zeros(len(topology.outer), dtype=bool)
        self.rim[boundary_edges(self.searched).ravel()] = True
        self.looking = np.flatnonzero(topology.face & ~self.rim)
        self.cups = np.ascontiguousarray(self.faces[topology.cups[self.faces].all(axis=1)])
        self._surface: Surface | None = None

    def match(self, vertices: Float[np.ndarray, "verts 3"], rule: MatchRule) -> "Matches":
        """Pairs in both directions for the model at `vertices`."""
        found = self.closest(vertices, 4 * rule.trim)
        face, bary = found.face.numpy(), found.bary.numpy()
        corners = self.searched[np.maximum(face, 0)]
        normals = face_normals(vertices, self.searched)[np.maximum(face, 0)]
        on_rim = (self.rim[corners] | (bary < 1e-5)).all(axis=1)
        agree = (normals * self.target.normals).sum(-1) > rule.cosine
        good = (face >= 0) & (found.distance.numpy() < rule.trim) & agree & ~on_rim
        behind = ((self.target.points - found.point.numpy()) * normals).sum(-1) < -_CUP_DEPTH
        hidden = np.flatnonzero((face >= 0) & ~good & behind)
        return Matches(self, corners, bary, good, hidden, *self._look(vertices, rule))

    def closest(self, vertices: Float[np.ndarray, "verts 3"], reach: float) -> ClosestPoints:
        """Where each scan sample meets the outer skin at `vertices`, within `reach` metres."""
        moved = torch.from_numpy(vertices)
        if self._surface is None:
            self._surface = Surface(moved, torch.from_numpy(self.searched))
        return self._surface.refit(moved).closest(torch.from_numpy(self.target.points), reach)

    def inside_nose(
        self, vertices: Float[np.ndarray, "verts 3"], rule: MatchRule
    ) -> Float[np.ndarray, "points 3"]:
        """Scan points behind the skin around the vestibules, those counted as hidden included."""
        if not len(self.cups):
            return np.zeros((0, 3))
        shown = self.target.points[self.match(vertices, rule).hidden]
        points = np.concatenate([shown, self.target.unseen])
        middle = vertices[self.cups].mean(axis=(0, 1))
        points = points[np.linalg.norm(points - middle, axis=1) < _NOSE]
        assert self._surface is not None
        found = self._surface.closest(torch.from_numpy(points))
        normals = face_normals(vertices, self.searched)[found.face.numpy()]
        depth = ((points - found.point.numpy()) * normals).sum(-1)
        return points[depth < -_CUP_DEPTH]

    def _look(self, vertices: np.ndarray, rule: MatchRule) -> tuple[np.ndarray, ...]:
        seekers = vertices[self.looking]
        place, normal, inside = self.target.nearest(seekers)
        own = vertex_normals(vertices, self.faces)[self.looking]
        close = np.linalg.norm(place - seekers, axis=-1) < rule.trim
        return place, normal, inside & close & ((own * normal).sum(-1) > rule.cosine)


@dataclass(frozen=True)
class Matches:
    """Frozen pairs; `terms` turns them into energies."""

    matcher: Matcher
    corners: Int[np.ndarray, "samples 3"]
    bary: Float[np.ndarray, "samples 3"]
    good: Bool[np.ndarray, " samples"]
    hidden: Int[np.ndarray, " hidden"]
    """Samples without a partner that lie behind the model's skin."""
    place: Float[np.ndarray, "seekers 3"]
    place_normal: Float[np.ndarray, "seekers 3"]
    place_good: Bool[np.ndarray, " seekers"]

    def terms(
        self, vertices: Float[np.ndarray, "verts 3"], rule: MatchRule
    ) -> list[SurfacePointTerm]:
        """Scan-to-model and model-to-scan energies."""
        terms = [self._forward(rule)]
        if rule.reverse:
            terms.append(self._backward(vertices, rule))
        return terms

    def _forward(self, rule: MatchRule) -> SurfacePointTerm:
        target, good = self.matcher.target, self.good
        return SurfacePointTerm(
            self.corners[good],
            self.bary[good],
            target.points[good],
            target.normals[good],
            target.areas[good] / 1e-6,
            rule.sigma,
            rule.kernel,
            rule.slide,
        )

    def _backward(self, vertices: np.ndarray, rule: MatchRule) -> SurfacePointTerm:
        seekers = self.matcher.looking[self.place_good]
        area = _vertex_area(vertices, self.matcher.faces)[seekers]
        bary = np.zeros((len(seekers), 3))
        bary[:, 0] = 1.0
        return SurfacePointTerm(
            np.repeat(seekers[:, None], 3, axis=1),
            bary,
            self.place[self.place_good],
            self.place_normal[self.place_good],
            rule.reverse * area / 1e-6,
            rule.sigma,
            rule.kernel,
            rule.slide,
        )


def _vertex_area(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    cross = np.cross(
        vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]]
    )
    return np.bincount(
        faces.ravel(), np.repeat(np.linalg.norm(cross, axis=-1) / 6, 3), minlength=len(vertices)
    )
