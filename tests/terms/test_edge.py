"""Pairs of a skin's contour with a picture's, on circles."""

from dataclasses import fields, replace

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
    return SkinContour(corners, bary, pixels, normals, np.zeros(count, dtype=bool), length)


def image(radius: float, count: int, shift: float = 0.0, occluding: bool = False) -> ImageContour:
    pixels, normals = circle(radius, count, shift)
    return ImageContour(pixels, normals, np.full(count, occluding))


def first(contour: ImageContour, count: int) -> ImageContour:
    return ImageContour(*(getattr(contour, field.name)[:count] for field in fields(contour)))


def energy(found, contour: SkinContour) -> float:
    return found.energy(torch.from_numpy(contour.pixels[found.corners[:, 0]]))


@pytest.mark.parametrize("count", [100, 400])
def test_the_energy_does_not_depend_on_the_sampling(count):
    ours = skin(50.0, count)
    found = edge_pairs(ours, image(54.0, 2000), SCALE)
    # 1/2 (4 px / 2 px)^2 for each 10 px of contour
    assert energy(found, ours) == pytest.approx(2 * 2 * np.pi * 50.0 / 10, rel=0.02)


def test_far_and_turned_pairs_are_none():
    assert edge_pairs(skin(50.0), image(63.0, 500), SCALE) is None
    near = image(52.0, 500)
    assert edge_pairs(skin(50.0), replace(near, normals=-near.normals), SCALE) is None
    none, half = (
        ImageContour(*(getattr(near, f.name)[:n] for f in fields(near))) for n in (0, 250)
    )
    assert edge_pairs(skin(50.0), none, SCALE) is None
    found = edge_pairs(skin(50.0), half, SCALE)
    assert found is not None and 95 <= len(found.pixels) <= 125


def test_what_lies_before_the_neck_is_not_at_the_background():
    ours = skin(50.0)
    chin = replace(ours, occluding=ours.normals[:, 1] > 0.5)
    found = edge_pairs(chin, image(52.0, 500), SCALE)
    assert found is not None and len(found.pixels) == (~chin.occluding).sum()
    found = edge_pairs(chin, image(52.0, 500, occluding=True), SCALE)
    assert found is not None and len(found.pixels) == len(ours.pixels)


def test_the_gradient_agrees_with_finite_differences():
    ours = skin(50.0)
    found = edge_pairs(ours, image(53.0, 700, shift=2.0), SCALE)
    assert found is not None
    at = torch.from_numpy(ours.pixels[found.corners[:, 0]])
    rng = np.random.default_rng(0)
    jacobian = torch.from_numpy(rng.normal(size=(*at.shape, 3)))
    _, gradient, _ = found.normal_equations(at, jacobian)
    for k in range(3):
        step = 1e-5 * jacobian[..., k]
        numeric = (found.energy(at + step) - found.energy(at - step)) / 2e-5
        assert float(gradient[k]) == pytest.approx(numeric, rel=1e-6, abs=1e-6)
