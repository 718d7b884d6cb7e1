"""Dynamic binding (supplement Algorithm 1): corners, borders, and what lies outside the chart."""

import numpy as np
import pytest
import torch
from core_models import asm, coarse_asm, random_state
from helpers import directional_difference, one_sided_difference
from torch import Tensor

from rigface.models.asm import _surface_at
from rigface.rig.chart import ChartLocator

# One triangle A, B, C in the chart, neither right-angled nor symmetric, and its 3-D image.
CHART = torch.tensor([[0.0, 0.0], [2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
SURFACE = torch.tensor([[1.0, 0.0, 0.0], [0.0, 10.0, 0.0], [0.0, 0.0, 100.0]], dtype=torch.float64)
FACES = torch.tensor([[0, 1, 2]])


def on_triangle(points: list[list[float]]) -> tuple[Tensor, Tensor]:
    locator = ChartLocator(CHART.numpy(), FACES.numpy())
    zeta = torch.tensor(points, dtype=torch.float64)
    return _surface_at(locator, CHART, FACES, SURFACE, zeta)


def test_corners_go_to_their_own_vertices_in_order():
    surface, _ = on_triangle(CHART.tolist())
    torch.testing.assert_close(surface, SURFACE)


def test_inside_is_the_barycentric_mean():
    point = (0.2 * CHART[0] + 0.3 * CHART[1] + 0.5 * CHART[2]).tolist()
    surface, _ = on_triangle([point])
    torch.testing.assert_close(surface[0], torch.tensor([0.2, 3.0, 50.0], dtype=torch.float64))


def test_derivative_is_the_affine_map_of_the_triangle():
    _, gradient = on_triangle([[0.8, 0.5]])
    for corner in (1, 2):
        moved = gradient[0] @ (CHART[corner] - CHART[0])
        torch.testing.assert_close(moved, SURFACE[corner] - SURFACE[0])


def test_outside_an_edge_only_motion_along_it_counts():
    along = torch.nn.functional.normalize(CHART[1] - CHART[0], dim=0)
    away = torch.stack([along[1], -along[0]])
    middle = 0.5 * (CHART[0] + CHART[1])
    surface, gradient = on_triangle([(middle + 0.4 * away).tolist()])
    torch.testing.assert_close(surface[0], 0.5 * (SURFACE[0] + SURFACE[1]))
    torch.testing.assert_close(gradient[0] @ away, torch.zeros(3).double(), atol=1e-12, rtol=0)
    length = (CHART[1] - CHART[0]).norm()
    torch.testing.assert_close(gradient[0] @ along, (SURFACE[1] - SURFACE[0]) / length)


def test_beyond_a_corner_nothing_moves():
    surface, gradient = on_triangle([[-1.0, -1.0]])
    torch.testing.assert_close(surface[0], SURFACE[0])
    assert (gradient == 0).all()


@pytest.mark.parametrize("far", [1e3, 1e9, float("inf"), -float("inf"), float("nan")])
def test_the_locator_answers_any_point_with_finite_numbers(far):
    locator = ChartLocator(CHART.numpy(), FACES.numpy())
    face, bary = locator.locate(np.array([[far, 0.3], [0.3, far], [far, far]]))
    assert (face == 0).all() and np.isfinite(bary).all()
    np.testing.assert_allclose(bary.sum(-1), 1.0)
    assert (bary >= 0).all()


def test_no_offset_means_the_rig_s_bind_positions_exactly():
    model = asm(2)
    bind = model.state(model.table.zeros()).bind
    assert torch.equal(bind, model.bind0)


def test_bind_moves_by_what_the_surface_moves():
    """psi = F(zeta) - F(zeta0) + psi0 (Eq. 4)."""
    model = asm(2)
    zeta = model.table.unpack(random_state(model, seed=1))["zeta"]
    x = model.table.zeros()
    x[model.table.slices["zeta"]] = zeta.reshape(-1)
    found = ChartLocator(model.chart.numpy(), model.faces.numpy())

    def surface(points: Tensor) -> np.ndarray:
        face, bary = found.locate(points.numpy())
        return np.einsum("pc,pcd->pd", bary, model.template.numpy()[model.faces.numpy()[face]])

    expected = surface(model.zeta0 + zeta) - surface(model.zeta0) + model.bind0.numpy()
    np.testing.assert_allclose(model.state(x).bind.numpy(), expected, atol=1e-15)


def state_with_anchor(bone: int, chart_point: Tensor) -> Tensor:
    """Random bones, one anchor at a given place of the chart."""
    model = coarse_asm(2)
    x = random_state(model, sigmas=0.3, seed=2)
    start = model.table.slices["zeta"].start + 2 * bone
    x[start : start + 2] = chart_point - model.zeta0[bone]
    return x


def anchor_direction(bone: int, direction: Tensor) -> Tensor:
    model = coarse_asm(2)
    out = model.table.zeros()
    start = model.table.slices["zeta"].start + 2 * bone
    out[start : start + 2] = direction
    return out


@pytest.mark.parametrize("bone", [10, 45])
def test_close_to_a_border_both_sides_have_their_own_derivative(bone):
    """Two triangles share an edge: either side's slope is right on its side of it."""
    model = coarse_asm(2)
    face = int(model.locator.locate(model.zeta0[bone : bone + 1].numpy())[0][0])
    a, b, c = model.chart[model.faces[face]]
    middle = 0.5 * (a + b)
    inward = torch.nn.functional.normalize(c - middle, dim=0)
    outcomes = []
    for side in (1.0, -1.0):
        x = state_with_anchor(bone, middle + side * 1e-5 * inward)
        direction = anchor_direction(bone, side * inward)
        expected = directional_difference(model.vertices, x, direction, 1e-7)
        actual = model.linearize(x).jvp(direction)
        scale = float(expected.abs().max())
        assert float((actual - expected).abs().max()) < 1e-5 * scale
        outcomes.append(side * actual)
    # the edge is a real kink, or the test would not see a wrong side
    assert float((outcomes[0] - outcomes[1]).abs().max()) > 1e-6


@pytest.mark.parametrize("bone", [10, 45])
def test_on_a_border_the_derivative_is_that_of_one_side(bone):
    model = coarse_asm(2)
    face = int(model.locator.locate(model.zeta0[bone : bone + 1].numpy())[0][0])
    a, b, c = model.chart[model.faces[face]]
    middle = 0.5 * (a + b)
    x = state_with_anchor(bone, middle)
    inward = torch.nn.functional.normalize(c - middle, dim=0)
    actual = model.linearize(x).jvp(anchor_direction(bone, inward))
    errors = []
    for side in (1.0, -1.0):
        slope = side * one_sided_difference(
            model.vertices, x, anchor_direction(bone, side * inward), 1e-7
        )
        errors.append(float((actual - slope).abs().max()) / float(slope.abs().max()))
    assert min(errors) < 1e-4
    along = torch.nn.functional.normalize(b - a, dim=0)
    slope = directional_difference(model.vertices, x, anchor_direction(bone, along), 1e-7)
    tangent = model.linearize(x).jvp(anchor_direction(bone, along))
    torch.testing.assert_close(tangent, slope, atol=1e-5 * float(slope.abs().max()), rtol=0)


@pytest.mark.parametrize("bone", [10, 45])
@pytest.mark.parametrize("place", [(0.0, 40.0), (-30.0, -5.0), (25.0, 0.1)])
def test_outside_the_chart_derivatives_agree_and_are_finite(bone, place):
    model = coarse_asm(2)
    x = state_with_anchor(bone, torch.tensor(place, dtype=torch.float64))
    jacobian = model.linearize(x)
    assert torch.isfinite(jacobian.vertices).all() and torch.isfinite(jacobian.dense()).all()
    for direction in (torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])):
        step = anchor_direction(bone, direction.double())
        expected = directional_difference(model.vertices, x, step, 1e-6)
        # such an anchor hardly moves anything, so the size of the head is the scale
        torch.testing.assert_close(jacobian.jvp(step), expected, atol=1e-8, rtol=0)


@pytest.mark.parametrize("sigmas", [30.0, 1000.0])
def test_the_model_is_total(sigmas):
    """Absurd parameters give finite vertices and gradients, never NaN."""
    model = coarse_asm(2)
    x = random_state(model, sigmas=sigmas, seed=3)
    for name in ("log_scale", "chol", "log_pi"):
        x[model.table.slices[name]] /= sigmas
    leaf = x.requires_grad_()
    posed = model.vertices(leaf)
    (gradient,) = torch.autograd.grad(posed.sum(), leaf)
    assert torch.isfinite(posed).all() and torch.isfinite(gradient).all()
