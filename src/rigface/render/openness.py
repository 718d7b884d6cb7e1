"""How enclosed each vertex is: ambient occlusion for pictures."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.geometry.surface import Surface
from rigface.geometry.visibility import sphere_directions
from rigface.render.attributes import smooth_normals

_LIFT = 4e-4
"""Metres that a ray starts off its vertex."""


def open_share(
    vertices: Float[Tensor, "verts 3"],
    faces: Int[Tensor, "faces 3"],
    reach: float = 0.08,
    directions: int = 128,
) -> Float[Tensor, " verts"]:
    """Share of the half space above each vertex that meets nothing within `reach` metres, 0 to 1.

    A convex body has 1 everywhere; the back of a mouth is near 0.
    """
    start = vertices + _LIFT * smooth_normals(vertices, faces)
    sphere = torch.from_numpy(sphere_directions(directions)).to(vertices)
    free = Surface(vertices, faces).escape_share(start, sphere, reach)
    return (2 * free).clamp(0, 1)
