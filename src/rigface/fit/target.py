"""A scan made ready to be fitted: visible, oriented, sampled by area, in the model's frame."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import cKDTree

from rigface.errors import InputError
from rigface.evidence.scan import Scan
from rigface.fit.clean import pieces
from rigface.fit.finding.prepare import thin
from rigface.geometry.mesh import (
    Mesh,
    boundary_edges,
    face_areas,
    face_normals,
    sample_surface,
    submesh,
)
from rigface.geometry.normals import agreed_signs, calm_normals, plane_normals, unit
from rigface.geometry.rounding import rounded
from rigface.geometry.similarity import Similarity
from rigface.geometry.surface import Surface
from rigface.geometry.visibility import seen_from_outside, seen_points
from rigface.rig.template import Template

REACH = 0.125
"""Scan parts farther than this from the face centre (metres) never take part in a fit."""
FACE_CENTRE = np.array([0.0, -0.035, 0.01])
"""Between nose and mouth, in the template's frame."""
FEWEST = 300
"""Points of a cloud that must lie there."""
_CRUMB = 0.01
"""Connected pieces with less than this share of the faces there are dropped."""
_COARSE = 0.005
"""A mesh with longer edges (median, metres) is rounded: its triangles cut the face's form off."""
_PLANE = 0.003
"""The normal of a cloud point is that of its neighbours within this radius (metres)."""


