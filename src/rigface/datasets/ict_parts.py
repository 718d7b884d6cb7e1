"""What the ICT-FaceKit documentation says about its topology: parts, and names of shapes.

From the README of ICT-FaceKit (MIT licence, https://github.com/ICT-VGL/ICT-FaceKit).
"""

from types import MappingProxyType

VERTEX_COUNT = 26_719

PARTS = MappingProxyType(
    {
        "face": range(0, 9409),
        "head_and_neck": range(9409, 11248),
        "mouth_socket": range(11248, 13294),
        "eye_socket_left": range(13294, 13678),
        "eye_socket_right": range(13678, 14062),
        "gums_and_tongue": range(14062, 17039),
        "teeth": range(17039, 21451),
        "sclera_left": range(21451, 22221),
        "iris_left": range(22221, 23021),
        "sclera_right": range(23021, 23791),
        "iris_right": range(23791, 24591),
        "lacrimal_fluid_left": range(24591, 24795),
        "lacrimal_fluid_right": range(24795, 24999),
        "eye_blend_left": range(24999, 25023),
        "eye_blend_right": range(25023, 25047),
        "eye_occlusion_left": range(25047, 25199),
        "eye_occlusion_right": range(25199, 25351),
        "eyelashes_left": range(25351, 26035),
        "eyelashes_right": range(26035, 26719),
    }
)
"""Vertices of each part; left and right are the subject's."""

OUTSIDE = ("face", "head_and_neck", "sclera_left", "sclera_right")
"""What a scanner sees: each sclera is a closed ball, cornea included, around its iris."""

LANDMARKS_68 = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088,
    3443, 268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140,
    2075, 1147, 4269, 3360, 1507, 1542, 1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732,
    5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841, 5702, 5711, 5533, 6216,
    6207, 6470, 5517, 5966,
)  # fmt: skip
"""Vertex of each Multi-PIE / iBUG-68 landmark."""

ARKIT_NAMES = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight",
    "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft",
    "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight",
    "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight",
    "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
    "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft",
    "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft",
    "noseSneerRight",
)  # fmt: skip
"""The 51 ARKit shapes that ICT-FaceKit covers; it has no tongueOut."""


def ict_names(arkit_name: str) -> tuple[str, ...]:
    """The ICT shapes whose sum is an ARKit shape.

    `...Left` / `...Right` are `..._L` / `..._R` one to one. `browInnerUp` and `cheekPuff` are one
    shape in ARKit and two in ICT, both at the same weight. The sideways shapes `jawLeft`,
    `jawRight`, `mouthLeft` and `mouthRight` are named alike in both.
    """
    if arkit_name in ("browInnerUp", "cheekPuff"):
        return f"{arkit_name}_L", f"{arkit_name}_R"
    if arkit_name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
        return (arkit_name,)
    for long, short in (("Left", "_L"), ("Right", "_R")):
        if arkit_name.endswith(long):
            return (arkit_name.removesuffix(long) + short,)
    return (arkit_name,)
