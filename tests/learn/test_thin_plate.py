"""The extension meets what is known and carries affine motion."""

import numpy as np

from rigface.learn.thin_plate import ThinPlate


def test_known_places_and_affine_motions_are_exact():
    rng = np.random.default_rng(0)
    known, asked = rng.normal(size=(60, 3)) * 0.1, rng.normal(size=(20, 3)) * 0.1
    moved = rng.normal(size=(2, 60, 3))
    np.testing.assert_allclose(ThinPlate.between(known, known).carry(moved), moved, atol=1e-6)
    matrix, shift = rng.normal(size=(3, 3)), rng.normal(size=3)
    carried = ThinPlate.between(known, asked).carry(known @ matrix + shift)
    np.testing.assert_allclose(carried, asked @ matrix + shift, atol=1e-6)


def test_touching_points_do_not_break_it():
    known = np.random.default_rng(1).normal(size=(30, 3))
    known[1] = known[0]
    assert np.isfinite(ThinPlate.between(known, known[:5] + 0.1).weights).all()
