"""glTF: what ends up in the scene, in scene coordinates, however the file stores it."""

import json
import struct

import numpy as np
import pytest
from scan_files import glb_bytes, gltf_parts, gltf_text, got, sheet

from rigface.errors import InputError
from rigface.io.gltf import read_glb, read_gltf
from rigface.io.scan import load_scan


@pytest.fixture
def parts():
    vertices, faces = sheet()
    content, buffer = gltf_parts(vertices, faces)
    return vertices, faces, content, buffer


@pytest.fixture
def read(tmp_path):
    def from_parts(content: dict, buffer: bytes):
        path = tmp_path / "scan.glb"
        path.write_bytes(glb_bytes(content, buffer))
        return read_glb(path)

    return from_parts


def test_plain_mesh_in_three_containers(parts, read, tmp_path):
    vertices, faces, content, buffer = parts
    (tmp_path / "inside.gltf").write_text(gltf_text(content, buffer))
    (tmp_path / "the buffer.bin").write_bytes(buffer)
    beside = {**content, "buffers": [{**content["buffers"][0], "uri": "the%20buffer.bin"}]}
    (tmp_path / "beside.gltf").write_text(json.dumps(beside))
    meshes = [read(content, buffer)]
    meshes += [read_gltf(tmp_path / name) for name in ("inside.gltf", "beside.gltf")]
    for mesh in meshes:
        np.testing.assert_array_equal(mesh.vertices, vertices)
        np.testing.assert_array_equal(mesh.faces, faces)


def test_nested_nodes_and_mirrors(parts, read):
    vertices, faces, content, buffer = parts
    half = np.sqrt(0.5)
    content["nodes"] = [
        {"children": [1], "translation": [1, 2, 3], "rotation": [0, 0, half, half]},
        {"mesh": 0, "scale": [-2, 2, 2]},
        {"camera": 0},
    ]
    mesh = read(content, buffer)
    x, y, z = (2 * vertices * [-1, 1, 1]).T
    np.testing.assert_allclose(mesh.vertices, np.stack([1 - y, 2 + x, 3 + z], -1), atol=1e-12)
    np.testing.assert_array_equal(mesh.faces, faces[:, ::-1])


def test_matrix_node_and_two_instances(parts, read):
    vertices, faces, content, buffer = parts
    matrix = np.eye(4)
    matrix[:3, 3] = [5, 0, 0]
    content["nodes"] = [{"mesh": 0}, {"mesh": 0, "matrix": matrix.T.ravel().tolist()}]
    content["scenes"] = [{"nodes": [0, 1]}]
    mesh = read(content, buffer)
    count = len(vertices)
    np.testing.assert_array_equal(mesh.vertices[count:], vertices + [5, 0, 0])
    np.testing.assert_array_equal(mesh.faces[len(faces) :], faces + count)


def test_a_scene_without_meshes_falls_back_to_all_nodes(parts, read):
    vertices, _, content, buffer = parts
    content["nodes"] = [{"camera": 0}, {"mesh": 0}]
    assert len(read(content, buffer).vertices) == len(vertices)


def test_no_indices_strips_and_fans(read):
    vertices = sheet()[0][:6]
    content, buffer = gltf_parts(vertices, None)
    primitive = content["meshes"][0]["primitives"][0]
    assert read(content, buffer).faces.tolist() == [[0, 1, 2], [3, 4, 5]]
    primitive["mode"] = 5
    assert read(content, buffer).faces.tolist() == [[0, 1, 2], [2, 1, 3], [2, 3, 4], [4, 3, 5]]
    primitive["mode"] = 6
    assert read(content, buffer).faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 5]]
    primitive["mode"] = 0
    assert read(content, buffer).faces is None


