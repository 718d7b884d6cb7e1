"""A distortion table and its inverse undo each other; none at the centre, the last one outside."""

import numpy as np
import pytest

from rigface.cameras.lens import RadialTable, farthest_corner

TABLE = RadialTable(np.array([158.0, 121.0]), 201.0, np.array([0.0, -0.002, 0.004, 0.02]))


def test_round_trip(rng):
    pixels = rng.uniform(0, 320, (500, 2))
    np.testing.assert_allclose(TABLE.straight(TABLE.seen(pixels)), pixels, atol=1e-9)
    np.testing.assert_allclose(TABLE.seen(TABLE.straight(pixels)), pixels, atol=1e-9)


def test_the_table_is_read_along_the_radius():
    centre = TABLE.centre
    at = centre + [[0.0, 0.0], [67.0, 0.0], [0.0, -100.5], [400.0, 0.0]]
    factor = np.array([1.0, 0.998, 1 + 0.5 * (-0.002 + 0.004), 1.02])[:, None]
    np.testing.assert_allclose(TABLE.straight(at), centre + factor * (at - centre))


def test_another_size_of_the_picture(rng):
    pixels = rng.uniform(0, 320, (20, 2))
    np.testing.assert_allclose(TABLE.scaled(2.0).straight(2 * pixels), 2 * TABLE.straight(pixels))


def test_farthest_corner():
    assert farthest_corner(np.array([0.0, 0.0]), (3.0, 4.0)) == pytest.approx(5.0)
    assert farthest_corner(np.array([3.0, 4.0]), (3.0, 4.0)) == pytest.approx(5.0)
