"""Folds laid open: the axes that part triangles, and a least-squares fit that obeys them."""

import numpy as np
import torch

from rigface.fit.parting import open_triangles, part_triangles, separating_axes
from rigface.fit.stages import box_for
from rigface.geometry.intersections import self_intersections
from rigface.models.linear import LinearModel
from rigface.solve.levenberg_marquardt import LevenbergMarquardt, levenberg_marquardt
from rigface.terms.energy import Energy
from rigface.terms.vertex_targets import VertexTargetTerm

FACES = np.array([[0, 1, 2], [3, 4, 5]])
FLAT = np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, 1]])
CALM = 0.01 * np.concatenate([FLAT + [0.1, 0.3, 0.1], FLAT])
CROSSED = 0.01 * np.concatenate([FLAT[:, [0, 2, 1]] + [0.2, -0.3, 0.2], FLAT])
PAIR = np.array([[0, 1]])


def solved(targets: np.ndarray, barriers: tuple) -> np.ndarray:
    """Free vertices towards targets, under barriers."""
    count = targets.size
    model = LinearModel.build("free", CALM, FACES, 0.01 * np.eye(count).reshape(count, -1, 3))
    problem = Energy(model, [VertexTargetTerm(targets, np.ones(len(targets)), 1e-3)], (), barriers)
    solver = LevenbergMarquardt(max_steps=20)
    box = box_for(model, ("identity",))
    x = levenberg_marquardt(problem, torch.zeros(count, dtype=torch.float64), box, solver).value
    return model.vertices(x).numpy()


def test_the_axis_parts_what_is_apart_and_nothing_parts_what_crosses():
    rng = np.random.default_rng(3)
    a = rng.standard_normal((200, 3, 3))
    away = rng.standard_normal((200, 1, 3))
    far = a @ np.diag([0.5, 1.0, 2.0]) + 12 * away / np.linalg.norm(away, axis=-1, keepdims=True)
    axis, opening = separating_axes(a, far)
    assert np.allclose(np.linalg.norm(axis, axis=1), 1)
    measured = np.einsum("pcd,pd->pc", a, axis).min(1) - np.einsum("pcd,pd->pc", far, axis).max(1)
    assert np.allclose(measured, opening)
    assert (opening > 0).all()
    assert separating_axes(CROSSED[None, :3], CROSSED[None, 3:])[1][0] < 0
    assert np.isclose(separating_axes(CALM[None, :3], CALM[None, 3:])[1][0], 0.003)


def test_parted_triangles_cost_nothing_on_the_calm_surface_and_do_not_cross_in_a_fit():
    assert len(self_intersections(CROSSED, FACES)) == 1
    term = part_triangles(CALM, FACES, PAIR)
    assert term is not None
    assert term.energy(CALM) == 0
    assert term.energy(CROSSED) > 0
    assert len(self_intersections(solved(CROSSED, ()), FACES)) == 1
    assert len(self_intersections(solved(CROSSED, (term,)), FACES)) == 0


def test_what_crosses_on_the_calm_surface_too_is_left_alone():
    assert part_triangles(CROSSED, FACES, PAIR) is None
    assert part_triangles(CALM, FACES, np.zeros((0, 2), dtype=int)) is None
    assert open_triangles(CALM, FACES[:0]) is None


def test_a_turned_triangle_is_opened_in_a_fit():
    turned = CALM.copy()
    turned[2] = turned[0] + turned[1] - turned[2]  # over the edge of the other two corners
    term = open_triangles(CALM, FACES[:1])
    assert term is not None
    assert term.energy(CALM) == 0

    def normal(vertices: np.ndarray) -> float:
        return float(np.cross(vertices[1] - vertices[0], vertices[2] - vertices[0])[1])

    assert normal(CALM) < 0 < normal(solved(turned, ()))
    assert normal(solved(turned, (term,))) < 0
