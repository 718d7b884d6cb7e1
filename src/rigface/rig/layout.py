"""What an exported hierarchy needs of a rig: joints, who hangs on whom, what turns with the jaw."""

from dataclasses import dataclass, replace
from functools import lru_cache

from rigface.rig.jnr_skeleton import JNR_NAMES, JNR_PARENTS
from rigface.rig.rig import load_rig
from rigface.rig.skeleton import Attachments

_UNDER_JAW = (
    "lip_lower_mid", "lip_lower_side.L", "lip_lower_side.R", "chin", "chin_side.L", "chin_side.R",
    "chin_low", "chin_side_low.L", "chin_side_low.R", "jaw.L", "jaw.R",
)  # fmt: skip
"""ASM's bones of the mandible; its hierarchy hangs them on the mouth and the head."""


@dataclass(frozen=True)
class RigLayout:
    """Joints of a face and the attachments (jaw, eyeballs, teeth, tongue) that hang on them."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    """-1 for the root; a parent comes before its children."""
    attachments: Attachments
    """Their parents are joints or attachments, by name."""
    head: str
    """The joint that skin is given to which does not turn with the jaw."""
    hung_on_jaw: tuple[str, ...]
    """Joints that hang on the attachment `jaw` where joints are rigid."""

    @property
    def jaw_joints(self) -> tuple[str, ...]:
        """`hung_on_jaw` and all below them."""
        held = set(self.hung_on_jaw)
        for name, parent in zip(self.names, self.parents, strict=True):
            if parent >= 0 and self.names[parent] in held:
                held.add(name)
        return tuple(name for name in self.names if name in held)


@lru_cache(maxsize=1)
def asm_layout() -> RigLayout:
    """The 84 bones of ASM."""
    rig = load_rig()
    return RigLayout(rig.names, rig.parents, rig.attachments, "head", _UNDER_JAW)


@lru_cache(maxsize=1)
def jnr_layout() -> RigLayout:
    """The 52 joints of JNR."""
    attach = load_rig().attachments
    parents = tuple("Skull_Root" if parent == "head" else parent for parent in attach.parents)
    return RigLayout(
        JNR_NAMES, JNR_PARENTS, replace(attach, parents=parents), "Skull_Root", ("Jaw_Root",)
    )