def test_uv_colors_normals_strides_and_quantised_values(read):
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    content, _ = gltf_parts(vertices, None)
    rows = [struct.pack("<3f2H4B", *v, 0, 65535, 255, 0, 51, 255) for v in vertices]
    buffer = b"".join(rows)
    stride = len(rows[0])
    content["buffers"] = [{"byteLength": len(buffer)}]
    content["bufferViews"] = [{"buffer": 0, "byteLength": len(buffer), "byteStride": stride}]
    content["accessors"] = [
        {"bufferView": 0, "byteOffset": at, "componentType": kind, "count": 3, "type": form,
         "normalized": normalized}
        for at, kind, form, normalized in (
            (0, 5126, "VEC3", False), (12, 5123, "VEC2", True), (16, 5121, "VEC4", True))
    ]  # fmt: skip
    attributes = {"POSITION": 0, "TEXCOORD_0": 1, "COLOR_0": 2, "NORMAL": 0}
    content["meshes"][0]["primitives"][0]["attributes"] = attributes
    mesh = read(content, buffer)
    np.testing.assert_array_equal(mesh.vertices, vertices)
    assert mesh.uv.tolist() == [[0, 0]] * 3  # glTF counts V downwards
    np.testing.assert_allclose(mesh.colors, [[1, 0, 0.2]] * 3)
    np.testing.assert_array_equal(mesh.normals[1], [1, 0, 0])


def test_sparse_accessor(parts, read):
    vertices, _, content, buffer = parts
    extra = struct.pack("<I3f", 4, 7, 8, 9)
    content["bufferViews"].append({"buffer": 0, "byteOffset": len(buffer), "byteLength": 16})
    content["accessors"][0]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": 2, "componentType": 5125},
        "values": {"bufferView": 2, "byteOffset": 4},
    }
    content["buffers"][0]["byteLength"] += 16
    mesh = read(content, buffer + extra)
    assert mesh.vertices[4].tolist() == [7, 8, 9]
    np.testing.assert_array_equal(mesh.vertices[5:], vertices[5:])


@pytest.mark.parametrize("cut", [5, 15, 100, 900, -1])
def test_cut_short(parts, tmp_path, cut):
    *_, content, buffer = parts
    path = tmp_path / "scan.glb"
    path.write_bytes(glb_bytes(content, buffer)[:cut])
    with pytest.raises(InputError, match="cut short"):
        read_glb(path)


def _set(content: dict, *keys, value):
    for key in keys[:-1]:
        content = content[key]
    content[keys[-1]] = value


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("accessors", 0, "count"), 10**12, "announces"),
        (("accessors", 0, "count"), 1000, "ends at byte"),
        (("accessors", 0, "count"), -1, "announces"),
        (("bufferViews", 1, "byteOffset"), 10**9, "ends at byte"),
        (("bufferViews", 1, "byteOffset"), -8, "ends at byte"),
        (("buffers", 0, "byteLength"), 10**9, "cut short"),
        (("buffers", 0, "uri"), "gone.bin", "needs the file"),
        (("buffers", 0, "uri"), "/dev/zero", "needs the file"),
        (("meshes", 0, "primitives", 0, "attributes"), {}, "contradicts itself"),
        (("nodes", 0, "mesh"), 7, "contradicts itself"),
        (("nodes", 0, "rotation"), [0, 0, 0], "contradicts itself"),
        (("nodes",), "none", "contradicts itself"),
        (("nodes", 0), {"children": [0]}, "holds no mesh"),
        (("extensionsRequired",), ["KHR_draco_mesh_compression"], "without\\s+compression"),
        (("meshes", 0, "primitives", 0, "mode"), 1, "holds no mesh"),
    ],
)
def test_contradictions_are_input_errors(parts, read, keys, value, message):
    *_, content, buffer = parts
    _set(content, *keys, value=value)
    with pytest.raises(InputError, match=message):
        read(content, buffer)


def test_faces_beyond_the_vertices(parts, read):
    vertices, faces, *_ = parts
    content, buffer = gltf_parts(vertices, faces + 1)
    with pytest.raises(InputError, match="names vertex 30, but its primitive has 30"):
        read(content, buffer)


def test_lee_perry_smith_is_closed_once_its_seams_are_merged(data_dir):
    scan = load_scan(data_dir / "scans" / "lee_perry_smith" / "LeePerrySmith.glb")
    faces = got(scan.faces)
    assert faces.shape == (17_684, 3)
    assert len(scan.vertices) == 8_844
    assert len(got(scan.uv)) == 9_279
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    assert set(np.unique(edges, axis=0, return_counts=True)[1].tolist()) == {2}
    tip = scan.vertices[np.argmax(scan.vertices[:, 2])]
    np.testing.assert_allclose(tip, [-0.0878, 1.0975, 2.5904], atol=1e-3)
