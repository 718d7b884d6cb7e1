import numpy as np
import pytest

from rigface.geometry.similarity import Similarity
from rigface.metrics.spread import vertex_spread

TURN = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
TURN = TURN * np.sign(np.linalg.det(TURN))


def test_moved_copies_have_no_spread(rng):
    points = rng.normal(size=(40, 3))
    every = np.ones(40, bool)
    away = Similarity(1.0, TURN, np.ones(3)).apply(points)
    assert vertex_spread(np.stack([points, away, points + 2]), every).max() < 1e-9


def test_one_vertex_that_moves_shows_its_deviation(rng):
    points = rng.normal(size=(4000, 3))
    other = points.copy()
    points[7, 0] += 0.001
    other[7, 0] -= 0.001
    spread = vertex_spread(np.stack([points, other]), np.ones(4000, bool))
    assert spread[7] == pytest.approx(1.0, rel=0.01)
    assert np.median(spread) < 1e-3


def test_size_counts_unless_it_is_set_aside(rng):
    points = rng.normal(size=(40, 3))
    every = np.ones(40, bool)
    shapes = np.stack([points, 1.1 * points])
    assert vertex_spread(shapes, every).mean() > 10
    assert vertex_spread(shapes, every, with_scale=True).max() < 1e-6


def test_vertices_that_do_not_count_are_not_looked_at(rng):
    points = rng.normal(size=(40, 3))
    other = points.copy()
    other[0] += 1.0
    counted = np.arange(40) > 0
    assert vertex_spread(np.stack([points, other]), counted).max() < 1e-9


def test_one_shape_has_no_spread():
    with pytest.raises(ValueError, match="at least 2"):
        vertex_spread(np.zeros((1, 4, 3)), np.ones(4, bool))
