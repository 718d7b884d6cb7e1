"""Values of vertices at points on faces, those points, and smooth normals. Differentiable."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.cameras import Camera


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


def barycentrics(
    vertices: Float[Tensor, "verts 3"],
    faces: Int[Tensor, "faces 3"],
    camera: Camera,
    face: Int[Tensor, " pixels"],
    pixels: Float[Tensor, "pixels 2"],
) -> Float[Tensor, "pixels 3"]:
    """Perspective-correct coordinates of the points of given faces that are seen at given pixels.

    Differentiable with respect to the vertices: the inside part of a picture's derivative, whose
    other part are the contours (`render.silhouette`).
    """
    a, b, c = camera.to_camera(vertices)[faces[face]].unbind(dim=1)
    flat = (pixels - camera.centre) / camera.focal
    ray = torch.nn.functional.pad(flat, (0, 1), value=1.0)
    pairs = ((b, c), (c, a), (a, b))
    weights = torch.stack([(ray * torch.linalg.cross(*pair)).sum(dim=-1) for pair in pairs], dim=-1)
    return weights / weights.sum(dim=-1, keepdim=True)
