"""What a change of one joint's nine numbers (r, t, log s) does to everything below that joint."""

import torch
from jaxtyping import Float
from torch import Tensor

from rigface.geometry.rotations import rotation_derivatives, rotation_from_vector


def joint_motion_rows(
    rotation: Float[Tensor, "*batch joints 3"],
    log_scale: Float[Tensor, "*batch joints 3"],
    world_from_joint: Float[Tensor, "*batch joints 4 4"],
    parents: tuple[int, ...],
) -> Float[Tensor, "*batch joints 9 3 4"]:
    """dM_j M_j^-1 for the nine entries of tau_j = (r, t, log s), top three rows.

    M_j = M_p B_p^-1 B_j M(tau_j) with M(tau) = [R(r) diag(s) | t] and parallel bind axes, so a
    translation acts along the axes of the parent.
    """
    above = [max(p, 0) for p in parents]
    parent_world = world_from_joint[..., above, :, :].clone()
    roots = [j for j, p in enumerate(parents) if p < 0]
    parent_world[..., roots, :, :] = torch.eye(4, dtype=rotation.dtype, device=rotation.device)
    scale = log_scale.exp()
    turned = rotation_from_vector(rotation)
    inner = rotation.new_zeros(*rotation.shape[:-1], 9, 4, 4)
    inner[..., 0:3, :3, :3] = rotation_derivatives(rotation) * scale[..., None, None, :]
    for axis in range(3):
        inner[..., 3 + axis, axis, 3] = 1.0
        inner[..., 6 + axis, :3, axis] = turned[..., :, axis] * scale[..., axis, None]
    chained = parent_world[..., None, :, :] @ inner
    return (chained @ torch.linalg.inv(world_from_joint)[..., None, :, :])[..., :3, :]