@dataclass(frozen=True)
class ScanTarget:
    """Samples to be met by the model, and the surface that model vertices look for.

    Everything is in the fit frame: the model's frame, metres, after the initial alignment.
    """

    points: Float[np.ndarray, "samples 3"]
    normals: Float[np.ndarray, "samples 3"]
    """Outward unit normals."""
    areas: Float[np.ndarray, " samples"]
    """Surface that each sample stands for, m^2."""
    mesh: Mesh | None
    """The visible part of a mesh scan near the face, outward winding; None for a point cloud."""
    surface: Surface | None
    vertex_normals: Float[np.ndarray, "verts 3"] | None
    border: np.ndarray | None
    """Vertices of `mesh` on an open border: matches there are not trusted."""
    tree: cKDTree
    """Over `points`."""
    unseen: Float[np.ndarray, "unseen 3"] = field(default_factory=lambda: np.zeros((0, 3)))
    """Points of a cloud near the face that count as hidden. In narrow cavities a cloud is too
    sparse for certainty: whoever knows of a cavity may look here."""

    def nearest(
        self, queries: Float[np.ndarray, "queries 3"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Closest scan place: position, outward normal, and whether it is inside the surface."""
        if self.surface is None or self.mesh is None:
            _, index = self.tree.query(queries)
            offset = queries - self.points[index]
            normal = self.normals[index]
            lateral = np.linalg.norm(
                offset - (offset * normal).sum(-1, keepdims=True) * normal, axis=-1
            )
            return self.points[index], normal, lateral < 3 * np.sqrt(self.areas[index])
        found = self.surface.closest(torch.from_numpy(queries))
        corners = self.mesh.faces[found.face.numpy()]
        bary = found.bary.numpy()
        assert self.vertex_normals is not None and self.border is not None
        normal = unit(np.einsum("nc,ncd->nd", bary, self.vertex_normals[corners]))
        inside = ~(
            np.all(self.border[corners] & (bary > 1e-4), axis=-1)
            | np.any(bary < 1e-6, axis=-1) & np.all(self.border[corners] | (bary < 1e-6), axis=-1)
        )
        return found.point.numpy(), normal, inside

    def near(
        self, centre: Float[np.ndarray, "3"], reach: float, samples: int = 0, seed: int = 0
    ) -> "ScanTarget":
        """The scan within `reach` metres of `centre`; the surface to look for stays whole.

        A mesh is sampled anew if that gives more than the present samples there. Where the scan
        shows nothing there, nothing is what comes back.
        """
        kept = np.linalg.norm(self.points - centre, axis=1) < reach
        faces = np.zeros((0, 3), dtype=np.int64)
        if self.mesh is not None and kept.sum() < samples:
            middle = self.mesh.vertices[self.mesh.faces].mean(axis=1)
            faces = self.mesh.faces[np.linalg.norm(middle - centre, axis=1) < reach]
        if self.mesh is None or len(faces) == 0:
            points = self.points[kept]
            return replace(
                self,
                points=points,
                normals=self.normals[kept],
                areas=self.areas[kept],
                tree=cKDTree(points),
            )
        points, _ = sample_surface(self.mesh.vertices, faces, samples, seed)
        assert self.surface is not None and self.vertex_normals is not None
        normals = _normals_at(points, self.surface, self.mesh, self.vertex_normals)
        areas = np.full(samples, face_areas(self.mesh.vertices, faces).sum() / samples)
        return replace(self, points=points, normals=normals, areas=areas, tree=cKDTree(points))


def prepare_target(
    scan: Scan, model_from_scan: Similarity, template: Template, samples: int = 8000, seed: int = 0
) -> ScanTarget:
    """Cut the scan to the neighbourhood of the face and to what is seen from outside.

    Raises InputError if next to nothing is left.
    """
    vertices = model_from_scan.apply(scan.vertices)
    if scan.faces is None:
        return _cloud_target(vertices, template, samples, seed)
    part = _visible_part(Mesh(vertices, scan.faces))
    part = _outward(part, template)
    if _median_edge(part) > _COARSE:
        part = rounded(part)
    smooth, _ = calm_normals(part.vertices, part.faces)
    points, face = sample_surface(part.vertices, part.faces, samples, seed)
    border = np.zeros(len(part.vertices), dtype=bool)
    border[boundary_edges(part.faces).ravel()] = True
    surface = Surface(torch.from_numpy(part.vertices), torch.from_numpy(part.faces))
    bary = surface.closest(torch.from_numpy(points))
    corners = part.faces[bary.face.numpy()]
    normals = unit(np.einsum("nc,ncd->nd", bary.bary.numpy(), smooth[corners]))
    area = face_areas(part.vertices, part.faces).sum() / samples
    return ScanTarget(
        points,
        normals,
        np.full(samples, area),
        part,
        surface,
        smooth,
        border,
        cKDTree(points),
    )


def _median_edge(mesh: Mesh) -> float:
    corners = mesh.vertices[mesh.faces]
    return float(np.median(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1)))


def _visible_part(mesh: Mesh) -> Mesh:
    near = np.linalg.norm(mesh.vertices - FACE_CENTRE, axis=-1) < REACH
    close = np.flatnonzero(near[mesh.faces].all(axis=1))
    corners = mesh.faces[close]
    centroids = mesh.vertices[corners].mean(axis=1)
    normals = face_normals(mesh.vertices, corners)
    visible = close[seen_from_outside(mesh, centroids, normals)] if len(close) else close
    if not len(visible):
        raise _too_little(0)
    part, _ = submesh(mesh, visible)
    piece = pieces(part.faces)
    large = np.bincount(piece)[piece] >= _CRUMB * len(piece)
    return part if large.all() or not large.any() else submesh(part, large)[0]


def _normals_at(
    points: Float[np.ndarray, "points 3"],
    surface: Surface,
    mesh: Mesh,
    smooth: Float[np.ndarray, "verts 3"],
) -> Float[np.ndarray, "points 3"]:
    """Vertex normals `smooth` of a mesh, interpolated at points on its surface."""
    found = surface.closest(torch.from_numpy(points))
    normals = np.einsum("nc,ncd->nd", found.bary.numpy(), smooth[mesh.faces[found.face.numpy()]])
    return normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)


def _cloud_target(vertices: np.ndarray, template: Template, samples: int, seed: int) -> ScanTarget:
    near = np.linalg.norm(vertices - FACE_CENTRE, axis=-1) < REACH
    shown = seen_points(vertices, asked=near)
    seen, unseen = vertices[near][shown], vertices[near][~shown]
    if len(seen) < FEWEST:
        raise _too_little(len(seen))
    chosen = thin(seen, samples, seed)
    normals = plane_normals(seen, _plane_neighbours(seen), chosen)
    points = seen[chosen]
    hint = (normals * _template_normals(points, template)).sum(-1)
    normals = normals * agreed_signs(points, normals, hint)[:, None]
    tree, areas = _areas(points)
    return ScanTarget(points, normals, areas, None, None, None, None, tree, unseen)


def seen_target(
    points: Float[np.ndarray, "points 3"],
    toward: Float[np.ndarray, "points 3"],
    sigma: Float[np.ndarray, " points"],
    samples: int = 8000,
    seed: int = 0,
) -> ScanTarget:
    """Points that a camera has seen, in the fit frame, with the directions to it and their noise.

    Their normals turn to the camera, and nothing of them is hidden. Samples weigh by 1 / sigma^2
    (mean 1, between a quarter and four), which scales the area that they stand for.

    Raises InputError if next to nothing lies near the face.
    """
    near = np.linalg.norm(points - FACE_CENTRE, axis=-1) < REACH
    seen = points[near]
    if len(seen) < FEWEST:
        raise _too_little(len(seen))
    chosen = thin(seen, samples, seed)
    normals = plane_normals(seen, _plane_neighbours(seen), chosen)
    normals *= np.where((normals * toward[near][chosen]).sum(-1) < 0, -1.0, 1.0)[:, None]
    tree, areas = _areas(seen[chosen])
    sure = 1 / sigma[near][chosen] ** 2
    areas *= np.clip(sure / sure.mean(), 0.25, 4.0)
    return ScanTarget(seen[chosen], normals, areas, None, None, None, None, tree)


def _areas(points: Float[np.ndarray, "points 3"]) -> tuple[cKDTree, Float[np.ndarray, " points"]]:
    """Area that each point of a cloud stands for, from its neighbours, and the tree over them."""
    tree = cKDTree(points)
    spacing = tree.query(points, k=7)[0][:, 6]
    return tree, np.pi * np.minimum(spacing, 2 * np.median(spacing)) ** 2 / 6


def _plane_neighbours(points: np.ndarray) -> int:
    """As many as lie within `_PLANE` on a surface of this density: enough against noise."""
    distance = cKDTree(points).query(points, k=9)[0][:, 8]
    per_area = 8 / (np.pi * np.median(distance) ** 2)
    return int(np.clip(np.pi * _PLANE**2 * per_area, 12, 128))


def _too_little(count: int) -> InputError:
    return InputError(
        f"Only {count} points of the scan lie near the face that was found and can be seen from "
        f"outside; at least {FEWEST} are needed. Check that the file holds a face and not only "
        "its inside."
    )


def _outward(part: Mesh, template: Template) -> Mesh:
    """Turn the winding of those pieces round that mostly look into the head."""
    centroids = part.vertices[part.faces].mean(axis=1)
    reference = _template_normals(centroids, template)
    cosine = (face_normals(part.vertices, part.faces) * reference).sum(-1)
    piece = pieces(part.faces)
    inward = (np.bincount(piece, np.sign(cosine)) < 0)[piece]
    faces = part.faces.copy()
    faces[inward] = faces[inward, ::-1]
    return Mesh(part.vertices, faces)


def _template_normals(points: np.ndarray, template: Template) -> np.ndarray:
    skin = template.parts["skin"]
    vertices = template.mesh.vertices[skin.vertices]
    faces = template.mesh.faces[skin.faces]
    faces = faces[template.regions["outer"][skin.vertices][faces].all(axis=1)]
    surface = Surface(torch.from_numpy(vertices), torch.from_numpy(faces))
    return face_normals(vertices, faces)[surface.closest(torch.from_numpy(points)).face.numpy()]
