"""Table 1's bones and where they sit on the template."""

import numpy as np
import pytest
import torch

from rigface.errors import InputError
from rigface.geometry.mesh import vertex_normals
from rigface.geometry.surface import Surface
from rigface.rig.chart import ChartLocator, on_surface
from rigface.rig.rig import load_rig
from rigface.rig.skeleton import (
    BONE_NAMES,
    BONE_PARENTS,
    GROUP_BONES,
    mirror_indices,
    opposite_name,
)
from rigface.rig.template_io import load_template


@pytest.fixture(scope="module")
def rig():
    return load_rig()


@pytest.fixture(scope="module")
def skin():
    template = load_template()
    part = template.parts["skin"]
    return template.mesh.vertices[part.vertices], template.mesh.faces[part.faces]


def parent_of(name):
    return BONE_NAMES[BONE_PARENTS[BONE_NAMES.index(name)]]


def test_table_1():
    assert len(BONE_NAMES) == len(set(BONE_NAMES)) == 84
    assert BONE_PARENTS[0] == -1
    assert all(parent < bone for bone, parent in enumerate(BONE_PARENTS))
    # spot checks against the supplement, rows of both columns
    rows = {0: "root", 1: "head", 14: "lip_corner.L", 22: "ear.L", 41: "apple_inner.L",
            42: "apple_center.L", 50: "eye.R", 64: "eyebrow_mid.R", 73: "cheek.L",
            78: "eyebrow_center_up", 83: "neck_side.R"}  # fmt: skip
    assert all(BONE_NAMES[row] == name for row, name in rows.items())
    assert BONE_NAMES[19] == "lip_corner.R"
    assert parent_of("eye_hole.R") == "eye.R"
    assert parent_of("lip_corner.R") == "mouth"
    assert parent_of("neck_front") == "root"
    assert parent_of("nose") == "head"


def test_every_bone_has_its_opposite():
    mirror = mirror_indices(BONE_NAMES)
    np.testing.assert_array_equal(mirror[mirror], np.arange(84))
    assert opposite_name("ear.L") == "ear.R"
    assert opposite_name("chin") == "chin"
    assert (mirror == np.arange(84)).sum() == 16


def test_positions_are_mirror_images(rig):
    image = rig.bind_positions[rig.mirror_bones] * [-1, 1, 1]
    np.testing.assert_array_equal(image, rig.bind_positions)
    for bone, name in enumerate(rig.names):
        x = rig.bind_positions[bone, 0]
        assert x > 0 if name.endswith(".L") else x < 0 if name.endswith(".R") else x == 0


def test_anchors_lie_inside_outer_triangles(rig):
    template = load_template()
    assert (rig.anchor_bary > 0.15).all()
    np.testing.assert_allclose(rig.anchor_bary.sum(axis=1), 1.0, atol=1e-12)
    assert template.regions["outer"][rig.faces[rig.anchor_face]].all()
    face, bary = ChartLocator(rig.chart, rig.faces).locate(rig.zeta0)
    np.testing.assert_array_equal(face, rig.anchor_face)
    np.testing.assert_allclose(bary, rig.anchor_bary, atol=1e-9)


def test_side_anchors_are_mirror_images(rig):
    for bone, name in enumerate(rig.names):
        if name.endswith(".L"):
            image = rig.zeta0[rig.mirror_bones[bone]] * [-1, 1]
            np.testing.assert_allclose(image, rig.zeta0[bone], atol=1e-14)
        elif not name.endswith(".R"):
            # a midline point is an edge, so its anchor sits in the next triangle
            assert abs(rig.zeta0[bone, 0]) < 0.08


def test_surface_bones_lie_just_under_the_skin(rig, skin):
    vertices, faces = skin
    surface = Surface(torch.tensor(vertices), torch.tensor(faces))
    anchors = on_surface(vertices, faces, rig.anchor_face, rig.anchor_bary)
    found = surface.closest(torch.tensor(rig.bind_positions))
    normals = vertex_normals(vertices, faces)
    for bone, name in enumerate(rig.names):
        if name in GROUP_BONES:
            continue
        depth = float(found.distance[bone])
        thin = name.startswith(("eye", "lip", "ear", "nose"))
        assert (0.0006 if thin else 0.003) < depth < 0.009, name
        assert np.linalg.norm(anchors[bone] - rig.bind_positions[bone]) < 0.010, name
        outwards = found.point[bone].numpy() - rig.bind_positions[bone]
        normal = normals[faces[int(found.face[bone])]].mean(axis=0)
        assert outwards @ normal > 0, f"{name} is outside the head"


