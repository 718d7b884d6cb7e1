"""The analytic Jacobians against finite differences, and J^T H J against the dense product."""

from functools import lru_cache

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from core_models import asm, block_direction, coarse_asm, random_state
from helpers import directional_difference
from torch import Tensor

from rigface.models import asm_jacobian
from rigface.models.asm import AsmModel
from rigface.models.face_model import VertexJacobian
from rigface.models.posed import POSE, PosedJacobian, PosedModel

BLOCKS = ("rotation", "translation", "log_scale", "zeta", "log_pi", "mu", "chol", "expression")
STATES = {"zero rotation": 0.0, "random": 1.0, "large rotations": 30.0}


@lru_cache(maxsize=4)
def posed_model() -> PosedModel:
    return PosedModel.build(coarse_asm(2, expressions=True))


@lru_cache(maxsize=4)
def state_named(state: str) -> Tensor:
    """A posed ASM; the pose turns with the bones."""
    model = posed_model()
    x = random_state(model, sigmas=0.3, seed=5)
    for name in ("rotation", "pose_rotation"):
        x[model.table.slices[name]] *= STATES[state]
    return x


@lru_cache(maxsize=4)
def jacobian_at(state: str) -> PosedJacobian:
    return posed_model().linearize(state_named(state))


@lru_cache(maxsize=1)
def dense_inner() -> Tensor:
    return coarse_asm(2, expressions=True).linearize(state_named("random")[POSE.size :]).dense()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", [*POSE.slices, *BLOCKS])
def test_every_block_agrees_with_finite_differences(name, state):
    direction = block_direction(posed_model(), name)
    expected = directional_difference(posed_model().vertices, state_named(state), direction)
    actual = jacobian_at(state).jvp(direction)
    size = float(expected.abs().max())
    assert size > 1e-6
    assert float((actual - expected).abs().max()) < 1e-6 * size + 1e-10


