"""An expression of one face on another: on a JNR face, or on any skeleton by semantic names.

On a JNR face it is the same offsets and weights, within that face's limits. On another skeleton
each joint turns and goes, relative to the nearest joint above it that also follows, as its JNR
counterpart does relative to that one's counterpart: chains need not be alike, and a joint turns
about its own place, in whatever axes it rests in.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rigface.errors import InputError
from rigface.export.asset import RigAsset
from rigface.export.evaluate import world_matrices
from rigface.geometry.rotations import quaternion_from_rotation
from rigface.geometry.similarity import Similarity
from rigface.models.jnr import JnrModel
from rigface.models.jnr_expressive import Expression, ExpressionSpace
from rigface.rig.jnr_expression import EXPRESSIVE_JOINTS
from rigface.rig.jnr_skeleton import JNR_NAMES

_STILL = 1e-9
"""Radians, metres and shape weights below which a joint or a shape does not move."""

JointNames = Mapping[str, str | tuple[str, ...]]
"""Joint or joints of another skeleton by the semantic name that they follow."""

ASM_JOINTS: JointNames = {
    "Jaw_Root": "jaw",
    "Brow_Center": "eyebrow_center",
    "L_Brow_Outer": "eyebrow_outer.L",
    "R_Brow_Outer": "eyebrow_outer.R",
    "L_Upper_Eyelid": ("eye_inner_upper.L", "eye_outer_upper.L"),
    "R_Upper_Eyelid": ("eye_inner_upper.R", "eye_outer_upper.R"),
    "L_Lower_Eyelid": ("eye_inner_lower.L", "eye_outer_lower.L"),
    "R_Lower_Eyelid": ("eye_inner_lower.R", "eye_outer_lower.R"),
    "Mouth_Left_Corner": "lip_corner.L",
    "Mouth_Right_Corner": "lip_corner.R",
    "Top_Lip": ("lip_upper_side.L", "lip_upper_mid", "lip_upper_side.R"),
    "Bottom_Lip": ("lip_lower_side.L", "lip_lower_mid", "lip_lower_side.R"),
}
"""The joints of a `face.glb` that rigface made with ASM."""


@dataclass(frozen=True)
class Skeleton:
    """Any rig at rest."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    """-1 for roots; parents come before their children."""
    world_from_joint: Float[np.ndarray, "joints 4 4"]
    """Rest matrices."""
    shapes: tuple[str, ...] = ()
    """Names of its morph targets."""

    def __post_init__(self) -> None:
        counts = len(self.names), len(self.parents), len(self.world_from_joint)
        if len(set(counts)) > 1:
            raise InputError(
                f"a skeleton needs one parent and one rest matrix per joint; got {counts[0]} names,"
                f" {counts[1]} parents and {counts[2]} matrices."
            )
        late = [n for n, (j, p) in zip(self.names, enumerate(self.parents), strict=True) if p >= j]
        if late:
            raise InputError(f"joint {late[0]!r} comes before its parent; sort parents first.")

    @staticmethod
    def of_asset(asset: RigAsset) -> "Skeleton":
        """Of a rig that rigface writes."""
        shapes = tuple(morph.name for morph in asset.morphs)
        rest = world_matrices(asset, {})
        return Skeleton(asset.joint_names, asset.joint_parents, rest, shapes)


@dataclass(frozen=True)
class JointMotion:
    """What a joint does on top of its rest, in its own rest frame."""

    rotation: Float[np.ndarray, "4"]
    """Quaternion wxyz; parent_from_joint = rest @ [rotation | translation]."""
    translation: Float[np.ndarray, "3"]
    """In units of the joint's frame."""


@dataclass(frozen=True)
class SkeletonPose:
    """An expression of another skeleton."""

    joints: dict[str, JointMotion]
    """By joint name; the others rest."""
    shapes: dict[str, float]
    """Morph weights by name, above zero."""
    world_from_joint: Float[np.ndarray, "joints 4 4"]

    def rotations(self) -> dict[str, np.ndarray]:
        """As `rigface.posed_vertices` takes them, for clients that only turn joints."""
        return {name: motion.rotation for name, motion in self.joints.items()}


def retarget(
    expression: Expression, model: JnrModel, identity: Float[Tensor, " params"]
) -> Float[Tensor, "*batch params"]:
    """Parameters of another JNR face with this expression, cut at that face's limits.

    Raises InputError for a model without expressions or with mirrored sides.
    """
    return ExpressionSpace.of(model).expressed(identity, expression)


