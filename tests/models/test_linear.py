"""The linear 3DMM: values, derivatives, its place as a face model."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from rigface.models.face_model import FaceModel, VertexJacobian
from rigface.models.linear import LinearModel
from rigface.rig.template_io import load_template


@pytest.fixture(scope="module")
def small() -> LinearModel:
    rng = np.random.default_rng(0)
    return LinearModel.build(
        "toy",
        rng.standard_normal((5, 3)),
        np.array([[0, 1, 2], [2, 3, 4]]),
        rng.standard_normal((4, 5, 3)),
        rng.standard_normal((2, 5, 3)),
    )


def test_zero_is_the_mean_and_modes_add_up(small):
    assert torch.equal(small.vertices(small.table.zeros()), small.mean)
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    expected = small.mean + torch.einsum("abk,kvc->abvc", x, small.basis)
    torch.testing.assert_close(small.vertices(x), expected)


def test_expressions_are_bounded_and_identity_is_not(small):
    assert small.table.column("lower").tolist() == [-float("inf")] * 4 + [0.0] * 2
    assert small.table.column("upper").tolist() == [float("inf")] * 4 + [1.0] * 2


def test_it_is_a_face_model_with_a_jacobian(small):
    assert isinstance(small, FaceModel)
    assert isinstance(small.linearize(small.table.zeros()), VertexJacobian)


def test_jacobian_products_agree_with_autograd(small):
    x, d = torch.randn(2, 6, dtype=torch.float64)
    jacobian = small.linearize(x)
    dense = torch.autograd.functional.jacobian(small.vertices, x).reshape(15, 6)
    torch.testing.assert_close(jacobian.vertices, small.vertices(x))
    torch.testing.assert_close(jacobian.jvp(d).reshape(-1), dense @ d)
    pull = torch.randn(2, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(jacobian.vjp(pull), pull.flatten(1) @ dense)
    half = np.random.default_rng(1).standard_normal((15, 15))
    hessian = sp.bsr_matrix(half @ half.T, blocksize=(3, 3))
    expected = dense.T @ torch.from_numpy(half @ half.T) @ dense
    torch.testing.assert_close(jacobian.gauss_newton(hessian), expected)


def test_template_population_has_orthogonal_modes_about_the_template():
    template = load_template()
    model = LinearModel.of_template(template)
    skin = template.parts["skin"]
    assert model.table.size == len(template.shape_modes)
    mean = template.mesh.vertices[skin.vertices] + template.shape_mean[skin.vertices]
    np.testing.assert_array_equal(model.mean.numpy(), mean)
    assert model.faces.max() < len(mean)


def test_points_are_means_of_vertices_with_their_derivative():
    model = LinearModel.of_template(load_template())
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(model.table.size, generator=generator, dtype=torch.float64)
    rng = np.random.default_rng(0)
    corners = model.faces.numpy()[rng.integers(0, len(model.faces), 20)]
    bary = rng.dirichlet(np.ones(3), 20)
    places, motion = model.points(x, corners, bary)
    share = torch.from_numpy(bary)[..., None]
    expected = (model.vertices(x)[torch.from_numpy(corners)] * share).sum(dim=1)
    torch.testing.assert_close(places, expected)
    step = torch.randn(model.table.size, generator=generator, dtype=torch.float64)
    moved, _ = model.points(x + step, corners, bary)
    torch.testing.assert_close(places + motion @ step, moved)