@pytest.mark.parametrize("state", STATES)
def test_vjp_is_the_adjoint_of_jvp(state):
    generator = torch.Generator().manual_seed(1)
    verts = len(coarse_asm(2).template)
    pull = torch.randn(2, verts, 3, generator=generator, dtype=torch.float64)
    gradient = jacobian_at(state).vjp(pull)
    for name in (*POSE.slices, *BLOCKS):
        direction = block_direction(posed_model(), name, seed=2)
        expected = (pull * jacobian_at(state).jvp(direction)).sum((-1, -2))
        torch.testing.assert_close(gradient @ direction, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("state", STATES)
def test_vjp_equals_autograd(state):
    leaf = state_named(state).clone().requires_grad_()
    pull = torch.randn(
        len(coarse_asm(2).template),
        3,
        generator=torch.Generator().manual_seed(2),
        dtype=torch.float64,
    )
    (expected,) = torch.autograd.grad((posed_model().vertices(leaf) * pull).sum(), leaf)
    actual = jacobian_at(state).vjp(pull)
    for name, run in posed_model().table.slices.items():
        size = float(expected[run].abs().max())
        error = float((actual[run] - expected[run]).abs().max())
        assert error < 1e-9 * size, f"{name}: {error:.1e} of {size:.1e}"


def test_dense_is_the_matrix_of_jvp_and_vjp():
    dense, model = dense_inner(), coarse_asm(2, expressions=True)
    jacobian = model.linearize(state_named("random")[POSE.size :])
    assert isinstance(jacobian, VertexJacobian)
    step = random_state(model, seed=7)
    torch.testing.assert_close(jacobian.jvp(step), dense @ step, atol=1e-13, rtol=0)
    pull = torch.randn_like(jacobian.vertices)
    expected = torch.einsum("vc,vcp->p", pull, dense)
    torch.testing.assert_close(jacobian.vjp(pull), expected, rtol=1e-9, atol=1e-9)


def vertices_equal_the_model_s(state: str) -> None:
    expected = posed_model().vertices(state_named(state))
    torch.testing.assert_close(jacobian_at(state).vertices, expected, atol=1e-14, rtol=0)


@pytest.mark.parametrize("state", STATES)
def test_linearize_holds_the_vertices(state):
    vertices_equal_the_model_s(state)


def neighbour_hessian() -> sp.bsr_matrix:
    """A positive semi-definite matrix that couples neighbours on the mesh, as real terms do."""
    model, rng = coarse_asm(2), np.random.default_rng(0)
    faces = model.faces.numpy()
    count = len(faces)
    rows = np.repeat(np.arange(count), 9)
    columns = (3 * faces[:, :, None] + np.arange(3)).reshape(-1)
    shape = (count, 3 * len(model.template))
    half = sp.csr_matrix((rng.standard_normal(9 * count), (rows, columns)), shape=shape)
    return (half.T @ half + sp.identity(shape[1])).tobsr((3, 3))


def relative_to_diagonal(actual: Tensor, expected: Tensor) -> float:
    """Largest entry error over the root of the two diagonal entries it couples."""
    size = expected.diagonal().clamp_min(0).sqrt()
    size = size.clamp_min(1e-4 * float(size.max()))
    return float(((actual - expected).abs() / (size[:, None] * size)).max())


def test_gauss_newton_is_the_dense_product(monkeypatch):
    """Without the floor on influences, up to single precision."""
    monkeypatch.setattr(asm_jacobian, "_WEIGHT_FLOOR", -1.0)
    model = coarse_asm(2, expressions=True)
    hessian = neighbour_hessian()
    dense = dense_inner().reshape(-1, model.table.size).numpy()
    expected = torch.from_numpy(dense.T @ (hessian @ dense))
    jacobian = model.linearize(state_named("random")[POSE.size :])
    actual = jacobian.gauss_newton(hessian)
    assert actual.dtype == torch.float64
    assert relative_to_diagonal(actual, expected) < 2e-5
    whole = torch.from_numpy(np.concatenate([dense_pose(), posed_columns()], axis=1))
    outer = jacobian_at("random").gauss_newton(hessian)
    product = torch.from_numpy(np.asarray(hessian @ whole.numpy()))
    assert relative_to_diagonal(outer, whole.T @ product) < 2e-5


def dense_pose() -> np.ndarray:
    """Columns of the pose, one jvp each."""
    size = posed_model().table.size
    columns = [
        jacobian_at("random").jvp(torch.eye(size, dtype=torch.float64)[i]).reshape(-1)
        for i in range(POSE.size)
    ]
    return torch.stack(columns, dim=1).numpy()


def posed_columns() -> np.ndarray:
    """Columns of the inner model, turned and scaled into the world."""
    linear, _ = posed_model().similarity(state_named("random"))
    return (
        torch.einsum("rc,vcp->vrp", linear, dense_inner())
        .reshape(-1, dense_inner().shape[2])
        .numpy()
    )


def test_with_the_floor_it_still_shapes_the_step():
    """Influences below the floor are left out: a small change of J^T H J as a whole."""
    model = coarse_asm(2)
    x = random_state(model, sigmas=0.3, seed=5)
    jacobian, hessian = model.linearize(x), neighbour_hessian()
    dense = jacobian.dense().reshape(-1, model.table.size).numpy()
    expected = torch.from_numpy(dense.T @ (hessian @ dense))
    actual = jacobian.gauss_newton(hessian)
    sigma = model.table.column("sigma")
    whiten = sigma[:, None] * sigma
    difference = torch.linalg.norm((actual - expected) * whiten)
    assert float(difference / torch.linalg.norm(expected * whiten)) < 1e-3
    torch.testing.assert_close(actual, actual.T)


@pytest.mark.parametrize("names", [tuple(POSE.slices), ("rotation", "log_scale"), ("mu",)])
def test_what_is_free_has_the_same_matrix_as_if_all_were(names):
    model, hessian, x = posed_model(), neighbour_hessian(), state_named("random")
    free = model.table.mask(names)
    whole = model.linearize(x).gauss_newton(hessian)
    part = model.linearize(x).gauss_newton(hessian, free)
    torch.testing.assert_close(part[free][:, free], whole[free][:, free], rtol=1e-4, atol=1e-6)
    assert float(whole[free][:, free].abs().max()) > 0.1


def test_a_few_free_bones_have_the_same_matrix_as_if_all_were():
    model, hessian, x = posed_model(), neighbour_hessian(), state_named("random")
    near = torch.zeros(len(model.vertices(x)), dtype=torch.bool)
    near[:3] = True
    free = torch.zeros(model.table.size, dtype=torch.bool)
    assert isinstance(model.inner, AsmModel)
    free[POSE.size :] = model.inner.acting_on(x[POSE.size :], near, 0.3)
    assert 0 < int(free.sum()) < len(free) / 2
    whole = model.linearize(x).gauss_newton(hessian)
    part = model.linearize(x).gauss_newton(hessian, free)
    torch.testing.assert_close(part[free][:, free], whole[free][:, free], rtol=1e-4, atol=1e-6)


def test_the_shipped_head_has_the_gradient_of_autograd():
    model = asm(2)
    x = random_state(model, sigmas=0.5, seed=8)
    pull = torch.randn_like(model.template)
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad((model.vertices(leaf) * pull).sum(), leaf)
    actual = model.linearize(x).vjp(pull)
    for name, run in model.table.slices.items():
        size = float(expected[run].abs().max())
        error = float((actual[run] - expected[run]).abs().max())
        assert error < 1e-9 * size, f"{name}: {error:.1e} of {size:.1e}"


def test_pose_turns_and_scales_about_its_centre():
    model = posed_model()
    x = model.table.zeros()
    x[:3] = torch.tensor([0.3, -0.8, 0.5])
    x[POSE.slices["pose_log_scale"]] = 0.7
    linear, translation = model.similarity(x)
    torch.testing.assert_close(linear @ model.centre + translation, model.centre)
    x[3:6] = torch.tensor([0.1, 0.2, 0.3])
    linear, translation = model.similarity(x)
    expected = model.inner.vertices(x[POSE.size :]) @ linear.T + translation
    torch.testing.assert_close(model.vertices(x), expected)
    assert float(torch.linalg.det(linear)) == pytest.approx(np.exp(3 * 0.7))


def test_posed_batches_equal_items_alone():
    model = posed_model()
    x = random_state(model, 2, 1, sigmas=0.3)
    torch.testing.assert_close(model.vertices(x)[1, 0], model.vertices(x[1, 0]))
