"""posed_vertices against hand-made rigs and its own definition."""

import numpy as np
import pytest
import scipy.sparse as sp
from rig_assets import Mode, jaw_open, make_rig

from rigface.errors import InputError
from rigface.export.asset import Material, Morph, RigAsset
from rigface.export.evaluate import posed_vertices, world_matrices


def two_bones() -> RigAsset:
    """A triangle on a child joint that sits one metre above its root, scaled by two."""
    bind = np.tile(np.eye(4), (2, 1, 1))
    bind[1, 1, 3] = 1.0
    return RigAsset(
        name="arm",
        vertices=np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 1.0, 0.0]]),
        faces=np.array([[0, 1, 2]]),
        uv=np.zeros((0, 2)),
        uv_faces=np.zeros((1, 3), dtype=np.int64),
        materials=(Material("plain"),),
        face_material=np.array([0]),
        joint_names=("root", "arm"),
        joint_parents=(-1, 0),
        node_translation=np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
        node_rotation=np.array([[1.0, 0, 0, 0], [1.0, 0, 0, 0]]),
        node_scale=np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 1.0]]),
        inverse_bind=np.linalg.inv(bind),
        weights=sp.csr_matrix(np.array([[0.0, 1.0], [0.5, 0.5], [0.0, 1.0]])),
        morphs=(Morph("lift", np.array([2]), np.array([[0.5, 0.0, 0.0]])),),
    )


def test_scale_turn_and_morph_by_hand() -> None:
    arm = two_bones()
    assert posed_vertices(arm)[0] == pytest.approx([2.0, 1.0, 0.0])
    assert posed_vertices(arm, morph_weights={"lift": 2})[2] == pytest.approx([2.0, 1.0, 0.0])
    quarter = (np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5))
    turned = posed_vertices(arm, {"arm": quarter})
    # Scale acts before the turn: x = 1 doubles and then points up.
    assert turned[0] == pytest.approx([0.0, 3.0, 0.0])
    assert turned[1] == pytest.approx([-0.5, 1.5, 0.0])


def test_baked_rig_rests_on_its_mesh() -> None:
    rig = make_rig("baked")
    assert np.abs(posed_vertices(rig) - rig.vertices).max() < 1e-12


def test_asm_rig_shears() -> None:
    """The asm mode is only a test of anything if its joints are more than rigid motions."""
    worlds = world_matrices(make_rig("asm"), {})[:, :3, :3]
    axes = worlds / np.linalg.norm(worlds, axis=1, keepdims=True)
    cosines = np.einsum("jia,jib->jab", axes, axes) - np.eye(3)
    assert np.abs(cosines).max() > 0.2


@pytest.mark.parametrize("mode", ["baked", "asm"])
def test_equals_the_formula_vertex_by_vertex(mode: Mode, rng: np.random.Generator) -> None:
    rig = make_rig(mode)
    rotations = {"jaw": jaw_open(), "eyeball.L": (0.9, 0.1, 0.2, 0.0)}
    posed = posed_vertices(rig, rotations, {"jawOpen": 0.7})
    worlds = world_matrices(rig, rotations)
    dense = rig.weights.toarray()
    opened = rig.vertices.copy()
    opened[rig.morphs[0].indices] += 0.7 * rig.morphs[0].offsets
    for vertex in rng.choice(len(rig.vertices), 20):
        point = np.append(opened[vertex], 1.0)
        terms = [
            dense[vertex, joint] * (worlds[joint] @ rig.inverse_bind[joint] @ point)[:3]
            for joint in range(len(rig.joint_names))
        ]
        assert posed[vertex] == pytest.approx(np.sum(terms, axis=0), abs=1e-14)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"joint_rotations": {"jaww": jaw_open()}}, "no joint 'jaww'"),
        ({"morph_weights": {"smile": 1.0}}, "no morph 'smile'; it has jawOpen"),
        ({"joint_rotations": {"jaw": (0, 0, 0, 0)}}, "is no rotation"),
    ],
)
def test_names_what_it_does_not_know(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        posed_vertices(make_rig(), **arguments)
