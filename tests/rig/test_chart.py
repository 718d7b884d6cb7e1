"""The rig chart: barycentrics, location, and the shipped chart's quality."""

import numpy as np
import pytest
import torch

from rigface.rig.chart import ChartLocator, barycentric, locate, on_surface
from rigface.rig.disc import (
    boundary_loop,
    flat_gradients,
    jacobians,
    slim,
    symmetric_chart,
    tutte,
)
from rigface.rig.rig import load_rig
from rigface.rig.template_io import load_template

A, B, C = np.array([1.0, 0.5]), np.array([4.0, 1.0]), np.array([2.0, 3.5])


def supplement_equation_3(point, a, b, c):
    """Eq. 3 letter by letter, as (alpha, beta, gamma)."""
    (x, y), (xa, ya), (xb, yb), (xc, yc) = point, a, b, c
    alpha = (-(x - xb) * (yc - yb) + (y - yb) * (xc - xb)) / (
        -(xa - xb) * (yc - yb) + (ya - yb) * (xc - xb)
    )
    beta = (-(x - xc) * (ya - yc) + (y - yc) * (xa - xc)) / (
        -(xb - xc) * (ya - yc) + (yb - yc) * (xa - xc)
    )
    return np.array([alpha, beta, 1 - alpha - beta])


def test_barycentric_order_on_a_hand_made_triangle():
    for corner, point in enumerate((A, B, C)):
        np.testing.assert_allclose(barycentric(point, A, B, C), np.eye(3)[corner], atol=1e-14)
    point = 0.2 * A + 0.3 * B + 0.5 * C
    np.testing.assert_allclose(barycentric(point, A, B, C), [0.2, 0.3, 0.5], atol=1e-14)
    np.testing.assert_allclose(
        barycentric(point, A, B, C), supplement_equation_3(point, A, B, C), atol=1e-14
    )


def test_barycentric_does_not_depend_on_winding(rng):
    point = rng.normal(size=(5, 2))
    forward = barycentric(point, *(np.tile(p, (5, 1)) for p in (A, B, C)))
    backward = barycentric(point, *(np.tile(p, (5, 1)) for p in (A, C, B)))
    np.testing.assert_allclose(forward, backward[:, [0, 2, 1]], atol=1e-12)


def test_barycentric_gradient():
    corners = [torch.tensor(p, requires_grad=True) for p in (A, B, C)]
    point = torch.tensor([2.2, 1.4], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda *inputs: torch.as_tensor(barycentric(*inputs)), (point, *corners)
    )


# Two triangles share the edge (0, 2), a third hangs below.
SQUARE = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1], [0.5, -1]])
SQUARE_FACES = np.array([[0, 1, 2], [0, 2, 3], [0, 4, 1]])


def test_locate_is_inclusive_and_takes_the_lowest_face():
    points = np.array([[0.5, 0.5], [0.0, 0.0], [1.0, 1.0], [0.5, 0.0], [0.2, 0.8]])
    face, bary = locate(SQUARE, SQUARE_FACES, points)
    assert face.tolist() == [0, 0, 0, 0, 1]
    np.testing.assert_allclose(on_surface(SQUARE, SQUARE_FACES, face, bary), points, atol=1e-15)


def test_locate_is_total():
    points = np.array([[2.0, 0.5], [-1.0, 2.0], [0.5, -9.0], [np.nan, 0.0], [np.inf, 1.0]])
    face, bary = locate(SQUARE, SQUARE_FACES, points)
    assert np.isfinite(bary).all()
    assert len(locate(SQUARE, SQUARE_FACES, np.zeros((0, 2)))[0]) == 0
    assert (bary >= 0).all()
    expected = [[1.0, 0.5], [0.0, 1.0], [0.5, -1.0]]
    found = on_surface(SQUARE, SQUARE_FACES, face, bary)
    np.testing.assert_allclose(found[:3], expected, atol=1e-15)


@pytest.fixture(scope="module")
def rig():
    return load_rig()


def signed_areas(chart, faces):
    a, b, c = (chart[faces[:, i]] for i in range(3))
    return 0.5 * np.linalg.det(np.stack([b - a, c - a], axis=1))


