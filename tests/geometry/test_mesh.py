import numpy as np
import pytest
import trimesh

from rigface.geometry.mesh import (
    Mesh,
    boundary_edges,
    face_areas,
    face_normals,
    sample_surface,
    submesh,
    unique_edges,
    vertex_normals,
)


def sphere(subdivisions: int = 2, radius: float = 1.0) -> Mesh:
    ball = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return Mesh(np.array(ball.vertices), np.array(ball.faces, dtype=np.int64))


def test_normals_follow_the_corner_order():
    vertices = np.array([[0.0, 0, 0], [2, 0, 0], [0, 3, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 1], [0, 0, 1]])
    assert face_normals(vertices, faces).tolist() == [[0, 0, 1], [0, 0, -1], [0, 0, 0]]
    assert face_areas(vertices, faces).tolist() == [3, 3, 0]


def test_normals_of_a_batch_equal_those_of_its_items(rng):
    mesh = sphere(1)
    batch = mesh.vertices + rng.normal(size=(3, 2, *mesh.vertices.shape)) * 0.1
    together = face_normals(batch, mesh.faces)
    assert together.shape == (3, 2, len(mesh.faces), 3)
    assert np.array_equal(together[1, 0], face_normals(batch[1, 0], mesh.faces))


def test_vertex_normals_of_a_sphere_are_radial_and_zero_where_nothing_is_attached():
    mesh = sphere(3)
    padded = np.concatenate([mesh.vertices, [[5.0, 5, 5]]])
    normals = vertex_normals(padded, mesh.faces)
    assert (normals[:-1] * mesh.vertices).sum(-1).min() > 0.999
    assert np.array_equal(normals[-1], np.zeros(3))


def test_edges_of_a_closed_and_an_open_mesh():
    mesh = sphere(1)
    edges = unique_edges(mesh.faces)
    assert len(mesh.vertices) - len(edges) + len(mesh.faces) == 2
    assert len(boundary_edges(mesh.faces)) == 0
    border = boundary_edges(mesh.faces[1:])
    directed = {tuple(edge) for edge in border.tolist()}
    a, b, c = mesh.faces[0].tolist()
    # The neighbours run along the missing face in the opposite direction.
    assert directed == {(b, a), (c, b), (a, c)}


@pytest.mark.parametrize("as_mask", [True, False])
def test_submesh_keeps_positions(as_mask):
    mesh = sphere(1)
    chosen = np.arange(len(mesh.faces)) % 3 == 0
    part, kept = submesh(mesh, chosen if as_mask else np.flatnonzero(chosen))
    assert np.array_equal(part.vertices[part.faces], mesh.vertices[mesh.faces[chosen]])
    assert np.array_equal(part.vertices, mesh.vertices[kept])


def test_samples_lie_on_their_faces_and_follow_area():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 5], [4, 0, 5], [0, 2, 5]])
    faces = np.array([[0, 1, 2], [3, 4, 5]])
    points, face = sample_surface(vertices, faces, 9000, seed=3)
    assert np.allclose(points[:, 2], np.where(face == 0, 0, 5))
    # Areas 1/2 and 4: eight ninths of the points, give or take four standard deviations.
    assert abs((face == 1).mean() - 8 / 9) < 4 * np.sqrt(8 / 81 / 9000)
    centroid = vertices[faces[1]].mean(axis=0)
    assert np.allclose(points[face == 1].mean(axis=0), centroid, atol=0.05)
    again, _ = sample_surface(vertices, faces, 9000, seed=3)
    assert np.array_equal(points, again)
