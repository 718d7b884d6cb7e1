"""Repairs: what changes, what must not, and that each is told."""

import numpy as np
import pytest
from scan_files import got, sheet

from rigface.io import repair as repair_module
from rigface.io.parsed import ParsedMesh
from rigface.io.repair import first_of_equal_rows, repair


def test_a_good_mesh_is_left_alone():
    vertices, faces = sheet()
    mesh = ParsedMesh(vertices, faces)
    repair(mesh)
    assert mesh.notes == []
    assert mesh.vertices is vertices
    assert mesh.faces is not None
    np.testing.assert_array_equal(mesh.faces, faces)


def test_degenerate_and_duplicate_faces_go_with_their_uv():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0], [0, 0, 0]], float)
    faces = np.array([[0, 1, 2], [0, 0, 2], [0, 1, 3], [0, 4, 2], [2, 1, 0], [1, 3, 2]])
    uv_faces = np.arange(18).reshape(6, 3)
    mesh = ParsedMesh(vertices, faces, uv=np.zeros((18, 2)), uv_faces=uv_faces)
    repair(mesh)
    assert got(mesh.faces).tolist() == [[0, 1, 2], [1, 3, 2]]
    assert got(mesh.uv_faces).tolist() == [[0, 1, 2], [15, 16, 17]]
    assert mesh.notes == [
        "removed 3 degenerate faces",
        "removed 1 duplicate faces",
        "1 vertices belong to no face; they are kept and not fitted",
    ]


def test_thin_but_real_triangles_stay():
    vertices = np.array([[0, 0, 0], [1e3, 0, 0], [500, 1e-4, 0]], float)
    mesh = ParsedMesh(vertices, np.array([[0, 1, 2]]))
    repair(mesh)
    assert len(got(mesh.faces)) == 1


def test_soup_is_merged_and_keeps_uv_per_corner(rng):
    vertices, faces = sheet()
    corners = vertices[faces].reshape(-1, 3)
    ids = np.arange(len(corners)).reshape(-1, 3)
    uv = rng.random((len(corners), 2))
    mesh = ParsedMesh(corners.copy(), ids, uv=uv, uv_faces=ids)
    repair(mesh)
    assert len(mesh.vertices) == len(vertices)
    np.testing.assert_array_equal(mesh.vertices[got(mesh.faces)], vertices[faces])
    np.testing.assert_array_equal(got(mesh.uv)[got(mesh.uv_faces)], uv[ids])
    assert mesh.notes == [f"merged {len(corners)} vertices into {len(vertices)}"
                          " with distinct positions"]  # fmt: skip


def test_doubled_vertices_of_a_connected_mesh_keep_their_ids():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0]], float)
    mesh = ParsedMesh(vertices, np.array([[0, 1, 2], [2, 4, 3]]))
    repair(mesh)
    assert got(mesh.faces).tolist() == [[0, 1, 2], [2, 4, 3]]


def test_negative_zero_is_the_same_place():
    rows = np.array([[0.0, 1, 2], [-0.0, 1, 2], [0, 1, 3]])
    assert first_of_equal_rows(rows).tolist() == [0, 0, 2]


@pytest.mark.parametrize("collide", [False, True])
def test_first_of_equal_rows_equals_the_slow_way(rng, monkeypatch, collide):
    rows = rng.integers(0, 4, size=(500, 3)).astype(float)
    if collide:  # every hash alike: the check behind the hash must save the day
        monkeypatch.setattr(repair_module, "_hash", lambda rows: np.zeros(len(rows), np.uint64))
    slow = [next(i for i, other in enumerate(rows) if np.array_equal(other, row)) for row in rows]
    assert first_of_equal_rows(rows).tolist() == slow


def test_corners_without_uv_share_one_point():
    vertices, faces = sheet(2, 3)
    uv_faces = np.array([[0, 1, 2], [-1, 0, 1], [0, 1, 9], [2, 1, 0]])
    mesh = ParsedMesh(vertices, faces, uv=np.ones((3, 2)), uv_faces=uv_faces)
    repair(mesh)
    assert got(mesh.uv)[got(mesh.uv_faces)[1, 0]].tolist() == [0, 0]
    assert got(mesh.uv_faces).tolist()[2] == [0, 1, 3]
    assert mesh.notes == ["2 faces have no UV; they got (0, 0)"]


def test_broken_extras_do_not_spoil_the_surface():
    vertices, faces = sheet()
    normals = np.full_like(vertices, np.nan)
    mesh = ParsedMesh(vertices, faces, normals, np.full((30, 2), np.inf), faces)
    repair(mesh)
    assert mesh.normals is None and mesh.uv is None and mesh.uv_faces is None
    assert len(mesh.notes) == 2
