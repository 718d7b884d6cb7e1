"""What makes an expression of a JNR face (section 3.3): 12 joints and 24 shapes.

The paper says 12 and 24 of 47, and not which; these are ours. The joints lie under the parts that
a face moves; of their variables those of rotation and translation express, because bones do not
change size. The shapes were chosen among the template's 52 ARKit shapes by what the joints leave of
them (`tools/build_jnr/expressions.py`; a test keeps this table in step):

- gaze and tongue are out, they hardly move skin;
- then one shape after the other (left and right together) by what the joints' linearised motion and
  the shapes chosen before leave of it, until there are 24.

So jawOpen is in, though the jaw has a joint: no skinning opens a mouth as the shape does (the joint
alone is 2.3 mm off, 10 at most), and the joint turns it, closes it and goes beyond it.
"""

EXPRESSIVE_JOINTS = (
    "Jaw_Root", "Brow_Center", "L_Brow_Outer", "R_Brow_Outer", "L_Upper_Eyelid", "R_Upper_Eyelid",
    "L_Lower_Eyelid", "R_Lower_Eyelid", "Mouth_Left_Corner", "Mouth_Right_Corner", "Top_Lip",
    "Bottom_Lip",
)  # fmt: skip
"""Jaw, brows, lids, corners of the mouth, lips."""
EXPRESSIVE_KINDS = ("rotation", "translation")
EXPRESSION_SHAPES = (
    "browDownLeft", "browDownRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "eyeBlinkLeft", "eyeBlinkRight", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose",
    "mouthFunnel", "mouthLeft", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper",
    "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "noseSneerLeft",
    "noseSneerRight",
)  # fmt: skip
"""In the template's order."""
EXPRESSION_SIGMA = {"rotation": 0.2, "translation": 0.006}
"""Typical size of a motion, radians and metres; that of a shape weight is in the model's table."""


def expresses(name: str, kind: str) -> bool:
    """Whether this motion of a joint is part of an expression."""
    return name in EXPRESSIVE_JOINTS and kind in EXPRESSIVE_KINDS
