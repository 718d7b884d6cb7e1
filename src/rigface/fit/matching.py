"""Correspondences between a scan and the model's outer surface, renewed once per outer step."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from rigface.fit.target import ScanTarget
from rigface.geometry.mesh import boundary_edges, face_normals, vertex_normals
from rigface.geometry.surface import ClosestPoints, Surface
from rigface.rig.template import Template
from rigface.terms.robust import GemanMcClure, Kernel, LeastSquares
from rigface.terms.surface_points import SurfacePointTerm

_CUP_REACH = 0.012
"""Metres from the model's vestibules to scan points inside the nose that deepen them."""
_CUP_DEPTH = 0.001
"""Metres behind the model's skin from which an unpaired point counts as inside the nose."""
_NO_PLANE = GemanMcClure(0.01)
"""A tube's walls say nothing along their normals while the model is a shallow cup."""


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
    deepen: bool = False
    """Pull the vestibules of the nose towards scan points that lie deeper inside it."""


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
        self._cup_surface: Surface | None = None

    def match(self, vertices: Float[np.ndarray, "verts 3"], rule: MatchRule) -> "Matches":
        """Pairs in both directions for the model at `vertices`."""
        moved = torch.from_numpy(vertices)
        found = self.closest(vertices, 4 * rule.trim)
        face, bary = found.face.numpy(), found.bary.numpy()
        corners = self.searched[np.maximum(face, 0)]
        normals = face_normals(vertices, self.searched)[np.maximum(face, 0)]
        on_rim = (self.rim[corners] | (bary < 1e-5)).all(axis=1)
        agree = (normals * self.target.normals).sum(-1) > rule.cosine
        good = (face >= 0) & (found.distance.numpy() < rule.trim) & agree & ~on_rim
        behind = ((self.target.points - found.point.numpy()) * normals).sum(-1) < -_CUP_DEPTH
        inside = rule.deepen & (face >= 0) & ~good & behind
        deep = self._deep(moved, np.flatnonzero(inside))
        return Matches(self, corners, bary, good, deep, *self._look(vertices, rule))

    def closest(self, vertices: Float[np.ndarray, "verts 3"], reach: float) -> ClosestPoints:
        """Where each scan sample meets the outer skin at `vertices`, within `reach` metres."""
        moved = torch.from_numpy(vertices)
        if self._surface is None:
            self._surface = Surface(moved, torch.from_numpy(self.searched))
        return self._surface.refit(moved).closest(torch.from_numpy(self.target.points), reach)

    def _deep(self, moved: torch.Tensor, candidates: np.ndarray) -> "DeepPairs":
        """Samples behind the skin that only a vestibule of the nose can mean."""
        if len(candidates) == 0 or len(self.cups) == 0:
            return DeepPairs(candidates[:0], np.zeros((0, 3), dtype=np.int64), np.zeros((0, 3)))
        if self._cup_surface is None:
            self._cup_surface = Surface(moved, torch.from_numpy(self.cups))
        points = torch.from_numpy(self.target.points[candidates])
        found = self._cup_surface.refit(moved).closest(points, _CUP_REACH)
        kept = found.face.numpy() >= 0
        corners = self.cups[found.face.numpy()[kept]]
        return DeepPairs(candidates[kept], corners, found.bary.numpy()[kept])

    def _look(self, vertices: np.ndarray, rule: MatchRule) -> tuple[np.ndarray, ...]:
        seekers = vertices[self.looking]
        place, normal, inside = self.target.nearest(seekers)
        own = vertex_normals(vertices, self.faces)[self.looking]
        close = np.linalg.norm(place - seekers, axis=-1) < rule.trim
        return place, normal, inside & close & ((own * normal).sum(-1) > rule.cosine)


@dataclass(frozen=True)
class DeepPairs:
    """Samples inside the nose, too deep for the model's vestibules as they are."""

    samples: Int[np.ndarray, " deep"]
    corners: Int[np.ndarray, "deep 3"]
    bary: Float[np.ndarray, "deep 3"]


@dataclass(frozen=True)
class Matches:
    """Frozen pairs; `terms` turns them into energies."""

    matcher: Matcher
    corners: Int[np.ndarray, "samples 3"]
    bary: Float[np.ndarray, "samples 3"]
    good: Bool[np.ndarray, " samples"]
    deep: "DeepPairs"
    place: Float[np.ndarray, "seekers 3"]
    place_normal: Float[np.ndarray, "seekers 3"]
    place_good: Bool[np.ndarray, " seekers"]

    def terms(
        self, vertices: Float[np.ndarray, "verts 3"], rule: MatchRule
    ) -> list[SurfacePointTerm]:
        """Scan-to-model and model-to-scan energies."""
        terms = [self._forward(rule)]
        if len(self.deep.samples):
            terms.append(self._deeper(rule))
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
            np.full(int(good.sum()), target.area / 1e-6),
            rule.sigma,
            rule.kernel,
            rule.slide,
        )

    def _deeper(self, rule: MatchRule) -> SurfacePointTerm:
        target, deep = self.matcher.target, self.deep
        return SurfacePointTerm(
            deep.corners,
            deep.bary,
            target.points[deep.samples],
            target.normals[deep.samples],
            np.full(len(deep.samples), target.area / 1e-6),
            rule.sigma,
            _NO_PLANE,
            slide=1.0,
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
