"""Which points of a surface a camera sees: in the picture, facing it, behind nothing else."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.cameras import Camera
from rigface.render.attributes import smooth_normals
from rigface.render.rasterise import NEAR, Fragments, rasterise

TOLERANCE = 1e-3
"""Metres by which the z-buffer may lie before a vertex that still counts as seen."""


def visible_vertices(
    vertices: Float[Tensor, "verts 3"],
    faces: Int[Tensor, "faces 3"],
    camera: Camera,
    tolerance: float = TOLERANCE,
    least_cosine: float = 0.0,
    fragments: Fragments | None = None,
) -> Bool[Tensor, " verts"]:
    """Vertices that the camera sees.

    A vertex is compared with the farthest of the four pixels around it, so that the slope of its
    own surface does not hide it; what lies less than `tolerance` metres behind another surface
    counts as seen. Its normal must make a cosine above `least_cosine` with the ray to the camera.
    Faces are counter-clockwise seen from outside. `fragments` saves drawing the picture again; for
    a large picture a `camera.scaled(...)` copy is enough.
    """
    if fragments is None:
        fragments = rasterise(vertices, faces, camera)
    normals = smooth_normals(vertices, faces)
    return visible_points(vertices, normals, fragments, camera, tolerance, least_cosine)


def visible_points(
    points: Float[Tensor, "points 3"],
    normals: Float[Tensor, "points 3"],
    fragments: Fragments,
    camera: Camera,
    tolerance: float = TOLERANCE,
    least_cosine: float = 0.0,
) -> Bool[Tensor, " points"]:
    """The same for any points of the surface whose picture by `camera` is `fragments`."""
    camera = camera.to(points.dtype).to(points.device)
    px, depth = camera.project(points)
    width, height = camera.size
    limit = px.new_tensor([width, height])
    inside = (px >= 0).all(-1) & (px <= limit).all(-1) & (depth >= NEAR)
    towards = torch.nn.functional.normalize(camera.position - points, dim=-1)
    facing = (normals * towards).sum(-1) > least_cosine
    # The first of the four pixels whose centres surround the point; the border is repeated.
    corner = (px.nan_to_num() - 0.5).floor().clamp(-1, max(width, height)).long()
    farthest = torch.zeros_like(depth)
    for step in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column = (corner[:, 0] + step[0]).clamp(0, width - 1)
        row = (corner[:, 1] + step[1]).clamp(0, height - 1)
        farthest = torch.maximum(farthest, fragments.depth[row, column].to(depth))
    return inside & facing & (depth <= farthest + tolerance)
