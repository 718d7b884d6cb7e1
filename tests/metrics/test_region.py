import numpy as np
import pytest
from toy_heads import NOSE, RADIUS, toy_head, with_pocket

from rigface.geometry.mesh import Mesh, face_areas, sample_surface
from rigface.metrics.region import (
    face_region,
    face_region_of_points,
    faces_in_ball,
    region_vertices,
)


def test_region_is_the_visible_surface_in_the_ball():
    head = with_pocket(toy_head())
    region = face_region(head, NOSE, samples=4000)
    assert np.linalg.norm(region.points - NOSE, axis=1).max() <= 0.095
    # Nothing of the pocket, which begins four centimetres behind the nose tip.
    assert np.linalg.norm(region.points, axis=1).min() > 0.99 * RADIUS
    assert 0.1 < region.hidden_share < 0.9
    assert face_region(toy_head(), NOSE, samples=4000).hidden_share == 0


def test_samples_lie_on_their_faces_and_are_uniform_by_area():
    head = toy_head()
    region = face_region(head, NOSE, samples=20_000)
    assert region.face is not None
    corners = head.vertices[head.faces[region.face]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    height = np.einsum("nd,nd->n", region.points - corners[:, 0], normal)
    assert np.abs(height / np.linalg.norm(normal, axis=1)).max() < 1e-12
    near = np.linalg.norm(region.points - NOSE, axis=1) < 0.03
    area = face_areas(head.vertices, head.faces)
    middle = np.linalg.norm(head.vertices[head.faces].mean(axis=1) - NOSE, axis=1)
    expected = area[middle < 0.03].sum() / area[middle < 0.095].sum()
    assert near.mean() == pytest.approx(expected, rel=0.1)


def test_region_depends_on_nothing_but_the_scan_and_the_seed():
    head = with_pocket(toy_head())
    first, again = (face_region(head, NOSE, samples=500) for _ in range(2))
    assert np.array_equal(first.points, again.points)
    other = face_region(head, NOSE, samples=500, seed=1)
    assert not np.array_equal(first.points, other.points)


def test_large_triangles_without_a_corner_in_the_ball_still_count():
    wall = np.array([[-9.0, -9, 0.1], [9, -9, 0.1], [0, 18, 0.1]])
    mesh = Mesh(wall, np.array([[0, 1, 2]]))
    assert faces_in_ball(mesh, np.zeros(3), 0.2).all()
    # Of 200,000 samples on 243 square metres some 70 fall into the disc.
    region = face_region(mesh, np.zeros(3), radius=0.2, samples=200_000)
    assert 40 < len(region.points) < 110


def test_labelled_heads_can_limit_the_region():
    head = toy_head()
    left = head.vertices[head.faces].mean(axis=1)[:, 0] > 0
    region = face_region(head, NOSE, samples=2000, candidates=left)
    assert region.face is not None
    assert left[region.face].all()


def test_a_scan_elsewhere_has_an_empty_region():
    region = face_region(toy_head(2), np.array([5.0, 0, 0]), samples=100)
    assert region.points.shape == (0, 3)


def test_subset_keeps_points_and_faces_together():
    region = face_region(toy_head(), NOSE, samples=1000)
    upper = region.subset(region.points[:, 1] > 0)
    assert upper.face is not None
    assert len(upper.points) == len(upper.face)
    assert 0 < len(upper.points) < len(region.points)


def test_vertices_of_the_region_are_the_visible_ones():
    head = toy_head()
    mask = region_vertices(with_pocket(head), NOSE)
    near = np.linalg.norm(head.vertices - NOSE, axis=1) <= 0.095
    assert np.array_equal(mask[: len(head.vertices)], near)
    assert not mask[len(head.vertices) :].any()


def test_a_point_cloud_keeps_its_own_visible_points():
    head = with_pocket(toy_head())
    points, face = sample_surface(head.vertices, head.faces, 12_000, seed=0)
    hidden = face >= len(toy_head().faces)
    region = face_region_of_points(points, NOSE)
    near = np.linalg.norm(points - NOSE, axis=1) <= 0.095
    kept = {tuple(point) for point in region.points}
    seen = np.array([tuple(point) in kept for point in points])
    assert seen[near & ~hidden].mean() > 0.97
    assert seen[near & hidden].mean() < 0.03
