"""JNR's Eq. 3 to 6: values by hand, derivatives by finite differences, both readings of 1/N."""

import numpy as np
import pytest
import scipy.sparse as sp

from rigface.terms.joint_limits import JointLimits, JointMagnitude
from rigface.terms.root_error import RootErrorTerm, umbrella_laplacian
from rigface.terms.term import ParameterTerm, VertexTerm

FACES = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
RNG = np.random.default_rng(0)
TARGETS = RNG.normal(size=(4, 3))
VERTICES = RNG.normal(size=(4, 3))
OPERATORS = {"vertices": None, "laplacian": umbrella_laplacian(FACES, 4)}


def difference(function, at: np.ndarray, direction: np.ndarray, step: float = 1e-6) -> float:
    return (function(at + step * direction) - function(at - step * direction)) / (2 * step)


def test_the_two_readings_differ_by_the_root_of_n():
    gap = np.linalg.norm(VERTICES - TARGETS)
    assert RootErrorTerm(TARGETS).energy(VERTICES) == pytest.approx(gap / np.sqrt(4))
    assert RootErrorTerm(TARGETS, reading="printed").energy(VERTICES) == pytest.approx(gap / 4)
    assert RootErrorTerm(TARGETS, unit=0.1).energy(VERTICES) == pytest.approx(10 * gap / 2)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("reading", ["rmse", "printed"])
def test_gradient_of_the_root_error(name, reading):
    term = RootErrorTerm(TARGETS, OPERATORS[name], reading, 0.1)
    assert isinstance(term, VertexTerm)
    direction = RNG.normal(size=(4, 3))
    expected = difference(term.energy, VERTICES, direction)
    assert float((term.gradient(VERTICES) * direction).sum()) == pytest.approx(expected, rel=1e-6)
    assert np.abs(term.gradient(TARGETS)).max() == 0.0


@pytest.mark.parametrize("name", OPERATORS)
def test_its_quadratic_touches_from_above(name):
    term = RootErrorTerm(TARGETS, OPERATORS[name])
    model = term.quadratic(VERTICES)
    for _ in range(20):
        step = RNG.normal(size=12)
        bound = model.energy + model.gradient.ravel() @ step + 0.5 * step @ (model.hessian @ step)
        assert term.energy(VERTICES + step.reshape(4, 3)) <= bound + 1e-12


def test_the_umbrella_is_zero_on_constants_and_knows_the_topology():
    laplacian = umbrella_laplacian(FACES, 4)
    assert sp.issparse(laplacian)
    assert np.abs(laplacian @ np.ones(4)).max() < 1e-15
    np.testing.assert_allclose(laplacian.toarray()[0], [1, -1 / 3, -1 / 3, -1 / 3])


def joint_terms() -> tuple[JointMagnitude, JointLimits]:
    count = np.array([2.0, 1.0, 2.0, 0.0]) / 52
    unit, scale = np.array([1.0, 0.1, 1.0, 1.0]), np.array([False, False, True, False])
    low, high = np.full(4, -0.2), np.full(4, 0.3)
    return JointMagnitude(count, unit, scale), JointLimits(count, unit, low, high)


def test_joint_terms_by_hand():
    magnitude, limits = joint_terms()
    x = np.array([0.5, -0.05, np.log(2), 9.0])
    assert magnitude.energy(x) == pytest.approx((2 * 0.5 + 0.5 + 2 * 1.0) / 52)
    assert limits.energy(x) == pytest.approx((2 * 0.2 + 0.0 + 2 * (np.log(2) - 0.3)) / 52)
    assert limits.energy(np.zeros(4)) == 0.0


@pytest.mark.parametrize("which", [0, 1])
def test_joint_terms_by_finite_differences(which):
    term = joint_terms()[which]
    assert isinstance(term, ParameterTerm)
    x, direction = np.array([0.5, -0.25, -0.4, 1.0]), RNG.normal(size=4)
    expected = difference(term.energy, x, direction)
    assert float(term.gradient(x) @ direction) == pytest.approx(expected, rel=1e-6)
    assert (term.curvature(x) >= 0).all()
