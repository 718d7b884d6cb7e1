"""Point-to-plane RMSE of surfaces whose distance is known."""

import numpy as np
import pytest

from rigface.geometry.similarity import Similarity
from rigface.metrics.now import PredictedFace, ScanFace
from rigface.metrics.outer import outer_surface
from rigface.metrics.point_to_plane import plane_errors, point_to_plane_errors
from rigface.rig.template_io import load_template

MM = 1e-3


def card() -> PredictedFace:
    """A square of 20 cm in the plane z = 0 that faces +z, with landmarks on it."""
    corners = 0.1 * np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    marks = np.random.default_rng(1).uniform(-0.05, 0.05, (68, 3)) * (1, 1, 0)
    return PredictedFace(corners, np.array([[0, 1, 2], [0, 2, 3]]), marks)


def spread_points(rng: np.random.Generator, count: int = 5000) -> np.ndarray:
    return rng.uniform(-0.08, 0.08, (count, 3)) * (1, 1, 0)


def test_a_plane_beside_the_scan_has_its_distance_as_error(rng):
    points = spread_points(rng) + (0, 0, 0.7 * MM)
    errors = plane_errors(points, card(), Similarity.identity())
    np.testing.assert_allclose(errors.mm, 0.7, atol=1e-9)
    assert errors.rmse == pytest.approx(0.7)
    below = plane_errors(points - (0, 0, 1.0 * MM), card(), Similarity.identity())
    np.testing.assert_allclose(below.mm, -0.3, atol=1e-9)
    moved = Similarity(1.0, np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]), np.array([1.0, 2, 3]))
    turned = plane_errors(moved.apply(points), card(), moved)
    assert turned.rmse == pytest.approx(0.7)


def test_beyond_the_rim_the_plane_counts_and_not_the_rim():
    points = np.array([[0.15, 0.0, 2 * MM]])
    assert plane_errors(points, card(), Similarity.identity()).mm == pytest.approx([2.0])


def test_the_alignment_takes_a_shift_out_and_leaves_what_is_no_motion(rng):
    height = 0.4 * MM * rng.choice([-1.0, 1.0], 5000)
    points = spread_points(rng) + np.outer(height, (0, 0, 1)) + (0, 0, 3 * MM)
    errors = point_to_plane_errors(ScanFace(points, card().landmarks), card(), with_scale=False)
    assert errors.rmse == pytest.approx(0.4, abs=2e-3)
    assert np.isnan(plane_errors(np.zeros((0, 3)), card(), Similarity.identity()).rmse)


def test_scale_is_free_or_counts():
    template = load_template()
    marks = template.landmarks.positions(template.mesh.vertices, template.mesh.faces)
    faces = outer_surface(template).faces
    face = PredictedFace(template.mesh.vertices, faces, marks)
    near = np.linalg.norm(face.vertices - marks[30], axis=1) < 0.07
    points = face.vertices[near & np.isin(np.arange(len(near)), faces)]
    scan = ScanFace(np.random.default_rng(0).permutation(points), marks)
    large = PredictedFace(1.04 * face.vertices, faces, 1.04 * marks)
    free = point_to_plane_errors(scan, large)
    assert free.rmse < 1e-3
    assert free.scale == pytest.approx(1 / 1.04, abs=1e-6)
    metric = point_to_plane_errors(scan, large, with_scale=False)
    assert metric.scale == 1.0
    assert metric.rmse > 0.3
