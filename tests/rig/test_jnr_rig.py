"""The JNR skeleton and its initial weights: anatomy, symmetry, sparsity."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rigface.geometry.surface import Surface
from rigface.models.jnr_asset import load_jnr_rig
from rigface.rig.jnr_skeleton import JNR_NAMES, JNR_PARENTS, mirror_joints, other_side
from rigface.rig.jnr_variables import asymmetric_motions, motion_matrix, symmetric_motions
from rigface.rig.jnr_weights import SymmetricWeights
from rigface.rig.template_io import load_template


def test_52_joints_parents_first_and_the_jaw_carries_what_hangs_on_it():
    assert len(JNR_NAMES) == len(set(JNR_NAMES)) == 52
    assert all(parent < joint for joint, parent in enumerate(JNR_PARENTS))
    above = {JNR_NAMES[j]: JNR_NAMES[p] for j, p in enumerate(JNR_PARENTS) if p >= 0}

    def chain(name: str) -> set[str]:
        return {name} | (chain(above[name]) if name in above else set())

    for name in ("Jaw_Front", "Mouth_Center_Bottom", "Bottom_Lip", "Chin", "L_Jaw_Root", "R_Chin"):
        assert "Jaw_Root" in chain(name), name
    assert "Jaw_Root" not in chain("Top_Lip")


def test_sides_mirror_each_other():
    mirror = mirror_joints()
    assert np.array_equal(mirror[mirror], np.arange(52))
    assert other_side("Mouth_Left_Corner") == "Mouth_Right_Corner"
    joints = load_jnr_rig(load_template()).joints
    np.testing.assert_allclose(joints[mirror] * [-1, 1, 1], joints, atol=1e-12)


def test_no_joint_lies_outside_the_head():
    template = load_template()
    skin = template.parts["skin"]
    vertices, faces = template.mesh.vertices[skin.vertices], template.mesh.faces[skin.faces]
    surface = Surface(torch.from_numpy(vertices.copy()), torch.from_numpy(faces.copy()))
    joints = torch.from_numpy(load_jnr_rig(template).joints)
    ways = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 0, 1], [0, 0, -1], [0, 1, 0]]).double()
    met = torch.stack(
        [
            torch.isfinite(surface.ray(joints, way.expand_as(joints).contiguous())[1]).int()
            for way in ways
        ]
    ).sum(dim=0)
    assert int(met.min()) >= 4, "only out of the open eyes, and down, is no skin in the way"


def test_initial_weights_are_symmetric_sparse_and_sum_to_one():
    weights = load_jnr_rig(load_template()).weights
    dense = weights.dense()
    assert dense.min() >= 0
    np.testing.assert_allclose(dense.sum(axis=1), 1.0, atol=1e-9)
    np.testing.assert_allclose(dense[weights.mirror][:, mirror_joints()], dense, atol=1e-12)
    assert (dense > 0).sum(axis=1).max() <= 6
    assert (dense.max(axis=0) > 0.1).all(), "a joint that moves nothing"


def test_free_entries_make_the_matrix_and_its_slots_read_them():
    weights = load_jnr_rig(load_template()).weights
    again = SymmetricWeights.of(weights.dense(), weights.mirror)
    np.testing.assert_array_equal(again.vertex, weights.vertex)
    np.testing.assert_allclose(again.value, weights.value, atol=1e-15)
    joints, slots = weights.slots()
    padded = np.append(weights.value, 0.0)
    dense = np.zeros_like(weights.dense())
    np.add.at(dense, (np.arange(len(joints))[:, None], joints), padded[slots])
    np.testing.assert_allclose(dense, weights.dense(), atol=1e-15)


def test_variables_are_105_and_184_with_independent_columns():
    for motions, count in ((symmetric_motions(), 105), (asymmetric_motions(), 184)):
        matrix = torch.from_numpy(motion_matrix(motions))
        assert matrix.shape == (52 * 9, count)
        assert int(torch.linalg.matrix_rank(matrix)) == count
    moved = {joint for motion in symmetric_motions() for joint in motion.joints}
    assert moved == set(range(52))


def test_the_page_has_the_tables_that_the_code_makes():
    page = (Path(__file__).parents[2] / "docs" / "jnr.md").read_text(encoding="utf-8")
    report = pytest.importorskip("tools.build_jnr.report")
    assert report.variables_table() in page
    assert report.joints_table(load_jnr_rig(load_template())) in page
