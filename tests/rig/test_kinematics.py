"""Joint chains against a product of matrices written out joint by joint."""

import pytest
import torch
from helpers import assert_derivative

from rigface.geometry.rotations import rotation_from_vector
from rigface.rig.kinematics import affine, fronts, subtree_matrix, world_from_local

PARENTS = (-1, 0, 1, 1, 0, 4, -1, 6)


def some_local(*batch: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (*batch, len(PARENTS), 3)
    vector, shift, scale = torch.randn((3, *shape), generator=generator, dtype=torch.float64)
    return affine(rotation_from_vector(vector) * scale.exp()[..., None, :], shift)


def test_fronts_group_by_depth():
    assert fronts(PARENTS) == ((0, 6), (1, 4, 7), (2, 3, 5))


@pytest.mark.parametrize("parents", [(-1, 2, 0), (0,), (1, -1)])
def test_a_child_before_its_parent_is_refused(parents):
    with pytest.raises(ValueError, match="comes before its parent"):
        fronts(parents)


def test_subtree_holds_descendants_and_oneself():
    expected = torch.eye(8, dtype=torch.float64)
    expected[0, :6] = 1
    expected[1, 2:4] = 1
    expected[4, 5] = 1
    expected[6, 7] = 1
    torch.testing.assert_close(subtree_matrix(PARENTS), expected)


def test_world_is_the_product_up_to_the_root():
    local = some_local()
    world = world_from_local(local, PARENTS)
    for joint in range(len(PARENTS)):
        expected, ancestor = torch.eye(4, dtype=torch.float64), joint
        while ancestor >= 0:
            expected = local[ancestor] @ expected
            ancestor = PARENTS[ancestor]
        torch.testing.assert_close(world[joint], expected)


@pytest.mark.parametrize("batch", [(1,), (3,), (2, 3)])
def test_items_of_a_batch_equal_items_alone(batch):
    local = some_local(*batch)
    world = world_from_local(local, PARENTS).reshape(-1, 8, 4, 4)
    for i, one in enumerate(local.reshape(-1, 8, 4, 4)):
        torch.testing.assert_close(world[i], world_from_local(one, PARENTS))


def test_derivative_of_the_chain():
    local = some_local(seed=1)

    def jvp(direction: torch.Tensor) -> torch.Tensor:
        _, tangent = torch.autograd.functional.jvp(
            lambda m: world_from_local(m, PARENTS), local, direction
        )
        assert isinstance(tangent, torch.Tensor)
        return tangent

    assert_derivative(lambda m: world_from_local(m, PARENTS), local, jvp)


def test_affine_has_the_usual_last_row():
    linear = torch.arange(9.0).reshape(3, 3)
    expected = torch.tensor([[0.0, 1, 2, 7], [3, 4, 5, 8], [6, 7, 8, 9], [0, 0, 0, 1]])
    torch.testing.assert_close(affine(linear, torch.tensor([7.0, 8, 9])), expected)
