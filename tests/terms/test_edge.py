"""Pairs of a skin's contour with a picture's, on circles."""

import numpy as np
import pytest
import torch

from rigface.terms.edge import EdgeScale, ImageContour, SkinContour, edge_pairs
from rigface.terms.robust import LeastSquares

SCALE = EdgeScale(reach=12.0, sigma=2.0, correlation=10.0, kernel=LeastSquares())


def circle(radius: float, count: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False) + 0.01
    normals = np.column_stack([np.cos(angle), np.sin(angle)])
    return 100 + radius * normals + np.array([shift, 0.0]), normals


def skin(radius: float, count: int = 200) -> SkinContour:
    pixels, normals = circle(radius, count)
    corners, bary = np.arange(count)[:, None], np.ones((count, 1))
    length = np.full(count, 2 * np.pi * radius / count)
    return SkinContour(corners, bary, pixels, normals, length)


def energy(found, contour: SkinContour) -> float:
    return found.energy(torch.from_numpy(contour.pixels[found.corners[:, 0]]))


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("count", [100, 400])
def test_the_energy_does_not_depend_on_the_sampling(both_ways, count):
    ours = skin(50.0, count)
    found = edge_pairs(ours, ImageContour(*circle(54.0, 2000)), SCALE, both_ways)
    # 1/2 (4 px / 2 px)^2 for each 10 px of contour; the way back runs along the longer circle
    around = 2 * np.pi * (52.0 if both_ways else 50.0) / 10
    assert energy(found, ours) == pytest.approx(2 * around, rel=0.02)


def test_far_and_turned_pairs_are_none():
    assert edge_pairs(skin(50.0), ImageContour(*circle(63.0, 500)), SCALE) is None
    pixels, normals = circle(52.0, 500)
    assert edge_pairs(skin(50.0), ImageContour(pixels, -normals), SCALE) is None
    assert edge_pairs(skin(50.0), ImageContour(pixels[:0], normals[:0]), SCALE) is None
    half = ImageContour(pixels[:250], normals[:250])
    found = edge_pairs(skin(50.0), half, SCALE)
    assert found is not None and 95 <= len(found.pixels) <= 125


def test_the_gradient_agrees_with_finite_differences():
    ours = skin(50.0)
    found = edge_pairs(ours, ImageContour(*circle(53.0, 700, shift=2.0)), SCALE)
    assert found is not None
    at = torch.from_numpy(ours.pixels[found.corners[:, 0]])
    rng = np.random.default_rng(0)
    jacobian = torch.from_numpy(rng.normal(size=(*at.shape, 3)))
    _, gradient, _ = found.normal_equations(at, jacobian)
    for k in range(3):
        step = 1e-5 * jacobian[..., k]
        numeric = (found.energy(at + step) - found.energy(at - step)) / 2e-5
        assert float(gradient[k]) == pytest.approx(numeric, rel=1e-6, abs=1e-6)
