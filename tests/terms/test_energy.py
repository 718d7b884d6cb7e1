"""The sum of terms over a model: one energy, whichever way its derivatives are taken."""

import numpy as np
import pytest
import torch
from core_models import coarse_asm, random_state
from helpers import directional_difference
from torch import Tensor

from rigface.models.posed import PosedModel
from rigface.solve.problem import GradientProblem, Problem
from rigface.terms.energy import Energy
from rigface.terms.prior import ParameterPrior
from rigface.terms.robust import GemanMcClure
from rigface.terms.smoothness import DeformationEnergy, Stiffness
from rigface.terms.surface_points import SurfacePointTerm
from rigface.terms.term import ParameterTerm
from rigface.terms.vertex_targets import VertexTargetTerm

MM = 1e-3


@pytest.fixture(scope="module")
def energy() -> Energy:
    """Points, a plate, targets and a prior over a posed ASM with expressions."""
    inner = coarse_asm(2, expressions=True)
    model, rng = PosedModel.build(inner), np.random.default_rng(0)
    rest, faces = inner.template.numpy(), inner.faces.numpy()
    corners = faces[rng.integers(0, len(faces), 200)]
    bary = rng.dirichlet(np.ones(3), 200)
    normals = rng.standard_normal((200, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    goal = np.einsum("nc,ncd->nd", bary, rest[corners]) + 3 * MM * rng.standard_normal((200, 3))
    points = SurfacePointTerm(
        corners, bary, goal, normals, np.ones(200), MM, GemanMcClure(8.0), slide=0.1
    )
    plate = DeformationEnergy(rest, faces).term(Stiffness(1e-4, 1e-4, 1.0))
    pull = VertexTargetTerm(rest + MM, rng.uniform(0, 1, len(rest)), 5 * MM)
    size = model.table.size
    prior = ParameterPrior(rng.uniform(0, 3, size), 0.1 * rng.standard_normal(size))
    return Energy(model, [points, plate, pull], [prior])


@pytest.fixture(scope="module")
def state(energy) -> Tensor:
    return random_state(energy.model, sigmas=0.1, seed=1)


def test_gradient_agrees_with_finite_differences(energy, state):
    value, gradient = energy.value_and_gradient(state)
    assert value == pytest.approx(energy.energy(state), rel=1e-12)
    for seed in range(3):
        d = random_state(energy.model, sigmas=1.0, seed=seed + 10)
        slope = directional_difference(
            lambda x: torch.tensor(energy.energy(x), dtype=torch.float64), state, d
        )
        assert float(gradient @ d) == pytest.approx(float(slope), rel=1e-5)


def test_solvers_accept_it(energy):
    assert isinstance(energy, Problem)
    assert isinstance(energy, GradientProblem)


def test_quadratic_has_the_same_energy_and_gradient(energy, state):
    value, gradient = energy.value_and_gradient(state)
    model = energy.quadratic(state)
    assert model.energy == pytest.approx(value, rel=1e-12)
    for name, run in energy.model.table.slices.items():
        size = float(gradient[run].abs().max())
        error = float((model.gradient[run] - gradient[run]).abs().max())
        assert error < 1e-8 * size, f"{name}: {error:.1e} of {size:.1e}"


def test_matrix_predicts_the_energy_of_a_small_step_on_the_targets(energy, state):
    """With quadratic vertex terms Gauss-Newton differs from E by the model's curvature alone."""
    model = energy.quadratic(state)
    matrix = model.hessian
    torch.testing.assert_close(matrix, matrix.T)
    d = 1e-2 * random_state(energy.model, sigmas=1.0, seed=3)
    jacobian = energy.model.linearize(state)
    hessian = sum(t.quadratic(jacobian.vertices.numpy()).hessian for t in energy.vertex_terms[1:])
    hessian = hessian + energy.vertex_terms[0].quadratic(jacobian.vertices.numpy()).hessian
    moved = jacobian.jvp(d).numpy().ravel()
    prior = float(torch.from_numpy(energy.parameter_terms[0].curvature(state.numpy())) @ (d * d))
    expected = float(moved @ (hessian @ moved)) + prior
    assert float(d @ (matrix @ d)) == pytest.approx(expected, rel=5e-3)


def test_without_parameter_terms(energy, state):
    bare = Energy(energy.model, energy.vertex_terms)
    prior = energy.parameter_terms[0]
    assert bare.energy(state) + prior.energy(state.numpy()) == pytest.approx(energy.energy(state))


def test_prior_is_quadratic_about_its_mean():
    prior = ParameterPrior(np.array([1.0, 4.0]), np.array([0.5, -1.0]))
    assert isinstance(prior, ParameterTerm)
    x = np.array([1.5, 1.0])
    assert prior.energy(prior.mean) == 0
    assert prior.energy(x) == pytest.approx(0.5 * (1 + 4 * 4))
    np.testing.assert_allclose(prior.gradient(x), [1.0, 8.0])
    np.testing.assert_allclose(prior.curvature(x), [1.0, 4.0])
