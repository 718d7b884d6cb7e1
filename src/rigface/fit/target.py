"""A scan made ready to be fitted: visible, oriented, sampled by area, in the model's frame."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import cKDTree

from rigface.evidence.scan import Scan
from rigface.geometry.mesh import (
    Mesh,
    boundary_edges,
    face_areas,
    face_normals,
    sample_surface,
    submesh,
    vertex_normals,
)
from rigface.geometry.similarity import Similarity
from rigface.geometry.surface import Surface
from rigface.geometry.visibility import seen_from_outside, seen_points
from rigface.rig.template import Template

REACH = 0.125
"""Scan parts farther than this from the face centre (metres) never take part in a fit."""
FACE_CENTRE = np.array([0.0, -0.035, 0.01])
"""Between nose and mouth, in the template's frame."""


@dataclass(frozen=True)
class ScanTarget:
    """Samples to be met by the model, and the surface that model vertices look for.

    Everything is in the fit frame: the model's frame, metres, after the initial alignment.
    """

    points: Float[np.ndarray, "samples 3"]
    normals: Float[np.ndarray, "samples 3"]
    """Outward unit normals."""
    area: float
    """Surface that each sample stands for, m^2."""
    mesh: Mesh | None
    """The visible part of a mesh scan near the face, outward winding; None for a point cloud."""
    surface: Surface | None
    vertex_normals: Float[np.ndarray, "verts 3"] | None
    border: np.ndarray | None
    """Vertices of `mesh` on an open border: matches there are not trusted."""
    tree: cKDTree
    """Over `points`."""

    def nearest(
        self, queries: Float[np.ndarray, "queries 3"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Closest scan place: position, outward normal, and whether it is inside the surface."""
        if self.surface is None or self.mesh is None:
            distance, index = self.tree.query(queries)
            offset = queries - self.points[index]
            normal = self.normals[index]
            lateral = np.linalg.norm(
                offset - (offset * normal).sum(-1, keepdims=True) * normal, axis=-1
            )
            return self.points[index], normal, lateral < 3 * np.sqrt(self.area)
        found = self.surface.closest(torch.from_numpy(queries))
        corners = self.mesh.faces[found.face.numpy()]
        bary = found.bary.numpy()
        assert self.vertex_normals is not None and self.border is not None
        normal = np.einsum("nc,ncd->nd", bary, self.vertex_normals[corners])
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
        inside = ~(
            np.all(self.border[corners] & (bary > 1e-4), axis=-1)
            | np.any(bary < 1e-6, axis=-1) & np.all(self.border[corners] | (bary < 1e-6), axis=-1)
        )
        return found.point.numpy(), normal, inside

    def near(
        self, centre: Float[np.ndarray, "3"], reach: float, samples: int = 0, seed: int = 0
    ) -> "ScanTarget":
        """The scan within `reach` metres of `centre`; the surface to look for stays whole.

        A mesh is sampled anew if that gives more than the present samples there.
        """
        kept = np.linalg.norm(self.points - centre, axis=1) < reach
        if self.mesh is None or kept.sum() >= samples:
            points = self.points[kept]
            return replace(self, points=points, normals=self.normals[kept], tree=cKDTree(points))
        faces = self.mesh.faces
        middle = self.mesh.vertices[faces].mean(axis=1)
        faces = faces[np.linalg.norm(middle - centre, axis=1) < reach]
        points, _ = sample_surface(self.mesh.vertices, faces, samples, seed)
        assert self.surface is not None and self.vertex_normals is not None
        normals = _normals_at(points, self.surface, self.mesh, self.vertex_normals)
        area = float(face_areas(self.mesh.vertices, faces).sum() / samples)
        return replace(self, points=points, normals=normals, area=area, tree=cKDTree(points))


def prepare_target(
    scan: Scan, model_from_scan: Similarity, template: Template, samples: int = 8000, seed: int = 0
) -> ScanTarget:
    """Cut the scan to the neighbourhood of the face and to what is seen from outside."""
    vertices = model_from_scan.apply(scan.vertices)
    if scan.faces is None:
        return _cloud_target(vertices, template, samples, seed)
    near = np.linalg.norm(vertices - FACE_CENTRE, axis=-1) < REACH
    mesh = Mesh(vertices, scan.faces)
    close = near[scan.faces].all(axis=1)
    centroids = vertices[scan.faces[close]].mean(axis=1)
    normals = face_normals(vertices, scan.faces[close])
    seen = seen_from_outside(mesh, centroids, normals)
    visible = np.flatnonzero(close)[seen]
    part, _ = submesh(mesh, visible)
    part = _largest_pieces(part)
    part = _outward(part, template)
    smooth = vertex_normals(part.vertices, part.faces)
    points, face = sample_surface(part.vertices, part.faces, samples, seed)
    border = np.zeros(len(part.vertices), dtype=bool)
    border[boundary_edges(part.faces).ravel()] = True
    surface = Surface(torch.from_numpy(part.vertices), torch.from_numpy(part.faces))
    sample_normals = _normals_at(points, surface, part, smooth)
    area = float(face_areas(part.vertices, part.faces).sum() / samples)
    return ScanTarget(points, sample_normals, area, part, surface, smooth, border, cKDTree(points))


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
    points = vertices[near]
    points = points[seen_points(points)]
    tree = cKDTree(points)
    distance, neighbours = tree.query(points, k=16)
    kept = distance[:, 8] < 4 * np.median(distance[:, 8])
    centred = points[neighbours] - points[neighbours].mean(axis=1, keepdims=True)
    _, vectors = np.linalg.eigh(centred.transpose(0, 2, 1) @ centred)
    normals = vectors[:, :, 0]
    reference = _template_normals(points, template)
    normals *= np.where((normals * reference).sum(-1) < 0, -1.0, 1.0)[:, None]
    points, normals = points[kept], normals[kept]
    if len(points) > samples:
        pick = np.random.default_rng(seed).permutation(len(points))[:samples]
        points, normals = points[pick], normals[pick]
    tree = cKDTree(points)
    spacing = np.median(tree.query(points, k=7)[0][:, 6])
    return ScanTarget(points, normals, float(np.pi * spacing**2 / 6), None, None, None, None, tree)


def _outward(part: Mesh, template: Template) -> Mesh:
    """Turn the winding round if most of the surface looks into the head."""
    centroids = part.vertices[part.faces].mean(axis=1)
    reference = _template_normals(centroids, template)
    agreement = (face_normals(part.vertices, part.faces) * reference).sum(-1)
    if np.mean(agreement > 0) < 0.5:
        return Mesh(part.vertices, np.ascontiguousarray(part.faces[:, ::-1]))
    return part


def _template_normals(points: np.ndarray, template: Template) -> np.ndarray:
    skin = template.parts["skin"]
    vertices = template.mesh.vertices[skin.vertices]
    faces = template.mesh.faces[skin.faces]
    outer = template.regions["outer"][skin.vertices] if "outer" in template.regions else None
    if outer is not None:
        faces = faces[outer[faces].all(axis=1)]
    found = Surface(
        torch.from_numpy(np.ascontiguousarray(vertices)),
        torch.from_numpy(np.ascontiguousarray(faces)),
    ).closest(torch.from_numpy(points))
    return face_normals(vertices, faces)[found.face.numpy()]


def _largest_pieces(mesh: Mesh, share: float = 0.01) -> Mesh:
    """Drop crumbs: connected pieces with less than `share` of the faces."""
    import scipy.sparse as sp
    from scipy.sparse.csgraph import connected_components

    faces = mesh.faces
    index = (np.concatenate([faces[:, 0], faces[:, 1]]), np.concatenate([faces[:, 1], faces[:, 2]]))
    graph = sp.coo_matrix((np.ones(len(index[0])), index), shape=(len(mesh.vertices),) * 2)
    _, label = connected_components(graph, directed=False)
    count = np.bincount(label[faces[:, 0]], minlength=label.max() + 1)
    keep = count[label[faces[:, 0]]] >= share * len(faces)
    return submesh(mesh, keep)[0] if not keep.all() else mesh
