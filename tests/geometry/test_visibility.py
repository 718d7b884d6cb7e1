import numpy as np
import pytest
import trimesh

from rigface.geometry.mesh import Mesh, face_normals, sample_surface
from rigface.geometry.visibility import (
    outside_share,
    seen_from_outside,
    seen_points,
    sphere_directions,
    surfels,
)


def ball(radius: float = 1.0, subdivisions: int = 3) -> Mesh:
    made = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return Mesh(np.array(made.vertices), np.array(made.faces, dtype=np.int64))


def joined(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))


def centroids(mesh: Mesh) -> np.ndarray:
    return mesh.vertices[mesh.faces].mean(axis=1)


def pot(depth: float, radius: float = 1.0, rings: int = 24, sides: int = 48) -> Mesh:
    """An open cylinder with a bottom at z = 0 and its mouth at z = depth."""
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius
    heights = np.linspace(0, depth, rings)
    wall = [np.column_stack([circle, np.full(sides, height)]) for height in heights]
    vertices = np.concatenate([*wall, np.zeros((1, 3))])
    faces = []
    for ring in range(rings - 1):
        for side in range(sides):
            a, b = ring * sides + side, ring * sides + (side + 1) % sides
            faces += [[a, b, a + sides], [b, b + sides, a + sides]]
    faces += [[rings * sides, (side + 1) % sides, side] for side in range(sides)]
    return Mesh(vertices, np.array(faces))


def test_directions_are_even_over_the_sphere():
    directions = sphere_directions(300)
    assert np.allclose(np.linalg.norm(directions, axis=1), 1)
    assert np.linalg.norm(directions.mean(axis=0)) < 0.01
    assert np.allclose(directions.T @ directions / 300, np.eye(3) / 3, atol=0.01)
    # Any dozen in a row already looks to all sides.
    assert np.linalg.norm(directions[:60].mean(axis=0)) < 0.25


def test_half_of_the_directions_leave_a_convex_body():
    mesh = ball()
    share = outside_share(mesh, centroids(mesh))
    assert np.abs(share - 0.5).max() < 0.04


def test_a_ball_inside_a_ball_is_hidden():
    mesh = joined(ball(1.0, 2), ball(0.5, 2))
    seen = seen_from_outside(mesh, centroids(mesh))
    half = len(mesh.faces) // 2
    assert seen[:half].all()
    assert not seen[half:].any()


def test_winding_does_not_matter():
    mesh = joined(ball(1.0, 2), ball(0.5, 2))
    turned = Mesh(mesh.vertices, np.ascontiguousarray(mesh.faces[:, ::-1]))
    points = centroids(mesh)
    normals = face_normals(mesh.vertices, mesh.faces)
    assert np.array_equal(
        outside_share(mesh, points, normals), outside_share(turned, points, -normals)
    )


@pytest.mark.parametrize("depth", [2.0, 4.0])
def test_share_at_the_bottom_of_a_pot_is_its_solid_angle(depth):
    mesh = pot(depth)
    inner = np.array([[0.0, 0, 0]])
    lid = Mesh(np.array([[-9.0, -9, -0.01], [9, -9, -0.01], [0, 18, -0.01]]), np.array([[0, 1, 2]]))
    share = outside_share(joined(mesh, lid), inner, np.array([[0.0, 0, 1]]), directions=3000)
    expected = (1 - depth / np.hypot(depth, 1)) / 2
    assert abs(float(share[0]) - expected) < 0.01


def test_stopping_early_decides_the_same(rng):
    mesh = joined(pot(3.0), ball(0.4))
    points, face = sample_surface(mesh.vertices, mesh.faces, 400, seed=1)
    normals = face_normals(mesh.vertices, mesh.faces)[face]
    share = outside_share(mesh, points, normals)
    for least in (0.02, 0.2):
        seen = seen_from_outside(mesh, points, normals, share=least)
        assert np.array_equal(seen, share >= least)
    assert 0 < seen.mean() < 1


def test_result_does_not_depend_on_unit_or_place():
    mesh = joined(ball(1.0, 2), ball(0.5, 2))
    points = centroids(mesh)
    far = np.array([500.0, -200, 100])
    moved = mesh.with_vertices(mesh.vertices * 100 + far)
    assert np.array_equal(
        seen_from_outside(moved, points * 100 + far), seen_from_outside(mesh, points)
    )


def test_points_of_an_inner_shell_are_hidden(rng):
    outer, _ = sample_surface(ball(1.0).vertices, ball().faces, 6000, seed=0)
    inner, _ = sample_surface(ball(0.5).vertices, ball().faces, 1500, seed=1)
    points = np.concatenate([outer, inner]) + rng.normal(size=(7500, 3)) * 0.003
    seen = seen_points(points)
    assert seen[:6000].mean() > 0.99
    assert seen[6000:].mean() < 0.01


def test_surfels_lie_in_the_surface():
    points, _ = sample_surface(ball(1.0, 4).vertices, ball(1.0, 4).faces, 4000, seed=0)
    soup, normals, spacing = surfels(points)
    assert np.abs((normals * points).sum(axis=1)).min() > 0.97
    assert np.allclose(soup.vertices[soup.faces].mean(axis=1), points)
    # 4,000 points on an area of 4 pi.
    assert 0.3 < spacing / np.sqrt(4 * np.pi / 4000) < 1.5


def test_very_few_points_are_all_seen():
    assert seen_points(np.zeros((3, 3))).all()
