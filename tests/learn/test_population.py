"""Alignment keeps size apart, weights follow the groups, ICT and Anny arrive in our topology."""

import os
from pathlib import Path

import numpy as np
import pytest

from rigface.geometry.mesh import face_areas, face_normals
from rigface.geometry.rotations import rotation_from_vector
from rigface.learn.anny_heads import AGE_GROUPS, ANCESTRIES, sample_anny
from rigface.learn.ict_heads import CarriedIct, carry_ict, truncated_normal
from rigface.learn.population import (
    AGE_SHARES,
    PopulationConfig,
    assemble_population,
    follow_skin,
    group_weights,
    mirrored,
    symmetric,
)
from rigface.rig.skin_metric import vertex_weights
from rigface.rig.template_io import load_template

DATA = Path(os.environ.get("RIGFACE_DATA", Path(__file__).parents[3] / "shared" / "data"))
SKIN = 4200


def test_truncated_numbers_stay_inside_and_repeat():
    z = truncated_normal(np.random.default_rng(0), (200, 100), 2.0)
    assert np.abs(z).max() <= 2.0
    np.testing.assert_array_equal(z, truncated_normal(np.random.default_rng(0), (200, 100), 2.0))


def test_the_mirror_image_of_the_template_is_itself():
    template = load_template()
    rest = template.mesh.vertices[:SKIN]
    np.testing.assert_allclose(mirrored(rest, template), rest, atol=1e-9)
    crooked = rest + np.random.default_rng(0).normal(size=rest.shape) * 1e-3
    even = symmetric(crooked, template)
    np.testing.assert_allclose(mirrored(even, template), even, atol=1e-12)


def test_weights_of_the_face_sum_to_one_and_the_rest_counts_a_tenth():
    template = load_template()
    weight, face = vertex_weights(template), template.regions["face"][:SKIN]
    assert weight[face].sum() == pytest.approx(1.0)
    skin = template.parts["skin"]
    faces = template.mesh.faces[skin.faces]
    spread = np.repeat(face_areas(template.mesh.vertices, faces) / 3, 3)
    area = np.bincount(faces.ravel(), spread, minlength=SKIN)
    np.testing.assert_allclose(
        weight[~face] / weight[face].sum(), area[~face] / area[face].sum() / 10
    )


def test_hidden_skin_goes_where_the_skin_in_front_of_it_goes():
    template = load_template()
    rest = template.mesh.vertices[:SKIN]
    outer = template.regions["outer"][:SKIN]
    moved = rest + [0.01, -0.02, 0.005]
    moved[~outer] = 0.0
    followed = follow_skin(moved[None], rest, template)[0]
    np.testing.assert_allclose(followed, rest + [0.01, -0.02, 0.005], atol=1e-12)


def test_groups_have_their_shares():
    groups = ("ict",) * 6 + tuple(AGE_GROUPS) * 8
    ancestries = ("",) * 6 + tuple(a for a in ANCESTRIES for _ in range(8))
    held = np.zeros(len(groups), dtype=bool)
    held[0] = held[-1] = True
    weights = group_weights(groups, ancestries, held, 0.3)
    kinds = np.array(groups)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[kinds == "ict"].sum() == pytest.approx(0.7)
    assert weights[kinds == "child"].sum() == pytest.approx(0.3 * AGE_SHARES["child"])
    assert not weights[held].any()


def test_alignment_removes_pose_and_keeps_size_as_a_number():
    template = load_template()
    rest = template.mesh.vertices[:SKIN]
    rng = np.random.default_rng(0)
    import torch

    turn = rotation_from_vector(torch.tensor([0.1, -0.2, 0.05]).double()).numpy()
    sizes = [1.0, 1.1, 0.8, 1.0]
    heads = np.stack([s * rest @ turn.T + rng.normal(size=3) * 0.1 for s in sizes])
    carried = CarriedIct(rest, np.zeros((1, SKIN, 3)), np.ones(SKIN, dtype=bool))
    config = PopulationConfig(held_out=0.25)
    found = assemble_population(heads, ("ict",) * 4, ("",) * 4, carried, template, config)
    np.testing.assert_allclose(found.heads, np.broadcast_to(rest, heads.shape), atol=1e-6)
    np.testing.assert_allclose(np.exp(found.log_scale), sizes, rtol=1e-6)
    np.testing.assert_array_equal(found.held_out, [False, False, False, True])


@pytest.mark.skipif(
    not (DATA / "ict_facekit").is_dir(), reason="ICT-FaceKit is not at RIGFACE_DATA"
)
def test_ict_faces_arrive_on_their_own_skin():
    from rigface.datasets.ict import load_ict
    from rigface.learn.ict_heads import _IctSkin

    template, ict = load_template(), load_ict(DATA / "ict_facekit")
    carried = carry_ict(ict, template, registered=1)
    face = template.regions["face"][:SKIN]
    assert (carried.known[face]).mean() > 0.95
    z = truncated_normal(np.random.default_rng(3), (1, len(ict.identity)))
    head = carried.heads(z)[0]
    _, _, distance = _IctSkin.of(ict).closest(ict.vertices(z[0]), head[face & carried.known])
    assert distance.max() < 1e-6
    # the corners of eyes and mouth are where ICT has them
    ids = [36, 39, 42, 45, 48, 54]
    ours = template.landmarks.positions(head, template.mesh.faces)[ids]
    theirs = ict.vertices(z[0])[ict.landmarks68[ids]]
    assert np.linalg.norm(ours - theirs, axis=1).max() < 0.004
    faces = template.mesh.faces[template.parts["skin"].faces]
    faces = faces[face[faces].all(axis=1)]
    rest = face_normals(template.mesh.vertices, faces)
    assert ((face_normals(carried.mean, faces) * rest).sum(axis=1) < 0).mean() < 0.005


@pytest.mark.slow
def test_anny_s_heads_are_balanced_and_repeat():
    pytest.importorskip("anny", reason="draws Anny's heads")
    template = load_template()
    heads = sample_anny(template, 2, seed=1)
    assert heads.heads.shape == (2 * len(AGE_GROUPS) * len(ANCESTRIES), SKIN, 3)
    np.testing.assert_array_equal(heads.heads, sample_anny(template, 2, seed=1).heads)
    ages = np.array(heads.ages)
    height = np.ptp(heads.heads[..., 1], axis=1)
    assert height[ages == "infant"].mean() < 0.9 * height[ages == "adult"].mean()
