"""Similarities: group laws, and the least-squares alignment of points."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rigface.geometry.similarity import Similarity, align_points


def some(seed: int) -> Similarity:
    rng = np.random.default_rng(seed)
    rotation = Rotation.random(random_state=seed).as_matrix()
    return Similarity(float(rng.uniform(0.1, 9)), rotation, rng.standard_normal(3))


def test_product_applies_the_right_one_first(rng):
    a_from_b, b_from_c = some(1), some(2)
    points = rng.standard_normal((2, 5, 3))
    expected = a_from_b.apply(b_from_c.apply(points))
    np.testing.assert_allclose((a_from_b @ b_from_c).apply(points), expected, atol=1e-12)
    np.testing.assert_allclose(
        (a_from_b @ b_from_c).matrix(), a_from_b.matrix() @ b_from_c.matrix(), atol=1e-12
    )


def test_inverse_undoes_and_identity_does_nothing(rng):
    points = rng.standard_normal((5, 3))
    similarity = some(3)
    np.testing.assert_allclose(similarity.inverse().apply(similarity.apply(points)), points)
    np.testing.assert_array_equal(Similarity.identity().apply(points), points)


def test_directions_turn_without_scale(rng):
    similarity, points = some(4), rng.standard_normal((5, 3))
    turned = similarity.rotate(points)
    np.testing.assert_allclose(
        np.linalg.norm(turned, axis=1), np.linalg.norm(points, axis=1), atol=1e-12
    )
    moved = similarity.apply(points) - similarity.apply(np.zeros(3))
    np.testing.assert_allclose(similarity.scale * turned, moved, atol=1e-12)


def test_alignment_recovers_a_similarity(rng):
    truth, points = some(5), rng.standard_normal((30, 3))
    found = align_points(points, truth.apply(points))
    np.testing.assert_allclose(found.matrix(), truth.matrix(), atol=1e-12)


def test_alignment_without_scale_keeps_the_size(rng):
    truth = Similarity(1.0, some(6).rotation, np.array([1.0, 2.0, 3.0]))
    points = rng.standard_normal((30, 3))
    found = align_points(points, 2.0 * truth.apply(points), with_scale=False)
    assert found.scale == 1.0
    np.testing.assert_allclose(found.rotation, truth.rotation, atol=1e-12)


def test_alignment_ignores_points_without_weight(rng):
    truth, points = some(7), rng.standard_normal((30, 3))
    goal = truth.apply(points)
    goal[:5] += 100.0
    weights = np.ones(30)
    weights[:5] = 0.0
    np.testing.assert_allclose(
        align_points(points, goal, weights).matrix(), truth.matrix(), atol=1e-11
    )


def test_alignment_is_the_least_squares_optimum(rng):
    points = rng.standard_normal((30, 3))
    goal = some(8).apply(points) + 0.3 * rng.standard_normal((30, 3))
    found = align_points(points, goal)
    least = ((found.apply(points) - goal) ** 2).sum()
    for seed in range(50):
        small = np.random.default_rng(seed).standard_normal(7) * 1e-3
        other = Similarity(
            found.scale * float(np.exp(small[0])),
            Rotation.from_rotvec(small[1:4]).as_matrix() @ found.rotation,
            found.translation + small[4:],
        )
        assert ((other.apply(points) - goal) ** 2).sum() > least


def test_alignment_never_reflects(rng):
    points = rng.standard_normal((30, 3))
    found = align_points(points, points * [-1.0, 1.0, 1.0])
    assert np.linalg.det(found.rotation) == pytest.approx(1.0)


def test_alignment_in_a_plane_is_still_a_rotation(rng):
    points = rng.standard_normal((30, 3)) * [1.0, 1.0, 0.0]
    truth = some(9)
    found = align_points(points, truth.apply(points))
    np.testing.assert_allclose(found.matrix(), truth.matrix(), atol=1e-12)


def test_two_points_are_too_few():
    with pytest.raises(ValueError, match="at least 3 point pairs, got 2"):
        align_points(np.zeros((2, 3)), np.zeros((2, 3)))
