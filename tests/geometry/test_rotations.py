"""Rotations against scipy, and their derivatives against finite differences and autograd."""

import numpy as np
import pytest
import torch
from helpers import assert_derivative
from scipy.spatial.transform import Rotation

from rigface.geometry.rotations import (
    left_jacobian,
    quaternion_from_rotation,
    rotation_derivatives,
    rotation_from_quaternion,
    rotation_from_vector,
    skew,
    vector_from_rotation,
)

# Zero, the series, both sides of its border at 1e-2, ordinary, almost half and beyond a turn.
ANGLES = (0.0, 1e-9, 1e-3, 9.99e-3, 1.001e-2, 0.3, 2.0, np.pi - 1e-6, 5.0, 7.0)


def vectors(angle: float, count: int = 5) -> torch.Tensor:
    axes = np.random.default_rng(0).standard_normal((count, 3))
    return torch.from_numpy(angle * axes / np.linalg.norm(axes, axis=1, keepdims=True))


def test_skew_is_the_cross_product(rng):
    a, b = torch.from_numpy(rng.standard_normal((2, 7, 3)))
    product = (skew(a) @ b[..., None])[..., 0]
    torch.testing.assert_close(product, torch.linalg.cross(a, b))


@pytest.mark.parametrize("angle", ANGLES)
def test_rotation_from_vector_agrees_with_scipy(angle):
    vector = vectors(angle)
    expected = Rotation.from_rotvec(vector.numpy()).as_matrix()
    np.testing.assert_allclose(rotation_from_vector(vector).numpy(), expected, atol=1e-14)


@pytest.mark.parametrize("angle", ANGLES)
def test_rotation_derivatives_agree_with_finite_differences(angle):
    vector = vectors(angle, 1)[0]
    derivative = rotation_derivatives(vector)
    assert_derivative(
        rotation_from_vector, vector, lambda d: torch.einsum("krc,k->rc", derivative, d)
    )


@pytest.mark.parametrize("angle", ANGLES)
def test_autograd_agrees_with_the_analytic_derivative(angle):
    vector = vectors(angle, 1)[0]
    autograd = torch.autograd.functional.jacobian(rotation_from_vector, vector)
    expected = rotation_derivatives(vector).permute(1, 2, 0)
    torch.testing.assert_close(autograd, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("angle", ANGLES)
def test_left_jacobian_moves_the_exponential(angle):
    vector = vectors(angle, 1)[0]
    step = 1e-6 * torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64)
    moved = rotation_from_vector(left_jacobian(vector) @ step) @ rotation_from_vector(vector)
    torch.testing.assert_close(moved, rotation_from_vector(vector + step), atol=1e-11, rtol=0)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-3, 0.3, 2.0, np.pi - 1e-6])
def test_vector_and_rotation_round_trip_up_to_half_a_turn(angle):
    vector = vectors(angle)
    back = vector_from_rotation(rotation_from_vector(vector))
    # close to half a turn the sine that w holds is small, so digits are lost
    torch.testing.assert_close(back, vector, atol=1e-8, rtol=0)


def test_half_turns_come_back_as_the_same_rotation():
    half = rotation_from_vector(vectors(np.pi, 20))
    back = vector_from_rotation(half)
    torch.testing.assert_close(rotation_from_vector(back), half, atol=1e-7, rtol=0)
    torch.testing.assert_close(back.norm(dim=-1), torch.full((20,), np.pi).double())


def test_quaternions_agree_with_scipy_and_have_a_positive_real_part(rng):
    rotation = Rotation.random(200, random_state=0).as_matrix()
    quaternion = quaternion_from_rotation(torch.from_numpy(rotation)).numpy()
    expected = Rotation.from_matrix(rotation).as_quat(canonical=True)[:, [3, 0, 1, 2]]
    np.testing.assert_allclose(quaternion, expected, atol=1e-12)
    assert (quaternion[:, 0] >= 0).all()


def test_rotation_from_quaternion_normalises_its_input(rng):
    quaternion = torch.from_numpy(rng.standard_normal((4, 6, 4)))
    rotation = rotation_from_quaternion(quaternion)
    expected = Rotation.from_quat(quaternion.numpy().reshape(-1, 4)[:, [1, 2, 3, 0]]).as_matrix()
    np.testing.assert_allclose(rotation.numpy().reshape(-1, 3, 3), expected, atol=1e-14)
    torch.testing.assert_close(rotation, rotation_from_quaternion(3 * quaternion))


def test_single_precision_works_everywhere():
    vector = vectors(0.3).float()
    rotation = rotation_from_vector(vector)
    assert rotation.dtype == torch.float32
    torch.testing.assert_close(vector_from_rotation(rotation), vector, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        vector_from_rotation(torch.eye(3)[None]), torch.zeros(1, 3), atol=0, rtol=0
    )
