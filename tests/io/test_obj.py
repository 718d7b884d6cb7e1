"""The OBJ reader on everything that is met in the wild."""

import time

import numpy as np
import pytest
from scan_files import got, obj_text, sheet

from rigface.errors import InputError
from rigface.io.obj import read_obj


@pytest.fixture
def read(tmp_path):
    def from_text(text: str, **options):
        path = tmp_path / "scan.obj"
        path.write_bytes(text.encode())
        return read_obj(path, **options)

    return from_text


SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"


def test_quads_and_polygons_become_fans(read):
    mesh = read(SQUARE + "v 2 2 0\nf 1 2 3 4\nf 1 2 3 4 5\nf 1 2\n")
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2], [0, 2, 3], [0, 3, 4]]
    assert mesh.notes == ["ignored 1 faces with fewer than 3 corners"]


def test_uv_stay_with_the_corners(read):
    mesh = read(SQUARE + "vt 0 0\nvt 1 0\nvt .5 1 0\nf 1/1 2/2 3/3\nf 1/3/1 3/2/1 4/1/1\n")
    assert mesh.vertices.shape == (4, 3)
    assert mesh.uv.tolist() == [[0, 0], [1, 0], [0.5, 1]]
    assert mesh.uv_faces.tolist() == [[0, 1, 2], [2, 1, 0]]


@pytest.mark.parametrize(
    "face", ["f 1//1 2//2 3//3", "f 1/ 2/ 3/", "f 1 2/ 3//7", "f\t1 2\t3  ", "f 1/1/1 2/1 3 # no"]
)
def test_missing_slots_and_slashes(read, face):
    mesh = read(SQUARE + "vt 0.25 0.5\n" + face + "\n")
    assert mesh.faces.tolist() == [[0, 1, 2]]
    expected = [[0, 0, -1]] if "1/1/1" in face else None
    assert (None if mesh.uv_faces is None else mesh.uv_faces.tolist()) == expected


def test_negative_indices_count_back_from_their_own_line(read):
    text = "v 0 0 0\nv 1 0 0\nv 1 1 0\nvt 0 0\nvt 0 1\nf -3/-2 -2/-1 -1/-1\nv 0 1 0\nf -4 -2 -1\n"
    for chunk in (1, 30, 1 << 20):
        mesh = read(text, chunk_bytes=chunk)
        assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
        assert mesh.uv_faces.tolist() == [[0, 1, 1], [-1, -1, -1]]


def test_colors_in_both_ranges_are_linear(read):
    unit = read("v 0 0 0 1 0.5 0\nv 1 0 0 0 0 0\nv 0 1 0 0 0 1\nf 1 2 3\n")
    byte = read("v 0 0 0 255 127.5 0\nv 1 0 0 0 0 0\nv 0 1 0 0 0 255\nf 1 2 3\n")
    np.testing.assert_allclose(unit.colors, byte.colors)
    np.testing.assert_allclose(unit.colors[0], [1.0, 0.214041, 0.0], atol=1e-6)
    assert read("v 0 0 0 1 1 1\nv 1 0 0\nv 0 1 0\nf 1 2 3\n").colors is None


def test_crlf_comments_continuations_groups(read):
    text = (
        "# https://github.com/mikedh/trimesh\r\nmtllib a.mtl\r\no first\r\n"
        "v 0 0 0\r\n  v 1 0 0 # second\r\nv 1 1 0 1.0\r\n"
        "g one\r\nusemtl skin\r\ns off\r\nf 1 \\\r\n 2 3\r\n"
        "o second\r\nv 0 1 0\r\nf 1 3 4\r\nl 1 2\r\n"
    )
    mesh = read(text)
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_nan_and_infinity_are_numbers(read):
    mesh = read("v nan inf -Infinity\nvn 0 nan 1\nvt inf 0\n")
    np.testing.assert_array_equal(mesh.vertices, [[np.nan, np.inf, -np.inf]])
    np.testing.assert_array_equal(mesh.normals, [[0, np.nan, 1]])


def test_points_keep_their_normals(read):
    mesh = read("v 0 0 0\nvn 0 0 1\nv 1 0 0\nvn 0 1 0\n")
    assert mesh.faces is None
    assert mesh.normals.tolist() == [[0, 0, 1], [0, 1, 0]]


def test_chunks_do_not_matter(read, rng):
    vertices, faces = sheet(20, 20)
    text = obj_text(vertices, faces)
    whole = read(text)
    for chunk in (100, 1000, 4096):
        part = read(text, chunk_bytes=chunk)
        np.testing.assert_array_equal(part.vertices, whole.vertices)
        np.testing.assert_array_equal(part.faces, whole.faces)
    np.testing.assert_array_equal(whole.vertices, vertices)
    np.testing.assert_array_equal(whole.faces, faces)


@pytest.mark.parametrize(
    "line",
    [
        "v 1 2",
        "v 1,5 2,5 3,5",
        "v 1 2 x",
        "v 1.#QNAN 0 0",
        "f 1 2 a",
        "f /1 /2 /3",
        "f 1/1/1/1 2 3",
        "f 1/2 / 3",
        "f 0 1 2",
        "vt x",
    ],
)
def test_unreadable_lines_are_named(read, line):
    with pytest.raises(InputError, match="line 5: '" + line[0]):
        read(SQUARE + line + "\n")


def test_speed_of_a_hundred_thousand_vertices(tmp_path):
    vertices, faces = sheet(320, 320)
    path = tmp_path / "big.obj"
    path.write_text(obj_text(vertices.round(6), faces))
    start = time.process_time()
    mesh = read_obj(path)
    # A million vertices in a few seconds; a reader in plain Python needs ten times longer.
    assert time.process_time() - start < 1.5
    assert mesh.vertices.shape == (102_400, 3)


def test_template_of_meshmonk_equals_a_plain_reader(data_dir):
    path = data_dir / "scans" / "meshmonk" / "Template.obj"
    vertices, uv, corners = [], [], []
    for line in path.read_text().splitlines():
        word, *rest = line.split() or [""]
        if word == "v":
            vertices.append([float(x) for x in rest])
        elif word == "vt":
            uv.append([float(x) for x in rest[:2]])
        elif word == "f":
            corners.append([[int(i) - 1 for i in corner.split("/")] for corner in rest])
    mesh = read_obj(path)
    np.testing.assert_array_equal(mesh.vertices, vertices)
    assert mesh.uv is not None
    np.testing.assert_array_equal(mesh.uv, uv)
    np.testing.assert_array_equal(np.stack([got(mesh.faces), got(mesh.uv_faces)], -1), corners)
