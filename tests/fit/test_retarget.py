"""Expressions on another face: the same offsets; on another skeleton: the same motion."""

from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor

from rigface.errors import InputError
from rigface.fit.retarget import ASM_JOINTS, Skeleton, retarget, retarget_to_skeleton
from rigface.geometry.rotations import rotation_from_quaternion, rotation_from_vector
from rigface.geometry.similarity import Similarity
from rigface.models.jnr import JnrModel
from rigface.models.jnr_asset import load_jnr
from rigface.models.jnr_expressive import Expression, ExpressionSpace
from rigface.rig.jnr_expression import EXPRESSION_SHAPES, EXPRESSIVE_JOINTS
from rigface.rig.jnr_skeleton import JNR_NAMES, JNR_PARENTS
from rigface.rig.rig import load_rig
from rigface.rig.template_io import load_template

SAME = {name: f"bone_{name}" for name in EXPRESSIVE_JOINTS}


@lru_cache(maxsize=1)
def model() -> JnrModel:
    whole = load_jnr(load_template(), "jnr", asymmetric=True, expressions=True)
    return whole.at(torch.arange(0, 4200, 12))


def person(seed: int, scales: bool = True) -> Tensor:
    """Random; without scales joints only turn and go, as those of other rigs do."""
    table = model().table
    draw = torch.randn(table.size, generator=torch.Generator().manual_seed(seed)).double()
    x = 0.3 * draw * table.column("sigma")
    for name, run in table.slices.items():
        if name.startswith("Root") or (not scales and name.endswith("log_scale")):
            x[run] = 0.0
    return ExpressionSpace.of(model()).neutral(x)


def smile(seed: int = 0) -> Expression:
    space = ExpressionSpace.of(model())
    generator = torch.Generator().manual_seed(seed)
    offsets = torch.randn(37, generator=generator).double() * space.sigma[:37] * 0.4
    shapes = 0.5 * (torch.rand(24, generator=generator) < 0.3).double()
    return Expression(space.variables, offsets, shapes)


def reoriented(x: Tensor, world: Similarity, seed: int = 5) -> Skeleton:
    """The person's joints under other names, in random axes of their own, in another world."""
    rest = model().world_from_joint(x).numpy()
    twists = torch.randn(52, 3, generator=torch.Generator().manual_seed(seed)).double()
    own = rotation_from_vector(twists).numpy()
    out = np.tile(np.eye(4), (52, 1, 1))
    out[:, :3, :3] = world.rotation @ rest[:, :3, :3] @ own
    out[:, :3, 3] = world.apply(rest[:, :3, 3])
    names = tuple(f"bone_{name}" for name in JNR_NAMES)
    return Skeleton(names, JNR_PARENTS, out, EXPRESSION_SHAPES)


def test_there_and_back_between_two_identities_gives_the_same_offsets():
    space = ExpressionSpace.of(model())
    one, other, made = person(1), person(2), smile()
    there = space.between(other, retarget(made, model(), other))
    back = space.between(one, retarget(there, model(), one))
    torch.testing.assert_close(back.offsets, made.offsets, atol=1e-12, rtol=0)
    torch.testing.assert_close(back.shapes, made.shapes, atol=1e-12, rtol=0)
    numbers = [model().joint_numbers(retarget(made, model(), x)) for x in (one, other)]
    own = [model().joint_numbers(x) for x in (one, other)]
    torch.testing.assert_close(numbers[0] - own[0], numbers[1] - own[1], atol=1e-12, rtol=0)


def test_limits_of_the_other_face_are_kept():
    space, x = ExpressionSpace.of(model()), person(1)
    wide = Expression(space.variables, 50 * smile().offsets, torch.full((24,), 3.0).double())
    moved = retarget(wide, model(), x)
    assert bool((moved >= space.lower).all() and (moved <= space.upper).all())


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_a_renamed_and_reoriented_skeleton_moves_exactly_alike(scale):
    x, made = person(1, scales=False), smile()
    turn = rotation_from_vector(torch.tensor([1.2, -0.4, 0.7]).double()).numpy()
    world = Similarity(scale, turn, scale * np.array([0.3, 0.1, -0.2]))
    skeleton = reoriented(x, world)
    pose = retarget_to_skeleton(model(), x, made, skeleton, SAME, skeleton_from_model=world)
    rest = model().world_from_joint(x).numpy()
    posed = model().world_from_joint(retarget(made, model(), x)).numpy()
    place = world.apply(posed[:, :3, 3])
    np.testing.assert_allclose(pose.world_from_joint[:, :3, 3], place, atol=scale * 1e-12)
    turned = world.rotation @ posed[:, :3, :3] @ np.linalg.inv(rest[:, :3, :3]) @ world.rotation.T
    want = turned @ skeleton.world_from_joint[:, :3, :3]
    np.testing.assert_allclose(pose.world_from_joint[:, :3, :3], want, atol=1e-12)
    assert pose.shapes == {n: w for n, w in made.weights().items() if w > 0}


