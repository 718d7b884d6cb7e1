"""Rounding a coarse mesh brings it nearer to the surface that it was made from."""

import numpy as np
import trimesh

from rigface.geometry.mesh import Mesh, boundary_edges, face_normals
from rigface.geometry.rounding import rounded


def ball() -> Mesh:
    mesh = trimesh.creation.icosphere(subdivisions=2)
    return Mesh(np.array(mesh.vertices), np.array(mesh.faces, dtype=np.int64))


def test_half_meets_the_arc():
    new = rounded(ball(), 0.5).vertices[len(ball().vertices) :]
    assert np.abs(np.linalg.norm(new, axis=1) - 1).max() < 0.002
    flat = rounded(ball(), 0.0).vertices[len(ball().vertices) :]
    assert np.abs(np.linalg.norm(flat, axis=1) - 1).min() > 0.008


def test_vertices_stay_and_no_seam_opens():
    fine = rounded(ball())
    np.testing.assert_array_equal(fine.vertices[: len(ball().vertices)], ball().vertices)
    assert len(fine.faces) == 4 * len(ball().faces)
    assert len(boundary_edges(fine.faces)) == 0
    normal = face_normals(fine.vertices, fine.faces)
    assert ((normal * fine.vertices[fine.faces].mean(axis=1)).sum(axis=1) > 0).all()


def test_a_plane_stays_a_plane():
    square = Mesh(
        np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]), np.array([[0, 1, 2], [0, 2, 3]])
    )
    fine = rounded(square, 0.5)
    assert not fine.vertices[:, 2].any() and len(fine.vertices) == 9