def retarget_to_skeleton(
    model: JnrModel,
    identity: Float[Tensor, " params"],
    expression: Expression,
    skeleton: Skeleton,
    joints: JointNames,
    without: Collection[str] = (),
    skeleton_from_model: Similarity | None = None,
) -> SkeletonPose:
    """A single expression of a JNR person on another skeleton.

    Args:
        joints: which joints follow which of the 12 expressive ones.
        without: semantic joints and ARKit shapes that the skeleton may do without; what they
            would have done is lost.
        skeleton_from_model: axes and size of the skeleton's world against the model's (metres, +Y
            up, +Z out of the face); None means the same. Its translation does not matter.

    Raises:
        InputError: an unknown name in `joints`, or a joint or shape that moves and is missing.
    """
    space = ExpressionSpace.of(model)
    posed = space.expressed(identity, expression)
    within = space.between(identity, posed)
    motion = _SourceMotion(model, space.neutral(identity), posed)
    follows = _followers(skeleton, joints, within, without)
    frame = Similarity.identity() if skeleton_from_model is None else skeleton_from_model
    rest = skeleton.world_from_joint
    moved: list[np.ndarray] = []
    above: list[str | None] = []
    out: dict[str, JointMotion] = {}
    for joint, name in enumerate(skeleton.names):
        parent = skeleton.parents[joint]
        carried = moved[parent] if parent >= 0 else np.eye(4)
        nearest = above[parent] if parent >= 0 else None
        if joint in follows:
            own = _about(rest[joint][:3, 3], *motion.relative(follows[joint], nearest), frame)
            out[name] = _in_rest_frame(rest[joint], own)
            carried, nearest = carried @ own, follows[joint]
        moved.append(carried)
        above.append(nearest)
    return SkeletonPose(out, _shapes(skeleton, within, without), np.stack(moved) @ rest)


class _SourceMotion:
    """Where expressive joints of a person rest and where the expression takes them."""

    def __init__(self, model: JnrModel, neutral: Tensor, posed: Tensor):
        with torch.no_grad():
            rest = model.world_from_joint(neutral).double().numpy()
            moved = model.world_from_joint(posed).double().numpy()
        self.start, self.end = rest[:, :3, 3], moved[:, :3, 3]
        self.turn = _nearest_rotation(moved[:, :3, :3] @ np.linalg.inv(rest[:, :3, :3]))

    def relative(self, name: str, to: str | None) -> tuple[np.ndarray, np.ndarray]:
        """Rotation and way of a joint as seen from another (None: from the head)."""
        joint = JNR_NAMES.index(name)
        if to is None:
            return self.turn[joint], self.end[joint] - self.start[joint]
        base = JNR_NAMES.index(to)
        back = self.turn[base].T
        end = back @ (self.end[joint] - self.end[base]) + self.start[base]
        return back @ self.turn[joint], end - self.start[joint]


def _followers(
    skeleton: Skeleton, joints: JointNames, expression: Expression, without: Collection[str]
) -> dict[int, str]:
    """Semantic name by joint index, checked."""
    unknown = [name for name in joints if name not in EXPRESSIVE_JOINTS]
    if unknown:
        raise InputError(
            f"{unknown[0]!r} is not a joint that expresses; known: {', '.join(EXPRESSIVE_JOINTS)}."
        )
    out: dict[int, str] = {}
    for semantic, given in joints.items():
        for name in (given,) if isinstance(given, str) else given:
            if name not in skeleton.names:
                listed = ", ".join(skeleton.names[:8])
                raise InputError(
                    f"the skeleton has no joint {name!r} for {semantic}; it has {listed}"
                    f"{', ...' if len(skeleton.names) > 8 else ''}."
                )
            out[skeleton.names.index(name)] = semantic
    moving = _moving_joints(expression)
    lost = [n for n in EXPRESSIVE_JOINTS if n in moving and n not in joints and n not in without]
    if lost:
        raise InputError(
            f"the expression moves {', '.join(lost)}, for which no joint is named; name one, or "
            f"say what may be lost: without={lost}."
        )
    return out


def _moving_joints(expression: Expression) -> set[str]:
    pairs = zip(expression.variables, expression.offsets.tolist(), strict=True)
    return {variable.split(".")[0] for variable, offset in pairs if abs(offset) > _STILL}


def _shapes(
    skeleton: Skeleton, expression: Expression, without: Collection[str]
) -> dict[str, float]:
    used = {name: w for name, w in expression.weights().items() if abs(w) > _STILL}
    lost = [name for name in used if name not in skeleton.shapes and name not in without]
    if lost:
        raise InputError(
            f"the skeleton has no shape {', '.join(lost)}, which the expression uses; shapes go by "
            f"their ARKit names. Say what may be lost: without={lost}."
        )
    return {name: weight for name, weight in used.items() if name in skeleton.shapes}


def _about(place: np.ndarray, turn: np.ndarray, way: np.ndarray, frame: Similarity) -> np.ndarray:
    """World motion (4, 4) that turns about `place` and then goes, in the skeleton's axes."""
    out = np.eye(4)
    out[:3, :3] = frame.rotation @ turn @ frame.rotation.T
    out[:3, 3] = place - out[:3, :3] @ place + frame.scale * frame.rotation @ way
    return out


def _in_rest_frame(rest: Float[np.ndarray, "4 4"], motion: np.ndarray) -> JointMotion:
    own = np.linalg.inv(rest) @ motion @ rest
    turn = torch.from_numpy(_nearest_rotation(own[:3, :3]))
    return JointMotion(quaternion_from_rotation(turn).numpy(), own[:3, 3].copy())


def _nearest_rotation(linear: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Uneven scales of a parent shear what hangs on it; a joint only turns."""
    u, _, vt = np.linalg.svd(linear)
    return u @ vt
