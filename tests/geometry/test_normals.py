"""Normals of noisy surfaces against the surfaces they were made from."""

import numpy as np
import pytest
import trimesh

from rigface.geometry.mesh import Mesh, vertex_normals
from rigface.geometry.normals import agreed_signs, calm_normals, plane_normals, unit


def ball(subdivisions: int) -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=subdivisions)
    return Mesh(np.array(sphere.vertices), np.array(sphere.faces, dtype=np.int64))


def degrees(normals: np.ndarray, expected: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip((normals * expected).sum(axis=1), -1, 1)))


@pytest.mark.parametrize("subdivisions", [2, 5])
def test_a_clean_mesh_keeps_its_plain_normals(subdivisions):
    mesh = ball(subdivisions)
    normals, passes = calm_normals(mesh.vertices, mesh.faces)
    assert passes == 0
    np.testing.assert_array_equal(normals, vertex_normals(mesh.vertices, mesh.faces))


@pytest.mark.parametrize("noise", [0.008, 0.015])
def test_noise_as_large_as_half_an_edge_is_averaged_out(noise, rng):
    mesh = ball(5)  # edges of some 0.035
    noisy = mesh.vertices + noise * rng.standard_normal(mesh.vertices.shape)
    normals, passes = calm_normals(noisy, mesh.faces)
    plain = degrees(vertex_normals(noisy, mesh.faces), mesh.vertices)
    calm = degrees(normals, mesh.vertices)
    assert passes > 0
    assert np.median(calm) < 0.5 * np.median(plain)
    assert np.median(calm) < 8


def test_a_mesh_without_faces_has_no_normals():
    normals, passes = calm_normals(np.ones((4, 3)), np.zeros((0, 3), dtype=np.int64))
    assert passes == 0 and not normals.any()


def test_planes_of_neighbours_stand_on_the_surface(rng):
    points = unit(rng.standard_normal((4000, 3)))
    normals = plane_normals(points, 14)
    unsigned = np.abs((normals * points).sum(axis=1))
    assert np.percentile(unsigned, 1) > np.cos(np.radians(8))
    some = np.arange(0, 4000, 7)
    np.testing.assert_allclose(np.abs((plane_normals(points, 14, some) * normals[some]).sum(1)), 1)


def test_signs_follow_the_neighbours_where_the_hint_is_wrong(rng):
    points = unit(rng.standard_normal((4000, 3)))
    normals = points * rng.choice([-1.0, 1.0], 4000)[:, None]
    hint = (normals * points).sum(axis=1) * 0.6
    wrong = np.linalg.norm(points - [0, 0, 1], axis=1) < 0.2
    hint[wrong] *= -1
    assert wrong.sum() > 30
    outward = (normals * points).sum(axis=1) * agreed_signs(points, normals, hint)
    assert (outward > 0).all()
