"""The PLY reader: both byte orders, ascii, any property order, lists, and damaged headers."""

import struct

import numpy as np
import pytest
from scan_files import ply_bytes, sheet

from rigface.errors import InputError
from rigface.io.ply import read_ply


@pytest.fixture
def read(tmp_path):
    def from_bytes(data: bytes | str):
        path = tmp_path / "scan.ply"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return read_ply(path)

    return from_bytes


def ascii_ply(elements: str, body: str) -> str:
    return f"ply\nformat ascii 1.0\n{elements}end_header\n{body}"


XYZ = "property float x\nproperty float y\nproperty float z\n"


@pytest.mark.parametrize("order", ["<", ">"])
def test_binary_in_any_property_order(read, order):
    vertices, faces = sheet()
    mesh = read(ply_bytes(vertices, faces, order))
    np.testing.assert_array_equal(mesh.vertices, vertices)
    np.testing.assert_array_equal(mesh.faces, faces)


def test_ascii_with_mixed_polygons(read):
    mesh = read(
        ascii_ply(
            f"comment x\nobj_info y\nelement vertex 5\n{XYZ}element face 2\n"
            "property uchar flags\nproperty list uchar int vertex_index\n",
            "0 0 0\n1 0 0\n1 1 0\n0 1 0\n2 2 0\n9 3 0 1 2\n9 4 0 1 2 3\n",
        )
    )
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 1, 2], [0, 2, 3]]
    assert mesh.vertices[4].tolist() == [2, 2, 0]


@pytest.mark.parametrize("order", ["<", ">"])
def test_binary_with_mixed_polygons_and_elements_to_skip(read, order):
    name = "little" if order == "<" else "big"
    header = (
        (
            f"ply\r\nformat binary_{name}_endian 1.0\r\nelement camera 1\r\nproperty float f\r\n"
            "property list int short path\r\nelement vertex 4\r\n"
            f"{XYZ}element face 3\r\nproperty list ushort uint vertex_indices\r\n"
            "property char mark\r\nelement gravity 1\r\nproperty double g\r\nend_header\r\n"
        )
        .replace("\r\n", "\n")
        .replace("\n", "\r\n")
    )
    body = struct.pack(order + "fi3h", 50, 3, 1, 2, 3)
    body += struct.pack(order + "12f", *range(12))
    body += struct.pack(order + "H3Ib", 3, 0, 1, 2, -1)
    body += struct.pack(order + "H4Ib", 4, 0, 1, 2, 3, -1) + struct.pack(order + "Hb", 0, 5)
    mesh = read(header.encode() + body + struct.pack(order + "d", 9.81))
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 1, 2], [0, 2, 3]]
    assert mesh.vertices.ravel().tolist() == list(range(12))
    assert mesh.notes == ["ignored 1 faces with fewer than 3 corners"]


def test_normals_colors_and_no_faces(read):
    mesh = read(
        ascii_ply(
            f"element vertex 2\n{XYZ}property float nx\nproperty float ny\nproperty float nz\n"
            "property uchar red\nproperty uchar green\nproperty uchar blue\nproperty uchar alpha\n",
            "0 0 0 0 0 1 255 0 128 255\n1 0 0 0 1 0 0 0 0 255\n",
        )
    )
    assert mesh.faces is None
    assert mesh.normals.tolist() == [[0, 0, 1], [0, 1, 0]]
    np.testing.assert_allclose(mesh.colors[0], [1, 0, 0.215861], atol=1e-6)


def test_uv_of_corners_and_of_vertices(read):
    head = f"element vertex 4\n{XYZ}%selement face 1\nproperty list uchar int vertex_indices\n"
    corners = read(
        ascii_ply(
            head % "" + "property list uchar float texcoord\n",
            "0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3 8 0 0 1 0 1 1 0 1\n",
        )
    )
    assert corners.uv.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]
    assert corners.uv_faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    vertices = read(
        ascii_ply(
            head % "property float s\nproperty float t\n",
            "0 0 0 .5 .25\n1 0 0 0 0\n1 1 0 0 0\n0 1 0 1 1\n3 3 1 0\n",
        )
    )
    assert vertices.uv[vertices.uv_faces[0]].tolist() == [[1, 1], [0, 0], [0.5, 0.25]]


@pytest.mark.parametrize("cut", [0.1, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("order", ["<", ">"])
def test_cut_short(read, cut, order):
    data = ply_bytes(*sheet(), order)
    with pytest.raises(InputError, match="cut short|no PLY"):
        read(data[: int(len(data) * cut)])


@pytest.mark.parametrize(
    "count",
    [
        "vertex 99999999999",
        "vertex 400000000",
        "face 999999999999999999",
        "vertex 60000000",
    ],
)
def test_absurd_sizes_are_refused_before_allocating(read, count):
    head = f"element {count}\n{XYZ}" if "vertex" in count else f"element vertex 1\n{XYZ}"
    if "face" in count:
        head += f"element {count}\nproperty list uchar int vertex_indices\n"
    for form in ("ascii", "binary_little_endian"):
        with pytest.raises(InputError, match="announces"):
            read(f"ply\nformat {form} 1.0\n{head}end_header\n0 0 0\n")


@pytest.mark.parametrize(
    "header",
    [
        "format ascii 2\nproperty float x\n",
        "format klingon 1.0\n",
        "element vertex 3\nproperty float x\n",
        "format ascii 1.0\nelement vertex -3\n",
        "format ascii 1.0\nelement vertex many\n",
        "format ascii 1.0\nelement vertex 3\nproperty quad x\n",
        "format ascii 1.0\nelement face 3\nproperty list float int vertex_indices\n",
        "format ascii 1.0\nhello\n",
    ],
)
def test_damaged_headers(read, header):
    with pytest.raises(InputError, match="damaged PLY header"):
        read(f"ply\n{header}end_header\n")


def test_negative_list_and_text_among_numbers(read):
    face = "element face 1\nproperty list char int vertex_indices\n"
    head = f"element vertex 1\n{XYZ}{face}"
    with pytest.raises(InputError, match="announces -2 entries"):
        read(ascii_ply(head, "0 0 0\n-2 0 0\n"))
    with pytest.raises(InputError, match="not all numbers"):
        read(ascii_ply(head, "0 0 zero\n3 0 0 0\n"))


def test_depth_frame_is_sent_to_the_depth_command(data_dir):
    with pytest.raises(InputError, match="rigface depth"):
        read_ply(data_dir / "depth" / "truedepth_mannequin" / "frame-040.ply")
