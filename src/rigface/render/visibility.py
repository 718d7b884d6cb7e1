"""Which vertices a camera sees: in the picture, facing it, and behind no other surface."""

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
    camera = camera.to(vertices.dtype).to(vertices.device)
    px, depth = camera.project(vertices)
    width, height = camera.size
    limit = px.new_tensor([width, height])
    inside = (px >= 0).all(-1) & (px <= limit).all(-1) & (depth >= NEAR)
    towards = torch.nn.functional.normalize(camera.position - vertices, dim=-1)
    facing = (smooth_normals(vertices, faces) * towards).sum(-1) > least_cosine
    # The first of the four pixels whose centres surround the vertex; the border is repeated.
    corner = (px.nan_to_num() - 0.5).floor().clamp(-1, max(width, height)).long()
    farthest = torch.zeros_like(depth)
    for step in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column = (corner[:, 0] + step[0]).clamp(0, width - 1)
        row = (corner[:, 1] + step[1]).clamp(0, height - 1)
        farthest = torch.maximum(farthest, fragments.depth[row, column].to(depth))
    return inside & facing & (depth <= farthest + tolerance)