def test_motions_of_single_joints_compose_to_the_pose():
    x, made = person(1), smile()
    skeleton = reoriented(x, Similarity.identity())
    pose = retarget_to_skeleton(model(), x, made, skeleton, SAME)
    world = []
    rest = skeleton.world_from_joint
    for joint, name in enumerate(skeleton.names):
        parent = skeleton.parents[joint]
        own = np.eye(4)
        if name in pose.joints:
            motion = pose.joints[name]
            own[:3, :3] = rotation_from_quaternion(torch.from_numpy(motion.rotation)).numpy()
            own[:3, 3] = motion.translation
        above = np.eye(4) if parent < 0 else world[parent] @ np.linalg.inv(rest[parent])
        world.append(above @ rest[joint] @ own)
    # uneven scales of the person shear rest frames, which motions of single joints cannot follow
    np.testing.assert_allclose(
        np.stack(world)[:, :3, 3], pose.world_from_joint[:, :3, 3], atol=1e-3
    )


def test_a_lip_that_does_not_hang_on_the_jaw_goes_where_the_jaw_takes_it():
    x, made = person(1, scales=False), smile()
    skeleton = reoriented(x, Similarity.identity())
    flat = tuple(min(parent, 0) for parent in JNR_PARENTS)
    loose = Skeleton(skeleton.names, flat, skeleton.world_from_joint, skeleton.shapes)
    hung = retarget_to_skeleton(model(), x, made, skeleton, SAME)
    free = retarget_to_skeleton(model(), x, made, loose, SAME)
    followers = [JNR_NAMES.index(name) for name in EXPRESSIVE_JOINTS]
    np.testing.assert_allclose(
        free.world_from_joint[followers], hung.world_from_joint[followers], atol=1e-12
    )


def test_no_expression_is_rest():
    x, space = person(1), ExpressionSpace.of(model())
    none = Expression(space.variables, torch.zeros(37).double(), torch.zeros(24).double())
    skeleton = reoriented(x, Similarity.identity())
    pose = retarget_to_skeleton(model(), x, none, skeleton, {})
    np.testing.assert_allclose(pose.world_from_joint, skeleton.world_from_joint, atol=1e-12)
    assert pose.joints == pose.shapes == {}


def test_our_own_rig_has_the_joints_that_follow():
    rig = load_rig()
    known = {*rig.names, *rig.attachments.names}
    assert set(ASM_JOINTS) == set(EXPRESSIVE_JOINTS)
    given = [n for v in ASM_JOINTS.values() for n in ((v,) if isinstance(v, str) else v)]
    assert set(given) <= known
    assert len(set(given)) == len(given)


def test_missing_names_are_refused_with_what_to_do():
    x, made = person(1), smile()
    skeleton = reoriented(x, Similarity.identity())
    with pytest.raises(InputError, match="no joint 'jaw' for Jaw_Root"):
        retarget_to_skeleton(model(), x, made, skeleton, {"Jaw_Root": "jaw"})
    with pytest.raises(InputError, match="'Jaw' is not a joint that expresses"):
        retarget_to_skeleton(model(), x, made, skeleton, {"Jaw": "bone_Jaw_Root"})
    lidless = {name: joint for name, joint in SAME.items() if "lid" not in name}
    with pytest.raises(InputError, match="moves L_Upper_Eyelid"):
        retarget_to_skeleton(model(), x, made, skeleton, lidless)
    lids = [name for name in SAME if "lid" in name]
    pose = retarget_to_skeleton(model(), x, made, skeleton, lidless, without=lids)
    assert len(pose.joints) == 8
    bare = Skeleton(skeleton.names, skeleton.parents, skeleton.world_from_joint)
    used = [name for name, weight in made.weights().items() if weight > 0]
    with pytest.raises(InputError, match=f"no shape {used[0]}"):
        retarget_to_skeleton(model(), x, made, bare, SAME)
    assert retarget_to_skeleton(model(), x, made, bare, SAME, without=used).shapes == {}
    with pytest.raises(InputError, match="sort parents first"):
        Skeleton(("a", "b"), (1, -1), np.tile(np.eye(4), (2, 1, 1)))
