"""From JNR's variables to the nine numbers of each joint: one explicit linear map.

A joint has a rotation vector, a translation and the logarithms of three scales. The table says
which of these a person may change; a variable of a pair moves both sides as mirror images.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from math import log, radians

import numpy as np
from jaxtyping import Float

from rigface.rig.jnr_skeleton import JNR_NAMES, other_side

KINDS = ("rotation", "translation", "log_scale")
UNITS = {"rotation": "rad", "translation": "m", "log_scale": "1"}
LIMITS = {"rotation": radians(35), "translation": 0.025, "log_scale": log(2)}
"""Of every joint but the root and those in `_WIDE` and `_FINE`."""
_WIDE = {
    ("Root", "rotation"): radians(180),
    ("Root", "translation"): 0.5,
    ("Neck", "translation"): 0.06,
    ("Jaw_Root", "rotation"): radians(45),
    ("LR_Upper_Eyelid", "rotation"): radians(45),
}
_FINE = (
    "Brow_Center", "LR_Brow_Outer", "LR_Eye_Socket", "LR_Upper_Eyelid", "LR_Lower_Eyelid",
    "Nose_Root_A", "Nose_Root_B", "Nose_Bridge", "Nose_Ridge_A", "Nose_Ridge_B", "Nose_Tip",
    "Nose_Nostril", "Mouth_Center_Top", "LR_Mouth_Corner", "Top_Lip", "Bottom_Lip",
)  # fmt: skip
_FINE_TRANSLATION = 0.015
"""Metres, for joints under thin skin."""

# Who may do what: rotation (R), translation (T), logarithm of scale (S) about or along which axes;
# LR_ is a pair that moves as mirror images. 105 variables. The root carries the global pose and
# size; the others were chosen among all symmetric motions by how much of the 85 training heads they
# explain (orthogonal matching pursuit on the linearised rig), after those that faces move by.
_TABLE = """
Root: R xyz, T xyz, S u
Neck: R x, T yz, S xyz
Skull_Root: R x, T z, S xyz
Cranium: R x, T yz, S xyz
Crown: T z
LR_Crown_Outer: T z
Skull_Center: R x, T y, S xy
Brow_Center: T y
LR_Orbital: R yz, T z, S x
LR_Brow_Outer: T y
LR_Eye_Socket: R y, T z, S z
LR_Cheek_Bone: T xz
LR_Upper_Eyelid: R x, T yz
LR_Lower_Eyelid: R x, T y, S x
Nose_Root_A: T y, S z
Nose_Root_B: T z
Nose_Bridge: R x
Nose_Ridge_A: S z
Nose_Ridge_B: S x
Ears: S xy
LR_Ear_Position: R xz, T yz, S x
LR_Ear_Rotate_Scale: R yz, T x, S xz
Lower_Face_Root: R x, T yz, S xz
Jaw_Root: R x, T z, S xz
Maxilla: T y
Nose_Base_Position: R x, T y, S z
Nose_Base_Rotate: T z
Nose_Tip: R x
Nose_Nostril: S x
Mouth_Center_Top: T z
LR_Mouth_Corner: R xy, T xyz, S z
Jaw_Front: R x, T yz, S xy
Mouth_Center_Bottom: S z
Bottom_Lip: T yz
Chin: R x
Top_Lip: R x, T y, S z
LR_Jaw_Root: T x, S xy
LR_Chin: T x
LR_Cheek: T z
"""
_LETTERS = {"R": "rotation", "T": "translation", "S": "log_scale"}
_SIDEWAYS = {"rotation": ("x", "yz"), "translation": ("yz", "x")}
"""What an asymmetric face adds to a midline joint that has any of the first axes."""
_AXES = "xyz"
_MIRRORED = {
    "rotation": (1.0, -1.0, -1.0),
    "translation": (-1.0, 1.0, 1.0),
    "log_scale": (1.0, 1.0, 1.0),
}
"""Signs that turn a motion into that of its mirror image."""


@dataclass(frozen=True)
class Motion:
    """One kind of motion of a joint, or of a pair of joints as mirror images."""

    name: str
    """Joint, without L_ or R_ where both sides share the variables."""
    joints: tuple[int, ...]
    kind: str
    axes: str
    """Some of x, y, z, one variable each; `u` is one variable for all three scales."""
    limit: float
    """Largest absolute value, in the unit of the kind."""

    @property
    def columns(self) -> Float[np.ndarray, "entries variables"]:
        """(52 * 9, variables): what each variable adds to the numbers of all joints."""
        out = np.zeros((9 * len(JNR_NAMES), len(self.axes)))
        for side, joint in enumerate(self.joints):
            signs = _MIRRORED[self.kind] if side else (1.0, 1.0, 1.0)
            start = 9 * joint + 3 * KINDS.index(self.kind)
            for column, axis in enumerate(self.axes):
                for entry in range(3) if axis == "u" else (_AXES.index(axis),):
                    out[start + entry, column] = signs[entry]
        return out


def motion_matrix(motions: tuple[Motion, ...]) -> Float[np.ndarray, "entries variables"]:
    """All columns side by side."""
    return np.concatenate([motion.columns for motion in motions], axis=1)


def _sides(name: str) -> tuple[str, ...]:
    """Joint names of a table row, the left one first."""
    if not name.startswith("LR_"):
        return (name,)
    left = {"LR_Mouth_Corner": "Mouth_Left_Corner"}.get(name, "L_" + name.removeprefix("LR_"))
    return left, other_side(left)


def _limit(name: str, kind: str) -> float:
    if (name, kind) in _WIDE:
        return _WIDE[name, kind]
    return _FINE_TRANSLATION if kind == "translation" and name in _FINE else LIMITS[kind]


@lru_cache(maxsize=1)
def symmetric_motions() -> tuple[Motion, ...]:
    """The 105 variables: pairs move as mirror images."""
    out = []
    for row in _TABLE.strip().splitlines():
        name, _, kinds = row.partition(": ")
        joints = tuple(JNR_NAMES.index(side) for side in _sides(name))
        for entry in kinds.split(", "):
            letter, axes = entry.split()
            kind = _LETTERS[letter]
            out.append(Motion(name, joints, kind, axes, _limit(name, kind)))
    return tuple(out)


@lru_cache(maxsize=1)
def asymmetric_motions() -> tuple[Motion, ...]:
    """Both sides free, and the middle free to go and turn sideways where it goes and turns."""
    out = []
    for motion in symmetric_motions():
        if len(motion.joints) == 2:
            names = [JNR_NAMES[joint] for joint in motion.joints]
            out += [
                replace(motion, name=name, joints=(joint,))
                for name, joint in zip(names, motion.joints, strict=True)
            ]
            continue
        own, sideways = _SIDEWAYS.get(motion.kind, ("", ""))
        added = sideways if motion.name != "Root" and set(own) & set(motion.axes) else ""
        axes = "".join(sorted(motion.axes + added)) if added else motion.axes
        out.append(replace(motion, axes=axes))
    return tuple(out)
