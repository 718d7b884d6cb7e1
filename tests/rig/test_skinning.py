"""Skinning by hand, and the sparse operator against the dense formula."""

import pytest
import torch

from rigface.geometry.rotations import rotation_from_vector
from rigface.rig.kinematics import affine
from rigface.rig.skinning import SkinningOperator, skin_dense, top_influences

VERTS, JOINTS = 40, 6


@pytest.fixture
def scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Weights, transforms of a batch of three, rest vertices."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    weights = torch.softmax(2 * draw(VERTS, JOINTS), dim=-1)
    linear = rotation_from_vector(draw(3, JOINTS, 3)) * draw(3, JOINTS, 1, 3).exp()
    return weights, affine(linear, draw(3, JOINTS, 3)), draw(VERTS, 3)


def test_each_vertex_is_the_weighted_mean_of_its_images(scene):
    weights, transforms, vertices = scene
    posed = skin_dense(weights, transforms[0], vertices)
    expected = sum(
        weights[:, j, None] * (vertices @ transforms[0, j, :3, :3].T + transforms[0, j, :3, 3])
        for j in range(JOINTS)
    )
    torch.testing.assert_close(posed, expected)


def test_identity_transforms_leave_the_rest_shape(scene):
    weights, _, vertices = scene
    posed = skin_dense(weights, torch.eye(4).double().repeat(JOINTS, 1, 1), vertices)
    torch.testing.assert_close(posed, vertices)


def test_dense_batches_broadcast(scene):
    weights, transforms, vertices = scene
    batch = skin_dense(weights, transforms, vertices)
    for i in range(3):
        torch.testing.assert_close(batch[i], skin_dense(weights, transforms[i], vertices))


def every_influence(weights: torch.Tensor) -> torch.Tensor:
    return torch.arange(JOINTS).repeat(len(weights), 1)


@pytest.mark.parametrize("batch", [(), (3,), (1, 3)])
def test_operator_equals_the_dense_formula(scene, batch):
    weights, transforms, vertices = scene
    transforms = transforms[0] if batch == () else transforms.reshape(*batch, JOINTS, 4, 4)
    operator = SkinningOperator.build(every_influence(weights), weights, vertices, JOINTS)
    expected = skin_dense(weights, transforms, vertices)
    torch.testing.assert_close(operator(transforms), expected, atol=1e-13, rtol=0)


def test_operator_has_the_gradient_of_the_dense_formula(scene):
    weights, transforms, vertices = scene
    operator = SkinningOperator.build(every_influence(weights), weights, vertices, JOINTS)
    pull = torch.randn(3, VERTS, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    gradients = []
    for skin in (operator, lambda t: skin_dense(weights, t, vertices)):
        leaf = transforms.clone().requires_grad_()
        (gradient,) = torch.autograd.grad((skin(leaf) * pull).sum(), leaf)
        gradients.append(gradient)
    torch.testing.assert_close(*gradients, atol=1e-12, rtol=0)
    assert float(gradients[0].abs().max()) > 1.0


def test_operator_on_pruned_weights_equals_dense_on_pruned_weights(scene):
    weights, transforms, vertices = scene
    joints, kept = top_influences(weights, 4)
    pruned = torch.zeros_like(weights).scatter(1, joints, kept)
    operator = SkinningOperator.build(joints, kept, vertices, JOINTS)
    expected = skin_dense(pruned, transforms, vertices)
    torch.testing.assert_close(operator(transforms), expected, atol=1e-13, rtol=0)


def test_top_influences_are_the_largest_and_sum_to_one(scene):
    weights, _, _ = scene
    joints, kept = top_influences(weights, 4)
    torch.testing.assert_close(kept.sum(-1), torch.ones(VERTS).double())
    left = weights.clone().scatter_(1, joints, -1.0)
    assert (weights.gather(1, joints).min(-1).values >= left.max(-1).values).all()


def test_more_influences_than_joints_means_all(scene):
    weights, _, _ = scene
    joints, kept = top_influences(weights, 99)
    assert joints.shape == (VERTS, JOINTS)
    torch.testing.assert_close(kept, weights.gather(1, joints))
