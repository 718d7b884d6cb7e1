"""Barriers between lips and around eyeballs: one-sided energies and the step that respects them."""

import numpy as np
import pytest
import torch

from rigface.models.linear import LinearModel
from rigface.rig.template_io import load_template
from rigface.solve.levenberg_marquardt import Box, LevenbergMarquardt, levenberg_marquardt
from rigface.solve.problem import Hinges, Quadratic
from rigface.terms.clearance import ClearanceTerm
from rigface.terms.energy import Energy
from rigface.terms.lip_gap import GapTerm
from rigface.terms.term import OneSidedTerm
from rigface.terms.vertex_targets import VertexTargetTerm

MM = 1e-3


def shaken(size: float = MM, seed: int = 1) -> np.ndarray:
    template = load_template()
    vertices = template.mesh.vertices[template.parts["skin"].vertices]
    return vertices + size * np.random.default_rng(seed).standard_normal(vertices.shape)


def gap() -> GapTerm:
    template = load_template()
    upper, lower = template.loops["lip.upper"][1:-1], template.loops["lip.lower"][1:-1]
    count = min(len(upper), len(lower))
    return GapTerm(upper[:count], lower[:count], np.array([0.0, 1.0, 0.0]), 1.5 * MM, 0.2 * MM)


def clearance() -> ClearanceTerm:
    template = load_template()
    ball = template.eyeballs["L"]
    index = np.flatnonzero(template.regions["lid_rim.L"])
    return ClearanceTerm(index, ball.centre, ball.radius + 2 * MM, 0.1 * MM)


def gap_by_axes() -> GapTerm:
    """Every pair along a direction of its own, with an opening of its own."""
    term, rng = gap(), np.random.default_rng(5)
    axes = term.up + 0.3 * rng.standard_normal((len(term.upper), 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    return GapTerm(term.upper, term.lower, axes, rng.uniform(0.5, 2.5, len(axes)) * MM, term.sigma)


BARRIERS = {"gap": gap, "gap by axes": gap_by_axes, "clearance": clearance}


@pytest.mark.parametrize("name", BARRIERS)
def test_gradient_agrees_with_finite_differences(name):
    term, vertices = BARRIERS[name](), shaken()
    assert isinstance(term, OneSidedTerm)
    rng = np.random.default_rng(7)
    for _ in range(3):
        d, step = rng.standard_normal(vertices.shape), 1e-8
        slope = (term.energy(vertices + step * d) - term.energy(vertices - step * d)) / (2 * step)
        assert abs(slope) > 0
        assert float((term.gradient(vertices) * d).sum()) == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("name", BARRIERS)
def test_residuals_give_energy_and_gradient(name):
    term, vertices = BARRIERS[name](), shaken()
    found = term.one_sided(vertices)
    active = np.maximum(found.lack, 0.0)
    assert 0 < (active > 0).sum() < len(active), "some residuals must be active and some not"
    assert 0.5 * float(active @ active) == pytest.approx(term.energy(vertices))
    gradient = np.zeros_like(vertices)
    np.add.at(gradient, found.vertices, active[:, None, None] * found.slopes)
    np.testing.assert_allclose(gradient, term.gradient(vertices), atol=1e-9)


def hinged(seed: int = 0, size: int = 6, count: int = 9) -> Quadratic:
    generator = torch.Generator().manual_seed(seed)
    half = torch.randn(2 * size, size, generator=generator, dtype=torch.float64)
    rows = 5 * torch.randn(count, size, generator=generator, dtype=torch.float64)
    lack = torch.randn(count, generator=generator, dtype=torch.float64)
    hinges = Hinges(lack, rows)
    smooth = torch.randn(size, generator=generator, dtype=torch.float64)
    return Quadratic(
        hinges.energy(torch.zeros(size).double()), smooth + hinges.pull(), half.T @ half, hinges
    )


class OneStep:
    """An energy that is its own model."""

    def __init__(self, model: Quadratic):
        self.model = model

    def energy(self, x):
        return self.model.energy - self.model.decrease(x)

    def quadratic(self, x, free=None):
        return self.model


@pytest.mark.parametrize("seed", range(5))
def test_one_step_finds_the_minimum_with_its_hinges(seed):
    """At the minimum the gradient of the whole, hinges at their new values, vanishes."""
    model = hinged(seed)
    size = len(model.gradient)
    wide = torch.full((size,), 1e3, dtype=torch.float64)
    box = Box(torch.full_like(wide, 1e-9), -wide, wide, wide, torch.ones(size, dtype=torch.bool))
    solver = LevenbergMarquardt(max_steps=1, damping=1e-12)
    found = levenberg_marquardt(OneStep(model), torch.zeros(size).double(), box, solver)
    x, hinges = found.value, model.hinges
    assert hinges is not None
    smooth = model.gradient - hinges.pull() + model.hessian @ x
    left = (hinges.lack + hinges.rows @ x).clamp_min(0)
    torch.testing.assert_close(smooth + left @ hinges.rows, torch.zeros(size).double())
    assert found.energies[1] == pytest.approx(model.energy - model.decrease(x))


def test_a_barrier_that_is_met_within_the_step_is_kept():
    """Targets pull the lower lip through the upper one: one step must not pass."""
    template = load_template()
    part = template.parts["skin"]
    rest = template.mesh.vertices[part.vertices]
    faces = template.mesh.faces[part.faces]
    up = np.zeros_like(rest)
    low = template.loops["lip.lower"][1:-1]
    up[low, 1] = 0.01
    model = LinearModel.build("lips", rest, faces, up[None])
    count = min(len(low), len(template.loops["lip.upper"]) - 2)
    pairs = template.loops["lip.upper"][1 : 1 + count], low[:count]
    apart = pairs[0] != pairs[1]
    term = GapTerm(pairs[0][apart], pairs[1][apart], np.array([0.0, 1.0, 0.0]), 0.0, 1e-6)
    free = float(-term.one_sided(rest).lack.max() * term.sigma)
    pull = VertexTargetTerm(rest + up, np.ones(len(rest)), MM)
    problem = Energy(model, [pull], barriers=[term])
    limit = torch.full((1,), 10.0, dtype=torch.float64)
    box = Box(limit * 0 + 1e-9, -limit, limit, limit, torch.ones(1, dtype=torch.bool))
    solver = LevenbergMarquardt(max_steps=1, damping=1e-12)
    found = levenberg_marquardt(problem, torch.zeros(1).double(), box, solver)
    assert float(found.value) * 0.01 == pytest.approx(free, abs=2e-6)
    assert found.rejected == 0


def test_open_lips_feel_no_gap_and_crossed_ones_do():
    vertices = shaken(0.0)
    term, far = gap(), vertices.copy()
    far[term.upper] += [0.0, 0.05, 0.0]
    assert term.energy(far) == 0
    assert (term.one_sided(far).lack < 0).all()
    crossed = vertices.copy()
    crossed[term.upper] -= [0.0, 0.005, 0.0]
    assert term.energy(crossed) > term.energy(vertices)
    assert (term.gradient(crossed)[term.upper, 1] < 0).all()
