"""Brightness at any pixel and scale."""

import numpy as np
import pytest
import torch

from rigface.render.image_pyramid import ImagePyramid


def ramp(height: int = 61, width: int = 83) -> np.ndarray:
    """Brightness that rises to the right and, less, downwards; all channels alike."""
    row, column = np.mgrid[:height, :width]
    return np.repeat((2 * column + row)[..., None], 3, axis=-1).astype(np.uint8)


@pytest.mark.parametrize("first", [0, 1])
def test_a_ramp_is_the_same_at_every_scale(first: int) -> None:
    pyramid = ImagePyramid.of(ramp(), first)
    rng = np.random.default_rng(0)
    place = torch.from_numpy(rng.uniform(24, 38, (50, 2)))
    level = torch.from_numpy(rng.uniform(-1, 2.5, 50))
    value, slope = pyramid.sample(place, level)
    expected = (2 * (place[:, 0] - 0.5) + place[:, 1] - 0.5) / 255
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(
        slope, torch.tensor([2 / 255, 1 / 255]).expand(50, 2).double(), rtol=0, atol=1e-6
    )


def test_the_slope_agrees_with_finite_differences() -> None:
    rng = np.random.default_rng(1)
    pyramid = ImagePyramid.of(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8))
    place = torch.from_numpy(rng.uniform((0, 0), (50, 40), (200, 2)))
    level = torch.from_numpy(rng.uniform(-0.5, 3.5, 200))
    _, slope = pyramid.sample(place, level)
    h = 1e-6
    for axis in range(2):
        step = torch.zeros(2, dtype=torch.float64)
        step[axis] = h
        numeric = (
            pyramid.sample(place + step, level)[0] - pyramid.sample(place - step, level)[0]
        ) / (2 * h)
        torch.testing.assert_close(slope[:, axis], numeric, rtol=1e-5, atol=1e-6)


def test_outside_the_picture_its_border_goes_on() -> None:
    pyramid = ImagePyramid.of(ramp())
    value, slope = pyramid.sample(torch.tensor([[-9.0, 20.5], [200.0, 20.5]]), torch.zeros(2))
    torch.testing.assert_close(value, torch.tensor([20.0, 2 * 82 + 20.0]) / 255)
    assert not slope[:, 0].any()


def test_a_halving_is_as_bright_as_the_photo() -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    pyramid = ImagePyramid.of(image)
    coarse = pyramid.cells[int(pyramid.starts[2]) :][:256]
    luma = image @ np.array([0.299, 0.587, 0.114]) / 255
    assert float(coarse.mean()) == pytest.approx(luma.mean(), abs=0.01)
    assert float(coarse.std()) < 0.3 * luma.std()
