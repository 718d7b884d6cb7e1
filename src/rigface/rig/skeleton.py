"""The 84 bones of ASM (supplement Table 1) and the attachment joints that a game head adds."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

# Table 1 in its own order as "name < parent". Row 19 is printed as lip_corner.L for the second
# time; it is the right corner.
_TABLE = """
root; head < root; nose < head; nose_bridge < nose; nose_tip < nose; nose_mid < nose;
nose_wing.L < nose; nose_wing.R < nose; nose_bottom.L < nose; nose_bottom.R < nose;
nose_hole.L < nose; nose_hole.R < nose; nose_bridge_upper < nose; mouth < head;
lip_corner.L < mouth; lip_upper_side.L < mouth; lip_upper_mid < mouth; lip_lower_mid < mouth;
lip_lower_side.L < mouth; lip_corner.R < mouth; lip_upper_side.R < mouth; lip_lower_side.R < mouth;
ear.L < head; eye.L < head; eye_inner_upper.L < eye.L; eye_outer_upper.L < eye.L;
eye_outer_corner.L < eye.L; eye_inner_lower.L < eye.L; eye_outer_lower.L < eye.L;
eye_inner_corner.L < eye.L; eye_hole.L < eye.L; eyelid_outer.L < eye.L; eyelid_middle.L < eye.L;
eyelid_inner.L < eye.L; eyebrow.L < head; eyebrow_inner.L < eyebrow.L; eyebrow_outer.L < eyebrow.L;
eyebrow_mid.L < eyebrow.L; forehead < head; apple_outer.L < head; apple_lower.L < head;
apple_inner.L < head; apple_center.L < head; eyebrow_center < head; chin < head;
chin_side.L < head; jaw.L < head; jaw_corner.L < head; temple.L < head; ear.R < head;
eye.R < head; eye_inner_upper.R < eye.R; eye_outer_upper.R < eye.R; eye_outer_corner.R < eye.R;
eye_inner_lower.R < eye.R; eye_outer_lower.R < eye.R; eye_inner_corner.R < eye.R;
eye_hole.R < eye.R; eyelid_outer.R < eye.R; eyelid_middle.R < eye.R; eyelid_inner.R < eye.R;
eyebrow.R < head; eyebrow_inner.R < eyebrow.R; eyebrow_outer.R < eyebrow.R;
eyebrow_mid.R < eyebrow.R; apple_outer.R < head; apple_lower.R < head; apple_inner.R < head;
apple_center.R < head; chin_side.R < head; jaw.R < head; jaw_corner.R < head; temple.R < head;
cheek.L < head; cheek.R < head; chin_low < head; chin_side_low.L < head; chin_side_low.R < head;
eyebrow_center_up < head; forehead.L < head; forehead.R < head; neck_front < root;
neck_side.L < root; neck_side.R < root
"""

# Joints without ASM variables. A parent may be an ASM bone or an earlier attachment joint.
_ATTACHMENTS = """
jaw < head; eyeball.L < head; eyeball.R < head; teeth.upper < head; teeth.lower < jaw;
tongue_back < jaw; tongue_mid < tongue_back; tongue_tip < tongue_mid
"""


def _parse(table: str) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    rows = [row.split("<") for row in table.replace("\n", " ").split(";")]
    names = tuple(row[0].strip() for row in rows)
    parents = tuple(row[1].strip() if len(row) > 1 else None for row in rows)
    return names, parents


BONE_NAMES, _PARENT_NAMES = _parse(_TABLE)
BONE_PARENTS = tuple(-1 if parent is None else BONE_NAMES.index(parent) for parent in _PARENT_NAMES)
ATTACHMENT_NAMES, ATTACHMENT_PARENTS = _parse(_ATTACHMENTS)
GROUP_BONES = (
    "root", "head", "nose", "mouth", "eye.L", "eye.R", "eyebrow.L", "eyebrow.R",
)  # fmt: skip
"""Bones that carry others; their joints lie at a pivot inside the head, not under the skin."""


def opposite_name(name: str) -> str:
    """The name on the other side; a midline name is its own opposite."""
    if name.endswith(".L"):
        return name[:-2] + ".R"
    return name[:-2] + ".L" if name.endswith(".R") else name


def mirror_indices(names: tuple[str, ...]) -> Int[np.ndarray, " names"]:
    """Index of each name's opposite; raises ValueError where one is missing."""
    return np.array([names.index(opposite_name(name)) for name in names])


@dataclass(frozen=True)
class Attachments:
    """Joints of the parts that ASM does not move by itself: jaw, eyeballs, teeth, tongue."""

    names: tuple[str, ...]
    parents: tuple[str, ...]
    """Name of an ASM bone or of an earlier attachment joint."""
    positions: np.ndarray
    """(attachments, 3), metres, template frame."""

    def position(self, name: str) -> np.ndarray:
        """Joint position of one attachment."""
        return self.positions[self.names.index(name)]
