"""The cotangent Laplacian: constants, linear functions, the sphere and degenerate triangles."""

import numpy as np
import trimesh

from rigface.geometry.laplacian import cotangent_laplacian


def grid(count: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A flat jittered grid, its faces, and which vertices are inside."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(count), np.arange(count), indexing="ij")
    inside = ((x > 0) & (x < count - 1) & (y > 0) & (y < count - 1)).ravel()
    vertices = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1).astype(float)
    vertices[inside, :2] += rng.uniform(-0.2, 0.2, (inside.sum(), 2))
    a = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).ravel()
    b, c, d = a + count, a + count + 1, a + 1
    return vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]), inside


def test_it_is_symmetric_and_positive_and_constants_cost_nothing():
    vertices, faces, _ = grid()
    matrix, area = cotangent_laplacian(vertices, faces)
    dense = matrix.toarray()
    np.testing.assert_allclose(dense, dense.T, atol=1e-14)
    np.testing.assert_allclose(dense @ np.ones(len(vertices)), 0, atol=1e-13)
    assert np.linalg.eigvalsh(dense).min() > -1e-12
    assert (area > 0).all()


def test_right_triangle_by_hand():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    matrix, area = cotangent_laplacian(vertices, np.array([[0, 1, 2]]))
    # cot 90 degrees is 0, clipped to 0.05; cot 45 degrees is 1
    expected = np.array([[1.0, -0.5, -0.5], [-0.5, 0.525, -0.025], [-0.5, -0.025, 0.525]])
    np.testing.assert_allclose(matrix.toarray(), expected, atol=1e-14)
    np.testing.assert_allclose(area, 1 / 6)


def test_linear_functions_are_harmonic_where_no_angle_is_clipped():
    # around one vertex of an equilateral fan in the plane
    angles = np.arange(6) * np.pi / 3
    ring = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    vertices = np.concatenate([np.zeros((1, 3)), ring])
    faces = np.array([[0, 1 + i, 1 + (i + 1) % 6] for i in range(6)])
    matrix, _ = cotangent_laplacian(vertices, faces)
    np.testing.assert_allclose((matrix @ vertices)[0], 0, atol=1e-14)


def test_on_a_unit_sphere_coordinates_are_eigenfunctions_of_two():
    sphere = trimesh.creation.icosphere(subdivisions=4)
    vertices = np.asarray(sphere.vertices)
    matrix, area = cotangent_laplacian(vertices, np.asarray(sphere.faces))
    applied = (matrix @ vertices) / area[:, None]
    error = np.linalg.norm(applied - 2 * vertices, axis=1)
    assert np.median(error) < 0.02
    np.testing.assert_allclose(area.sum(), 4 * np.pi, rtol=0.01)


def test_slivers_stay_bounded():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0.5, 1e-9, 0], [0.5, 1, 0]])
    matrix, area = cotangent_laplacian(vertices, np.array([[0, 1, 2], [0, 1, 3]]))
    assert np.isfinite(matrix.toarray()).all()
    assert np.abs(matrix.toarray()).max() <= 40
    assert np.linalg.eigvalsh(matrix.toarray()).min() > -1e-12
    assert (area > 0).all()
