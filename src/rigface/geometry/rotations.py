"""Rotation vectors, matrices and quaternions (wxyz), with derivatives that are exact at zero."""

import torch
from jaxtyping import Float
from torch import Tensor


def skew(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Cross-product matrix: skew(a) @ b = a x b."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return torch.stack(rows, dim=-1).reshape(*vector.shape[:-1], 3, 3)


def rotation_from_vector(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rodrigues: rotation by |vector| radians about it; smooth through zero."""
    k = skew(vector)
    sin_ratio, cos_ratio = _rodrigues_ratios((vector * vector).sum(-1))
    eye = torch.eye(3, dtype=vector.dtype, device=vector.device)
    return eye + sin_ratio[..., None, None] * k + cos_ratio[..., None, None] * (k @ k)


def left_jacobian(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """J with exp(vector + d) = exp(J d) exp(vector) to first order in d."""
    k = skew(vector)
    square = (vector * vector).sum(-1)
    _, cos_ratio = _rodrigues_ratios(square)
    third = _third_ratio(square)
    eye = torch.eye(3, dtype=vector.dtype, device=vector.device)
    return eye + cos_ratio[..., None, None] * k + third[..., None, None] * (k @ k)


def rotation_derivatives(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3 3"]:
    """dR/dvector; the first of the three trailing axes is the component of the vector."""
    rotation = rotation_from_vector(vector)
    columns = left_jacobian(vector).transpose(-1, -2)
    return skew(columns) @ rotation[..., None, :, :]


def vector_from_rotation(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Rotation vector of length at most pi."""
    quaternion = quaternion_from_rotation(rotation)
    imaginary = quaternion[..., 1:]
    sine = imaginary.norm(dim=-1)
    angle = 2 * torch.atan2(sine, quaternion[..., 0])
    factor = torch.where(sine > 1e-12, angle / sine.clamp_min(1e-300), 2.0)
    return imaginary * factor[..., None]


def quaternion_from_rotation(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion wxyz with w >= 0."""
    r = rotation
    diagonal = r.diagonal(dim1=-2, dim2=-1)
    trace = diagonal.sum(-1, keepdim=True)
    squares = torch.cat([trace, 2 * diagonal - trace], dim=-1) + 1.0
    magnitude = 0.5 * squares.clamp_min(0).sqrt()
    products = torch.stack(
        [
            torch.stack([squares[..., 0], _off(r, 2, 1), _off(r, 0, 2), _off(r, 1, 0)], -1),
            torch.stack([_off(r, 2, 1), squares[..., 1], _sum(r, 0, 1), _sum(r, 0, 2)], -1),
            torch.stack([_off(r, 0, 2), _sum(r, 0, 1), squares[..., 2], _sum(r, 1, 2)], -1),
            torch.stack([_off(r, 1, 0), _sum(r, 0, 2), _sum(r, 1, 2), squares[..., 3]], -1),
        ],
        dim=-2,
    )
    best = magnitude.argmax(-1)
    row = torch.take_along_dim(products, best[..., None, None].expand(*best.shape, 1, 4), -2)
    quaternion = torch.nn.functional.normalize(row[..., 0, :], dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def rotation_from_quaternion(
    quaternion: Float[Tensor, "*batch 4"],
) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix of a quaternion wxyz, normalised first."""
    w, x, y, z = torch.nn.functional.normalize(quaternion, dim=-1).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z),
        2 * (x * y - w * z),
        2 * (x * z + w * y),
        2 * (x * y + w * z),
        1 - 2 * (x * x + z * z),
        2 * (y * z - w * x),
        2 * (x * z - w * y),
        2 * (y * z + w * x),
        1 - 2 * (x * x + y * y),
    ]
    return torch.stack(rows, dim=-1).reshape(*quaternion.shape[:-1], 3, 3)


def _rodrigues_ratios(square: Tensor) -> tuple[Tensor, Tensor]:
    """sin(a)/a and (1 - cos(a))/a^2; series below 1e-2 keep values and gradients exact."""
    small = square < 1e-4
    safe = torch.where(small, torch.ones_like(square), square)
    angle = safe.sqrt()
    sin_ratio = torch.where(small, 1 - square / 6 + square**2 / 120, angle.sin() / angle)
    cos_ratio = torch.where(small, 0.5 - square / 24 + square**2 / 720, (1 - angle.cos()) / safe)
    return sin_ratio, cos_ratio


def _third_ratio(square: Tensor) -> Tensor:
    """(a - sin(a))/a^3."""
    small = square < 1e-4
    safe = torch.where(small, torch.ones_like(square), square)
    angle = safe.sqrt()
    series = 1 / 6 - square / 120 + square**2 / 5040
    return torch.where(small, series, (angle - angle.sin()) / (safe * angle))


def _off(r: Tensor, i: int, j: int) -> Tensor:
    return r[..., i, j] - r[..., j, i]


def _sum(r: Tensor, i: int, j: int) -> Tensor:
    return r[..., i, j] + r[..., j, i]
