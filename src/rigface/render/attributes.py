"""Values of vertices at points on faces, and smooth normals. Differentiable."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def interpolate(
    attributes: Float[Tensor, "verts channels"],
    faces: Int[Tensor, "faces 3"],
    face: Int[Tensor, " pixels"],
    bary: Float[Tensor, "pixels 3"],
) -> Float[Tensor, "pixels channels"]:
    """Attributes of vertices at points on faces."""
    # Three products: a sum over so short an axis takes several times as long.
    a, b, c = attributes[faces].index_select(0, face).unbind(dim=-2)
    u, v, w = bary[..., None].to(a).unbind(dim=-2)
    return a * u + b * v + c * w


def smooth_normals(
    vertices: Float[Tensor, "*batch verts 3"], faces: Int[Tensor, "faces 3"]
) -> Float[Tensor, "*batch verts 3"]:
    """Area-weighted unit vertex normals; an isolated vertex gets zeros."""
    a, b, c = (vertices[..., faces[:, corner], :] for corner in range(3))
    cross = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(-2, faces[:, corner], cross)
    return torch.nn.functional.normalize(total, dim=-1, eps=1e-30)
