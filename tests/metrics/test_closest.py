import numpy as np
import pytest
import trimesh

from rigface.metrics.closest import closest_barycentric, closest_on_mesh


def brute_force(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Distance to the nearest of all triangles, by dense sampling of each one's barycentrics."""
    every_point = np.repeat(points, len(triangles), axis=0)
    every_triangle = np.tile(triangles, (len(points), 1, 1))
    bary = closest_barycentric(every_point, every_triangle)
    found = np.einsum("nc,ncd->nd", bary, every_triangle)
    return np.linalg.norm(found - every_point, axis=1).reshape(len(points), -1).min(axis=1)


def test_single_triangles_against_a_fine_grid(rng):
    triangles, points = rng.normal(size=(40, 3, 3)), rng.normal(size=(40, 3)) * 2
    bary = closest_barycentric(points, triangles)
    assert bary.min() >= 0
    assert np.allclose(bary.sum(axis=1), 1)
    distance = np.linalg.norm(np.einsum("nc,ncd->nd", bary, triangles) - points, axis=1)
    first, second = np.meshgrid(np.linspace(0, 1, 201), np.linspace(0, 1, 201))
    grid = np.stack([first, second, 1 - first - second], axis=-1)[first + second <= 1]
    for i in range(40):
        sampled = np.linalg.norm(grid @ triangles[i] - points[i], axis=1).min()
        assert distance[i] <= sampled + 1e-12
        assert distance[i] > sampled - 0.05


def test_corners_edges_and_insides_are_told_apart():
    triangle = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    points = np.array([[0.2, 0.2, 5], [0.5, -3, 1], [-1, -1, 0], [2, 2, 0], [4, 0, 0]])
    bary = closest_barycentric(points, np.repeat(triangle[None], 5, axis=0))
    expected = [[0.6, 0.2, 0.2], [0.5, 0.5, 0], [1, 0, 0], [0, 0.5, 0.5], [0, 1, 0]]
    assert np.allclose(bary, expected)
    assert (bary == 0).sum() == 6


def test_degenerate_triangles_are_segments_or_points():
    segment = np.array([[0.0, 0, 0], [2, 0, 0], [1, 0, 0]])
    point = np.ones((3, 3))
    triangles = np.stack([segment, point])
    bary = closest_barycentric(np.array([[0.5, 1.0, 0], [0, 0, 0]]), triangles)
    found = np.einsum("nc,ncd->nd", bary, triangles)
    assert np.allclose(found, [[0.5, 0, 0], [1, 1, 1]])


def test_mesh_agrees_with_all_triangles_tried(rng):
    ball = trimesh.creation.icosphere(subdivisions=2)
    vertices, faces = np.array(ball.vertices), np.array(ball.faces, dtype=np.int64)
    points = rng.normal(size=(200, 3))
    found = closest_on_mesh(points, vertices, faces)
    assert np.abs(found.distance - brute_force(points, vertices[faces])).max() < 1e-12
    rebuilt = np.einsum("nc,ncd->nd", found.bary, vertices[faces[found.face]])
    assert np.array_equal(rebuilt, found.point)


def test_float64_survives_an_offset_that_float32_does_not(rng):
    igl = pytest.importorskip("igl")
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.1)
    offset = np.array([1e4, -2e4, 5e3])
    vertices, faces = np.array(ball.vertices) + offset, np.array(ball.faces, dtype=np.int64)
    points = rng.normal(size=(300, 3)) * 0.1 + offset
    square, _, _ = igl.point_mesh_squared_distance(points, vertices, faces)
    found = closest_on_mesh(points, vertices, faces)
    assert np.abs(found.distance - np.sqrt(square)).max() < 1e-9
