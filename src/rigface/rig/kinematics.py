"""Joint chains: local transforms to world transforms, level by level."""

import torch
from jaxtyping import Float
from torch import Tensor


def fronts(parents: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Joints grouped by depth, the root first; raises ValueError unless parents come first."""
    depth: list[int] = []
    for joint, parent in enumerate(parents):
        if parent >= joint:
            raise ValueError(f"joint {joint} comes before its parent {parent}")
        depth.append(0 if parent < 0 else depth[parent] + 1)
    levels = range(max(depth) + 1)
    return tuple(tuple(j for j, d in enumerate(depth) if d == level) for level in levels)


def subtree_matrix(parents: tuple[int, ...]) -> Float[Tensor, "joints joints"]:
    """S[a, d] = 1 where d is a or a descendant of a."""
    count = len(parents)
    subtree = torch.zeros(count, count, dtype=torch.float64)
    for joint in range(count):
        ancestor = joint
        while ancestor >= 0:
            subtree[ancestor, joint] = 1.0
            ancestor = parents[ancestor]
    return subtree


def world_from_local(
    local: Float[Tensor, "*batch joints 4 4"], parents: tuple[int, ...]
) -> Float[Tensor, "*batch joints 4 4"]:
    """Chain parent_from_joint transforms to world_from_joint (supplement Eq. 6)."""
    levels = fronts(parents)
    world = [local[..., list(levels[0]), :, :]]
    order = list(levels[0])
    for level in levels[1:]:
        parent_rows = [order.index(parents[joint]) for joint in level]
        known = torch.cat(world, dim=-3)
        world.append(known[..., parent_rows, :, :] @ local[..., list(level), :, :])
        order += level
    back = [order.index(joint) for joint in range(len(parents))]
    return torch.cat(world, dim=-3)[..., back, :, :]


def affine(
    linear: Float[Tensor, "*batch 3 3"], translation: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 4 4"]:
    """The 4x4 matrix [linear | translation]."""
    top = torch.cat([linear, translation[..., None]], dim=-1)
    bottom = torch.zeros_like(top[..., :1, :])
    bottom[..., 3] = 1.0
    return torch.cat([top, bottom], dim=-2)
