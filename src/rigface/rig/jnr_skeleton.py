"""The 52 joints of JNR and the variables that move them: which joint may do what, on which side.

The paper's supplement is not public: names and hierarchy follow one transcription of its Table 1,
with six joints hung where anatomy has them (`MOVED`). The split of the 105 variables and the limits
are ours; `docs/jnr.md` prints both.
"""

import numpy as np
from jaxtyping import Int

# "name < parent", parents first.
_TABLE = """
Root; Neck < Root; Skull_Root < Root; Cranium < Skull_Root; Crown < Cranium;
L_Crown_Outer < Crown; R_Crown_Outer < Crown; Skull_Center < Skull_Root;
Brow_Center < Skull_Center; L_Orbital < Skull_Center; R_Orbital < Skull_Center;
L_Brow_Outer < L_Orbital; R_Brow_Outer < R_Orbital; L_Eye_Socket < L_Orbital;
R_Eye_Socket < R_Orbital; L_Cheek_Bone < L_Orbital; R_Cheek_Bone < R_Orbital;
L_Upper_Eyelid < L_Eye_Socket; R_Upper_Eyelid < R_Eye_Socket; L_Lower_Eyelid < L_Eye_Socket;
R_Lower_Eyelid < R_Eye_Socket; Nose_Root_A < Skull_Center; Nose_Root_B < Nose_Root_A;
Nose_Bridge < Nose_Root_B; Nose_Ridge_A < Nose_Bridge; Nose_Ridge_B < Nose_Ridge_A;
Ears < Skull_Root; L_Ear_Position < Ears; R_Ear_Position < Ears;
L_Ear_Rotate_Scale < L_Ear_Position; R_Ear_Rotate_Scale < R_Ear_Position;
Lower_Face_Root < Skull_Root; Jaw_Root < Lower_Face_Root; Maxilla < Lower_Face_Root;
Nose_Base_Position < Maxilla; Nose_Base_Rotate < Nose_Base_Position;
Nose_Tip < Nose_Base_Rotate; Nose_Nostril < Nose_Base_Rotate; Mouth_Center_Top < Maxilla;
Mouth_Left_Corner < Mouth_Center_Top; Mouth_Right_Corner < Mouth_Center_Top;
Jaw_Front < Jaw_Root; Mouth_Center_Bottom < Jaw_Front; Bottom_Lip < Mouth_Center_Bottom;
Chin < Jaw_Front; Top_Lip < Mouth_Center_Top; L_Jaw_Root < Jaw_Root; R_Jaw_Root < Jaw_Root;
L_Chin < Chin; R_Chin < Chin; L_Cheek < Maxilla; R_Cheek < Maxilla
"""
MOVED = {
    "Jaw_Front": "Mouth_Center_Top",
    "Mouth_Center_Bottom": "Mouth_Center_Top",
    "Top_Lip": "Jaw_Front",
    "L_Jaw_Root": "Jaw_Front",
    "R_Jaw_Root": "Jaw_Front",
}
"""Parents in the transcription that would leave Jaw_Root without the jaw: ours is in the table."""


def _parse(table: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    rows = [row.split("<") for row in table.replace("\n", " ").split(";")]
    names = tuple(row[0].strip() for row in rows)
    return names, tuple(names.index(row[1].strip()) if len(row) > 1 else -1 for row in rows)


JNR_NAMES, JNR_PARENTS = _parse(_TABLE)


def other_side(name: str) -> str:
    """The joint on the other side; a midline joint is its own."""
    if name.startswith(("L_", "R_")):
        return ("R_" if name[0] == "L" else "L_") + name[2:]
    swapped = {"Mouth_Left_Corner": "Mouth_Right_Corner", "Mouth_Right_Corner": "Mouth_Left_Corner"}
    return swapped.get(name, name)


def mirror_joints() -> Int[np.ndarray, "52"]:
    """Index of the joint on the other side, for every joint."""
    return np.array([JNR_NAMES.index(other_side(name)) for name in JNR_NAMES])
