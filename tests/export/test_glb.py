"""A GLB read back by an independent reader is the rig that was written."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pygltflib
import pytest
import scipy.sparse as sp
from gltf_reader import GltfFile, read_glb
from PIL import Image
from rig_assets import Mode, jaw_open, make_rig

from rigface.errors import InputError, OutputError, UsageError
from rigface.export.corners import NormalField
from rigface.export.evaluate import posed_vertices
from rigface.export.glb import EncodedGlb, encode_glb, save_glb


@pytest.fixture(scope="module")
def encoded() -> EncodedGlb:
    return encode_glb(make_rig())


@pytest.fixture(scope="module")
def file(encoded: EncodedGlb) -> GltfFile:
    return read_glb(encoded.data)


@pytest.mark.parametrize("mode", ["baked", "asm"])
@pytest.mark.parametrize("influences", [2, 4, 8])
def test_posed_file_equals_posed_rig(mode: Mode, influences: int) -> None:
    rig = make_rig(mode)
    encoded = encode_glb(rig, influences)
    file = read_glb(encoded.data)
    for rotations, morphs in (
        ({}, {}),
        ({"jaw": jaw_open()}, {}),
        ({}, {"jawOpen": 1.0}),
        ({"jaw": jaw_open(9.0), "cheek.R": (0.8, 0.0, 0.6, 0.0)}, {"mouthSmileLeft": 0.4}),
    ):
        ours = posed_vertices(rig, rotations, morphs, influences)[encoded.source_vertex]
        assert np.abs(file.posed(rotations, morphs) - ours).max() < 1e-7


def test_pygltflib_reads_it(encoded: EncodedGlb) -> None:
    document = pygltflib.GLTF2.load_from_bytes(encoded.data)
    assert document is not None
    assert [skin.joints for skin in document.skins] == [list(range(1, 14))]
    assert [node.name for node in document.nodes][1:] == list(make_rig().joint_names)


def test_same_rig_same_bytes(encoded: EncodedGlb) -> None:
    assert encode_glb(make_rig()).data == encoded.data


def test_morph_targets_are_sparse_and_exact(file: GltfFile, encoded: EncodedGlb) -> None:
    rig = make_rig()
    for morph in rig.morphs:
        dense = np.zeros(rig.vertices.shape)
        dense[morph.indices] = morph.offsets
        wanted = dense[encoded.source_vertex].astype(np.float32)
        assert np.array_equal(file.target(morph.name), wanted), morph.name
    for primitive in file.primitives:
        assert len(primitive["targets"]) == len(rig.morphs)
        for target in primitive["targets"]:
            accessor = file.document["accessors"][target["POSITION"]]
            assert "sparse" in accessor and "bufferView" not in accessor
            assert "byteOffset" not in accessor  # invalid without a bufferView
            values = file.accessor(target["POSITION"])
            assert accessor["min"] == values.min(axis=0).tolist()
            assert accessor["max"] == values.max(axis=0).tolist()
    assert file.document["meshes"][0]["weights"] == [0.0] * len(rig.morphs)


def test_still_targets_share_one_accessor(file: GltfFile) -> None:
    eye = file.primitives[1]
    assert len({target["POSITION"] for target in eye["targets"]}) == 1
    assert not file.accessor(eye["targets"][0]["POSITION"]).any()


def test_morph_normals_turn_rest_normals_into_the_right_ones(
    file: GltfFile, encoded: EncodedGlb
) -> None:
    rig = make_rig()
    field = NormalField(rig.faces, len(rig.vertices))
    opened = rig.vertices.copy()
    opened[rig.morphs[0].indices] += rig.morphs[0].offsets
    wanted = field(opened)[encoded.source_vertex]
    turned = file.attribute("NORMAL") + file.target("jawOpen", "NORMAL")
    assert np.abs(turned - wanted).max() < 1.1e-3
    assert np.abs(file.attribute("NORMAL") - wanted).max() > 0.1
    plain = read_glb(encode_glb(rig, morph_normals=False).data)
    assert set(plain.primitives[0]["targets"][0]) == {"POSITION"}


def test_seam_vertices_come_twice_with_one_normal(file: GltfFile, encoded: EncodedGlb) -> None:
    rig = make_rig()
    corners = {(v, t) for v, t in zip(rig.faces.ravel(), rig.uv_faces.ravel(), strict=True)}
    assert len(encoded.source_vertex) == len(corners) > len(rig.vertices)
    normals = file.attribute("NORMAL")
    assert np.abs(np.linalg.norm(normals, axis=1) - 1).max() < 1e-6
    first = np.full(len(rig.vertices), -1)
    first[encoded.source_vertex[::-1]] = np.arange(len(normals))[::-1]
    assert np.array_equal(normals, normals[first[encoded.source_vertex]])
    outward = np.einsum("vi,vi->v", normals, rig.vertices[encoded.source_vertex] + [0, 0.02, 0.04])
    skin = encoded.source_vertex < 1152
    assert np.mean(outward[skin] > 0) > 0.99


def test_faces_and_uv_are_the_rig_s(file: GltfFile, encoded: EncodedGlb) -> None:
    rig = make_rig()
    start, faces, materials = 0, [], []
    for index, primitive in enumerate(file.primitives):
        corners = file.accessor(primitive["indices"]).reshape(-1, 3).astype(np.int64)
        faces.append(corners + start)
        materials.append(np.full(len(corners), index))
        start += file.document["accessors"][primitive["attributes"]["POSITION"]]["count"]
    joined = np.concatenate(faces)
    order = np.argsort(rig.face_material, kind="stable")
    assert np.array_equal(encoded.source_vertex[joined], rig.faces[order])
    assert np.array_equal(np.concatenate(materials), rig.face_material[order])
    uv = file.attribute("TEXCOORD_0")[joined]
    wanted = rig.uv[rig.uv_faces[order]]
    assert np.abs(uv - np.stack([wanted[..., 0], 1 - wanted[..., 1]], axis=-1)).max() < 1e-7


def test_materials_and_image(file: GltfFile) -> None:
    skin, eye = file.document["materials"]
    assert (skin["name"], eye["name"]) == ("skin", "eye")  # the unused one is left out
    assert skin["pbrMetallicRoughness"]["baseColorFactor"] == [0.8, 0.6, 0.5, 1.0]
    assert "baseColorTexture" not in eye["pbrMetallicRoughness"]
    (image,) = file.document["images"]
    view = file.document["bufferViews"][image["bufferView"]]
    png = file.blob[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
    assert Image.open(io.BytesIO(png)).size == (16, 16)


def test_scene_layout_and_extras(file: GltfFile, encoded: EncodedGlb) -> None:
    nodes, roots = file.document["nodes"], file.document["scenes"][0]["nodes"]
    assert roots == [0, 1]
    mesh = nodes[0]
    assert not {"translation", "rotation", "scale", "matrix", "children"} & set(mesh)
    assert (mesh["mesh"], mesh["skin"]) == (0, 0)
    assert mesh["extras"]["model"] == "synthetic"
    pruning = mesh["extras"]["pruning"]
    assert pruning["mean_mm"] == encoded.pruning.mean_mm > 0
    assert [entry["pose"] for entry in pruning["poses"]] == ["rest", "jaw_20deg", "joints_3mm"]


def test_at_most_four_influences_that_sum_to_one(file: GltfFile) -> None:
    joints, weights = file.attribute("JOINTS_0"), file.attribute("WEIGHTS_0")
    assert joints.dtype == np.uint8 and weights.dtype == np.float32
    assert np.abs(weights.sum(axis=1, dtype=np.float64) - 1).max() < 1e-7
    assert np.all(joints[weights == 0] == 0)
    assert "JOINTS_1" not in file.primitives[0]["attributes"]


def test_many_joints_and_many_vertices_get_wider_indices() -> None:
    rig = make_rig(rings=184)
    assert len(rig.vertices) > 65535
    extra = 300
    tail = np.tile(np.eye(4), (extra, 1, 1))
    wide = replace(
        rig,
        joint_names=rig.joint_names + tuple(f"extra.{i}" for i in range(extra)),
        joint_parents=rig.joint_parents + (0,) * extra,
        node_translation=np.concatenate([rig.node_translation, np.zeros((extra, 3))]),
        node_rotation=np.concatenate([rig.node_rotation, np.tile([1.0, 0, 0, 0], (extra, 1))]),
        node_scale=np.concatenate([rig.node_scale, np.ones((extra, 3))]),
        inverse_bind=np.concatenate([rig.inverse_bind, tail]),
        weights=sp.csr_matrix(
            (
                rig.weights.data,
                rig.weights.indices + extra * (rig.weights.indices == 12),
                rig.weights.indptr,
            ),
            shape=(len(rig.vertices), 13 + extra),
        ),
    )
    encoded = encode_glb(wide)
    file = read_glb(encoded.data)
    assert file.attribute("JOINTS_0").dtype == np.uint16
    assert file.attribute("JOINTS_0").max() == 312
    assert file.accessor(file.primitives[0]["indices"]).dtype == np.uint32
    ours = posed_vertices(wide, {}, {"jawOpen": 1.0}, 4)[encoded.source_vertex]
    assert np.abs(file.posed({}, {"jawOpen": 1.0}) - ours).max() < 1e-7


def test_rig_without_uv_and_without_morphs() -> None:
    rig = make_rig()
    bare = replace(rig, uv=np.zeros((0, 2)), uv_faces=np.zeros_like(rig.faces), morphs=())
    encoded = encode_glb(bare)
    file = read_glb(encoded.data)
    assert len(encoded.source_vertex) == len(rig.vertices)
    assert "TEXCOORD_0" not in file.primitives[0]["attributes"]
    assert "targets" not in file.primitives[0]
    assert np.abs(file.posed({}, {}) - rig.vertices[encoded.source_vertex]).max() < 1e-7


def test_save_writes_the_bytes_and_returns_the_report(tmp_path: Path, encoded: EncodedGlb) -> None:
    path = tmp_path / "head.glb"
    path.write_bytes(b"old")
    assert save_glb(make_rig(), path) == encoded.pruning
    assert path.read_bytes() == encoded.data
    assert list(tmp_path.iterdir()) == [path]


def test_bad_rig_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "head.glb"
    path.write_bytes(b"old")
    with pytest.raises(InputError):
        save_glb(replace(make_rig(), extras={"x": float("nan")}), path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_missing_folder_and_absurd_influences_are_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere"):
        save_glb(make_rig(), tmp_path / "nowhere" / "head.glb")
    with pytest.raises(UsageError, match="max_influences is 0"):
        encode_glb(make_rig(), max_influences=0)


def test_document_is_strict_json(file: GltfFile) -> None:
    json.dumps(file.document, allow_nan=False)
