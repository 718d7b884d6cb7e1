"""Where each JNR joint sits on the template: millimetres, left and midline; the right mirrors.

A joint whose place coincides with an ASM bone names it (docs/rig.md has the places); the others are
authored by anatomy: x to the subject's left, y up, z out of the face, origin between the eyeballs.
"""

PLACES: dict[str, str | tuple[float, float, float]] = {
    # head as a whole
    "Root": "root",
    "Neck": (0, -100, -78),
    "Skull_Root": "head",
    "Cranium": (0, 40, -75),
    "Crown": (0, 85, -75),
    "L_Crown_Outer": (48, 60, -75),
    # upper face: behind the nasion, the orbits, brows, lids
    "Skull_Center": (0, 0, -15),
    "Brow_Center": "eyebrow_center",
    "L_Orbital": (33, 10, 3),
    "L_Brow_Outer": "eyebrow_outer.L",
    "L_Eye_Socket": "eye.L",
    "L_Cheek_Bone": "apple_outer.L",
    "L_Upper_Eyelid": (30.3, 6.5, 15.6),
    "L_Lower_Eyelid": (30.5, -8.0, 13.6),
    # nose, down its ridge
    "Nose_Root_A": (0, 5, 17),
    "Nose_Root_B": "nose_bridge_upper",
    "Nose_Bridge": (0, -12, 23),
    "Nose_Ridge_A": (0, -20, 27.5),
    "Nose_Ridge_B": "nose_mid",
    "Nose_Base_Position": (0, -37, 14),
    "Nose_Base_Rotate": (0, -40, 18),
    "Nose_Tip": "nose_tip",
    "Nose_Nostril": (0, -42, 24),
    # ears
    "Ears": (0, -21.5, -65.1),
    "L_Ear_Position": (64, -21.5, -60),
    "L_Ear_Rotate_Scale": "ear.L",
    # lower face: hinge between the condyles, the jaw ahead of it
    "Lower_Face_Root": (0, -35, -30),
    "Jaw_Root": (0, -20, -53),
    "Maxilla": (0, -48, -2),
    "Mouth_Center_Top": (0, -60, 18),
    "Mouth_Left_Corner": "lip_corner.L",
    "Top_Lip": "lip_upper_mid",
    "Jaw_Front": (0, -84, 6),
    "Mouth_Center_Bottom": (0, -75, 16),
    "Bottom_Lip": "lip_lower_mid",
    "Chin": "chin",
    "L_Jaw_Root": "jaw_corner.L",
    "L_Chin": "chin_side.L",
    "L_Cheek": (40, -50, 0),
}
