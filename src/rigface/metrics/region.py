"""The face region of a scan: what an error is measured on, fixed before any fit."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from rigface.geometry.mesh import Mesh, face_normals, sample_surface, vertex_normals
from rigface.geometry.visibility import seen_from_outside, seen_points

REGION_RADIUS = 0.095
"""Metres around the nose tip."""


@dataclass(frozen=True)
class FaceRegion:
    """Points of a scan's face, uniform by area, metres, in the scan's (metric) frame."""

    points: Float[np.ndarray, "points 3"]
    face: Int[np.ndarray, " points"] | None
    """The scan face of each point; None for a point cloud."""
    nose_tip: Float[np.ndarray, "3"]
    radius: float
    hidden_share: float
    """Share of the surface within the radius that cannot be seen from outside."""

    def subset(self, keep: Bool[np.ndarray, " points"]) -> "FaceRegion":
        """Fewer points, e.g. those that a cut scan still shows."""
        face = None if self.face is None else self.face[keep]
        return FaceRegion(self.points[keep], face, self.nose_tip, self.radius, self.hidden_share)


def face_region(
    scan: Mesh,
    nose_tip: Float[np.ndarray, "3"],
    radius: float = REGION_RADIUS,
    samples: int = 10_000,
    seed: int = 0,
    candidates: Bool[np.ndarray, " faces"] | None = None,
) -> FaceRegion:
    """Scan surface within `radius` of the nose tip and seen from outside (unobstructed in at
    least 2 % of 300 directions), from the scan alone.

    `samples` points are drawn by area from the faces that reach into the ball; those outside the
    ball or hidden inside the head are then left out. `candidates` limits the region to faces that
    are known to be skin, for heads that come with labels; the others still hide what is behind
    them. Metres.
    """
    near = faces_in_ball(scan, nose_tip, radius)
    if candidates is not None:
        near &= candidates
    if not near.any():
        return FaceRegion(np.zeros((0, 3)), np.zeros(0, np.int64), nose_tip, radius, 0.0)
    ids = np.flatnonzero(near)
    points, local = sample_surface(scan.vertices, scan.faces[ids], samples, seed)
    inside = np.linalg.norm(points - nose_tip, axis=1) <= radius
    points, face = points[inside], ids[local[inside]]
    normals = face_normals(scan.vertices, scan.faces)[face]
    seen = seen_from_outside(scan, points, normals)
    hidden = float(1 - seen.mean()) if len(seen) else 0.0
    return FaceRegion(points[seen], face[seen], nose_tip, radius, hidden)


def face_region_of_points(
    points: Float[np.ndarray, "points 3"],
    nose_tip: Float[np.ndarray, "3"],
    radius: float = REGION_RADIUS,
) -> FaceRegion:
    """The same for a point cloud in metres: its own points, with `seen_points` as the test."""
    inside = np.linalg.norm(points - nose_tip, axis=1) <= radius
    seen = seen_points(points, asked=inside)
    hidden = float(1 - seen.mean()) if len(seen) else 0.0
    return FaceRegion(points[inside][seen], None, nose_tip, radius, hidden)


def region_vertices(
    scan: Mesh, nose_tip: Float[np.ndarray, "3"], radius: float = REGION_RADIUS
) -> Bool[np.ndarray, " verts"]:
    """The vertices that lie in the face region, for heat maps and vertex-wise errors. Metres."""
    inside = np.linalg.norm(scan.vertices - nose_tip, axis=1) <= radius
    normals = vertex_normals(scan.vertices, scan.faces)
    mask = np.zeros(len(scan.vertices), dtype=bool)
    mask[inside] = seen_from_outside(scan, scan.vertices[inside], normals[inside])
    return mask


def faces_in_ball(
    mesh: Mesh, centre: Float[np.ndarray, "3"], radius: float
) -> Bool[np.ndarray, " faces"]:
    """Faces that may reach into the ball (their bounding spheres do)."""
    corners = mesh.vertices[mesh.faces]
    middle = corners.mean(axis=1)
    extent = np.linalg.norm(corners - middle[:, None], axis=2).max(axis=1)
    return np.linalg.norm(middle - centre, axis=1) <= radius + extent