def test_shipped_chart_is_bijective_and_symmetric(rig):
    area = signed_areas(rig.chart, rig.faces)
    assert (area > 0).all()
    # no flip and a simple convex outline: the triangles tile exactly the polygon of the rim
    rim = rig.chart[boundary_loop(rig.faces)]
    x, y = rim.T
    polygon = 0.5 * np.abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
    assert area.sum() == pytest.approx(polygon, rel=1e-12)
    mirror = load_template().mirror[: len(rig.chart)]
    np.testing.assert_array_equal(rig.chart[mirror], rig.chart * [-1, 1])


def test_shipped_chart_gives_the_face_room(rig):
    template = load_template()
    face = template.regions["face"][: len(rig.chart)][rig.faces].all(axis=1)
    area = signed_areas(rig.chart, rig.faces)
    assert area[face].sum() > 0.4 * area.sum()
    gradients, flat = flat_gradients(
        template.mesh.vertices[: len(rig.chart)], rig.faces, np.ones(len(rig.faces))
    )
    jacobian = jacobians(rig.chart, rig.faces, gradients)[face]
    singular = np.linalg.svd(jacobian, compute_uv=False)
    assert np.quantile(singular[:, 0], 0.99) < 20 * np.quantile(singular[:, 1], 0.01)
    # unit: one chart unit is 100 mm on the face
    scale = np.average(np.sqrt(np.linalg.det(jacobian)), weights=flat[face])
    assert scale == pytest.approx(10.0, rel=1e-3)


def test_locator_finds_random_points_of_the_shipped_chart(rig, rng):
    locator = ChartLocator(rig.chart, rig.faces)
    face = rng.integers(len(rig.faces), size=500)
    bary = rng.dirichlet([1, 1, 1], size=500)
    points = on_surface(rig.chart, rig.faces, face, bary)
    found, found_bary = locator.locate(points)
    np.testing.assert_array_equal(found, face)
    np.testing.assert_allclose(found_bary, bary, atol=1e-7)


def test_every_vertex_of_the_shipped_chart_is_inside(rig):
    face, bary = ChartLocator(rig.chart, rig.faces).locate(rig.chart)
    np.testing.assert_allclose(on_surface(rig.chart, rig.faces, face, bary), rig.chart, atol=1e-12)


def grid(size):
    """A bumpy square patch: vertices, faces, left-right mirror."""
    line = np.linspace(-1, 1, size)
    x, y = (a.ravel() for a in np.meshgrid(line, line))
    vertices = np.stack([x, y, 1.5 * np.exp(-3 * (x**2 + y**2))], axis=1)
    i = np.arange(size * size).reshape(size, size)
    a, b, c, d = (p.ravel() for p in (i[:-1, :-1], i[:-1, 1:], i[1:, 1:], i[1:, :-1]))
    return vertices, np.concatenate([np.c_[a, b, c], np.c_[a, c, d]]), i[:, ::-1].ravel()


def test_slim_lowers_distortion_without_flips():
    vertices, faces, mirror = grid(15)
    loop = boundary_loop(faces)
    angle = 2 * np.pi * np.arange(len(loop)) / len(loop) - np.pi * 3 / 4
    chart = tutte(faces, len(vertices), loop, 1.3 * np.stack([np.cos(angle), np.sin(angle)], 1))
    gradients, area = flat_gradients(vertices, faces, np.ones(len(faces)))

    def distortion(u):
        singular = np.linalg.svd(jacobians(u, faces, gradients), compute_uv=False)
        return np.average((singular**2 + singular**-2).sum(-1), weights=area)

    better = slim(chart, faces, gradients, area, loop, steps=20)
    assert (signed_areas(better, faces) > 0).all()
    # 4 is the least possible
    assert distortion(better) - 4 < 0.8 * (distortion(chart) - 4)
    np.testing.assert_array_equal(better[loop], chart[loop])
    even = symmetric_chart(chart, mirror)
    mirrored = slim(even, faces, gradients, area, loop, mirror, steps=20)
    assert distortion(mirrored) < distortion(even)
    np.testing.assert_allclose(mirrored[mirror], mirrored * [-1, 1], atol=1e-14)


def test_two_boundary_loops_are_refused():
    _, faces, _ = grid(6)
    with pytest.raises(ValueError, match="one boundary loop"):
        boundary_loop(np.delete(faces, [12], axis=0))
