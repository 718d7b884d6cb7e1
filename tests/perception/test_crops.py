"""Crops: coordinates there and back, and pixels where the coordinates say."""

import math

import numpy as np
import pytest

from rigface.perception.crops import Crop, Pyramid


def ramp(width: int, height: int) -> np.ndarray:
    """Red is x, green is y of the pixel's centre."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 2, -math.pi, 2.0])
def test_there_and_back(rng, angle):
    crop = Crop((31.0, 17.0), 12.5, angle)
    points = rng.uniform(-1, 2, (20, 2))
    np.testing.assert_allclose(crop.from_photo(crop.to_photo(points)), points, atol=1e-12)


def test_angle_turns_clockwise():
    crop = Crop((10.0, 10.0), 4.0, math.pi / 2)
    np.testing.assert_allclose(crop.to_photo(np.array([1.0, 0.5])), [10.0, 12.0])


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 2, math.pi, -math.pi / 2, 2.5])
@pytest.mark.parametrize(("size", "cells"), [(60.0, 60), (60.0, 25), (80.0, 13), (31.0, 48)])
def test_cells_show_the_pixels_under_them(angle, size, cells):
    pyramid = Pyramid(ramp(200, 180))
    crop = Crop((101.3, 88.7), size, angle)
    sampled = pyramid.sample(crop, cells)
    grid = (np.stack(np.meshgrid(*2 * [np.arange(cells)]), axis=-1) + 0.5) / cells
    expected = crop.to_photo(grid) - 0.5
    np.testing.assert_allclose(sampled[..., :2], expected, atol=1.3)  # each level rounds
    assert abs((sampled[..., :2] - expected).mean()) < 0.55


@pytest.mark.parametrize("angle", [0.0, math.pi / 2, 0.2])
def test_outside_is_black(angle):
    pyramid = Pyramid(np.full((50, 50, 3), 200, np.uint8))
    sampled = pyramid.sample(Crop((0.0, 25.0), 40.0, angle), 40)
    inside = (sampled == 200).all(axis=-1)
    assert 0.45 < inside.mean() < 0.55
    assert (sampled[~inside] < 200).all()


def test_a_quarter_turn_is_exact():
    pyramid = Pyramid(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    upright = pyramid.sample(Crop((32.0, 32.0), 40.0), 20)
    for turns in (1, 2, 3):
        turned = pyramid.sample(Crop((32.0, 32.0), 40.0, turns * math.pi / 2), 20)
        np.testing.assert_array_equal(turned, np.rot90(upright, turns))
