"""An earlier factor solves later systems as well, and says when it no longer does."""

import numpy as np
import pytest
import scipy.sparse as sp

from rigface.solve.reused_factor import ReusedFactor


def test_a_factor_of_before_solves_the_next_system_too():
    rng = np.random.default_rng(0)
    spring = sp.diags([2.0 + rng.random(300), -np.ones(299), -np.ones(299)], [0, 1, -1])
    first = sp.csr_matrix(spring)
    second = sp.csr_matrix(first + sp.diags(0.3 * rng.random(300)))
    right = rng.standard_normal(300)
    solver = ReusedFactor()
    np.testing.assert_allclose(first @ solver.solve(first, right), right, atol=1e-4)
    np.testing.assert_allclose(second @ solver.solve(second, right), right, atol=2e-3)
    assert solver.factored == 1
    far = sp.csr_matrix(first * 1e3 + sp.diags(1e6 * rng.random(300)))
    np.testing.assert_allclose(far @ solver.solve(far, right), right, atol=2e-3)
    assert solver.factored == 2


def test_several_right_hand_sides_are_solved_at_once():
    rng = np.random.default_rng(1)
    matrix = sp.csr_matrix(sp.diags([3.0 + rng.random(80), -np.ones(79), -np.ones(79)], [0, 1, -1]))
    right = rng.standard_normal((80, 3))
    right[:, 1] = 0.0
    solver = ReusedFactor(tolerance=1e-12, most=60)
    solver.solve(matrix, right)
    nearby = matrix + sp.identity(80)
    found = solver.solve(nearby, right)
    assert solver.factored == 1
    np.testing.assert_allclose(nearby @ found, right, atol=1e-10)
    for column in range(3):
        alone = solver.solve(nearby, right[:, column])
        np.testing.assert_allclose(alone, found[:, column], atol=1e-10)


def test_a_singular_system_is_an_error():
    with pytest.raises(RuntimeError):
        ReusedFactor().solve(sp.csr_matrix((4, 4)), np.ones(4))