def test_deep_bones_are_inside_the_head(rig, skin):
    """Every ray from a pivot meets the skin, but for those that leave through the neck."""
    vertices, faces = skin
    surface = Surface(torch.tensor(vertices), torch.tensor(faces))
    up = torch.tensor([[0.0, 1, 0], [0.6, 0.8, 0], [-0.6, 0.8, 0], [0, 0.6, -0.8]])
    for name in (*GROUP_BONES, "jaw", "teeth.upper", "tongue_mid"):
        deep = name in GROUP_BONES
        point = rig.bind_positions[rig.index(name)] if deep else rig.attachments.position(name)
        share = surface.escape_share(torch.tensor(point[None]), up, 1.0)
        assert float(share) == 0, name


def at(rig, name):
    return rig.bind_positions[rig.index(name)]


def test_anatomy(rig):
    x, y, z = (lambda name, axis=axis: at(rig, name)[axis] for axis in range(3))
    assert z("nose_tip") > max(z(n) for n in rig.names if n != "nose_tip")
    down_the_midline = ["forehead", "eyebrow_center_up", "eyebrow_center", "nose_bridge_upper",
                        "nose_bridge", "nose_mid", "nose_tip", "lip_upper_mid", "lip_lower_mid",
                        "chin", "chin_low", "neck_front"]  # fmt: skip
    heights = [y(name) for name in down_the_midline]
    assert heights == sorted(heights, reverse=True)
    across_the_eye = ["eye_inner_corner.L", "eye_inner_upper.L", "eye_outer_upper.L",
                      "eye_outer_corner.L", "temple.L", "ear.L"]  # fmt: skip
    widths = [x(name) for name in across_the_eye]
    assert widths == sorted(widths)
    assert x("eyebrow_inner.L") < x("eyebrow_mid.L") < x("eyebrow_outer.L")
    assert x("apple_inner.L") < x("apple_center.L") < x("apple_outer.L")
    assert y("eyebrow_mid.L") > y("eyelid_middle.L") > y("eye_inner_upper.L")
    assert y("eye_inner_lower.L") > y("eye_hole.L") > y("apple_lower.L")
    assert z("jaw_corner.L") < z("jaw.L") < z("chin_side_low.L")
    assert y("chin_side.L") > y("chin_side_low.L")


def test_landmarks_agree(rig, skin):
    """Bones that name a landmark sit next to the iBUG point of that name."""
    template = load_template()
    points = template.landmarks.positions(*skin)
    where = dict(zip(template.landmarks.names, points, strict=True))
    pairs = {"nose_tip": 30, "lip_corner.L": 54, "lip_corner.R": 48, "eye_inner_corner.L": 42,
             "eye_outer_corner.L": 45, "eye_inner_corner.R": 39, "chin_low": 8}  # fmt: skip
    for name, number in pairs.items():
        assert np.linalg.norm(at(rig, name) - where[f"ibug.{number}"]) < 0.012, name


def test_attachments(rig, skin):
    joints = rig.attachments
    known = set(rig.names)
    for name, parent in zip(joints.names, joints.parents, strict=True):
        assert parent in known
        known.add(name)
    template = load_template()
    for side in ("L", "R"):
        center = template.eyeballs[side].centre
        np.testing.assert_allclose(joints.position(f"eyeball.{side}"), center, atol=1e-6)
    jaw = joints.position("jaw")
    ear = at(rig, "ear.L")
    # the condyle: at the height of the ear, in front of it, on the midline as a hinge
    assert jaw[0] == 0
    assert abs(jaw[1] - ear[1]) < 0.015
    assert 0.005 < jaw[2] - ear[2] < 0.025
    tongue = [joints.position(f"tongue_{part}")[2] for part in ("back", "mid", "tip")]
    assert tongue == sorted(tongue)


def test_unknown_names_are_named():
    with pytest.raises(InputError, match="unknown rig 'flame'"):
        load_rig("flame")
    with pytest.raises(InputError, match="k=6"):
        load_rig(k=6)
    with pytest.raises(InputError, match="lip_corner.L"):
        load_rig().index("lip")
