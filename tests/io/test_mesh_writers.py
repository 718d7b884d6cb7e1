"""Written meshes read back exactly, by us and by others, and appear whole or not at all."""

from typing import Any

import numpy as np
import pytest
import trimesh
from scan_files import got, sheet

from rigface.errors import OutputError
from rigface.geometry.mesh import Mesh
from rigface.io import load_scan, save_obj, save_ply
from rigface.io.obj import read_obj
from rigface.io.ply import read_ply


@pytest.fixture
def mesh(rng) -> Mesh:
    vertices, faces = sheet()
    vertices = vertices + rng.normal(size=vertices.shape) * 1e-9
    return Mesh(vertices, faces, rng.random((50, 2)), rng.integers(0, 50, faces.shape),
                rng.random(vertices.shape))  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_obj_round_trip_is_exact(tmp_path, mesh, dtype):
    mesh = mesh.with_vertices(mesh.vertices.astype(dtype))
    path = tmp_path / "mesh.obj"
    save_obj(path, mesh, normals=mesh.vertices, comment="two\nlines")
    back = load_scan(path)
    np.testing.assert_array_equal(back.vertices.astype(dtype), mesh.vertices)
    assert back.faces is not None
    np.testing.assert_array_equal(back.faces, mesh.faces)
    assert back.uv is not None
    np.testing.assert_array_equal(back.uv, mesh.uv)
    assert back.uv_faces is not None
    np.testing.assert_array_equal(back.uv_faces, mesh.uv_faces)
    assert back.colors is None
    assert path.read_text().startswith("# two\n# lines\nv ")


@pytest.mark.parametrize(
    ("uv", "normals", "corner"),
    [(True, True, "1/2/1"), (True, False, "1/2"), (False, True, "1//1"), (False, False, "1")],
)
def test_obj_corners(tmp_path, mesh, uv, normals, corner):
    one = Mesh(mesh.vertices[:3], np.array([[0, 1, 2]]))
    if uv:
        one = Mesh(one.vertices, one.faces, mesh.uv, np.array([[1, 2, 3]]))
    save_obj(tmp_path / "a.obj", one, normals=one.vertices if normals else None)
    assert (tmp_path / "a.obj").read_text().splitlines()[-1].split()[1] == corner


def test_obj_colors_only_when_asked(tmp_path, mesh):
    save_obj(tmp_path / "a.obj", mesh, colors=True)
    np.testing.assert_allclose(got(read_obj(tmp_path / "a.obj").colors), mesh.colors, atol=1e-6)


@pytest.mark.parametrize("ascii_file", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ply_round_trip_is_exact(tmp_path, mesh, rng, ascii_file, dtype):
    path = tmp_path / "mesh.ply"
    codes = rng.integers(0, 256, mesh.vertices.shape).astype(np.uint8)
    quality = rng.random(len(mesh.vertices))
    save_ply(
        path, mesh, codes, {"quality": quality}, ascii=ascii_file, precision=dtype, comment="a\nb"
    )
    back = read_ply(path)
    np.testing.assert_array_equal(back.vertices.astype(dtype), mesh.vertices.astype(dtype))
    assert back.faces is not None
    np.testing.assert_array_equal(back.faces, mesh.faces)
    # The colours come back as the same codes: decoding and encoding are inverse.
    save_ply(tmp_path / "again.ply", Mesh(back.vertices, got(back.faces)), back.colors)
    other: Any = trimesh.load_mesh(tmp_path / "again.ply", process=False)
    np.testing.assert_array_equal(other.visual.vertex_colors[:, :3], codes)


def test_ply_is_read_by_trimesh(tmp_path, mesh):
    for ascii_file in (True, False):
        save_ply(tmp_path / "a.ply", mesh, ascii=ascii_file)
        other = trimesh.load_mesh(tmp_path / "a.ply", process=False)
        np.testing.assert_array_equal(other.vertices, mesh.vertices)
        np.testing.assert_array_equal(other.faces, mesh.faces)


def test_ply_points(tmp_path, rng):
    points = Mesh(rng.normal(size=(700, 3)), np.zeros((0, 3), int))
    save_ply(tmp_path / "a.ply", points)
    assert load_scan(tmp_path / "a.ply").is_point_cloud


@pytest.mark.parametrize("save", [save_obj, save_ply])
def test_nothing_half_written(tmp_path, mesh, save):
    path = tmp_path / "new" / "mesh.ply"
    save(path, mesh)
    before = path.read_bytes()
    bad = mesh.vertices.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        save(path, mesh.with_vertices(bad))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(OutputError, match="is a folder"):
        save(tmp_path, mesh)
    with pytest.raises(OutputError, match="cannot be written"):
        save(path / "below" / "a.ply", mesh)
