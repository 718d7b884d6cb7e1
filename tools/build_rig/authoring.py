"""Where each bone sits: authored by anatomy on the template, in millimetres, left side only.

`at` is a point near the skin (x to the subject's left, y up, z out of the face; the origin lies
between the eyeball centres). A missing x or z is found by looking at the head from the side or
the front. The joint lies `depth` under that point (half of the flesh where that is thinner), or at
`pivot` for bones that carry others.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Spot:
    """One authored bone; millimetres."""

    at: tuple[float | None, float, float | None]
    depth: float = 5.0
    pivot: tuple[float, float, float] | None = None


def _front(x: float, y: float, depth: float = 5.0, pivot=None) -> Spot:
    return Spot((x, y, None), depth, pivot)


def _side(z: float, y: float, depth: float = 5.0, pivot=None) -> Spot:
    return Spot((None, y, z), depth, pivot)


BONES: dict[str, Spot] = {
    # groups: the anchor is the outer skin that the pivot looks out of
    "root": Spot((0, -82, -135), pivot=(0, -105, -80)),
    "head": Spot((0, 110, -70), pivot=(0, -15, -75)),
    "nose": _front(0, -21, pivot=(0, -18, 8)),
    "mouth": _front(0, -53, pivot=(0, -68, 5)),
    "eye.L": _front(31, -8.5, pivot=(29.5, 0, 0)),
    "eyebrow.L": _front(36, 22, pivot=(32, 20, 6)),
    # nose
    "nose_bridge_upper": _front(0, -3, 4),
    "nose_bridge": _front(0, -14, 4),
    "nose_mid": _front(0, -27, 4),
    "nose_tip": _front(0, -37, 6),
    "nose_wing.L": _front(16, -36.5, 3),
    "nose_hole.L": Spot((9.5, -43, 26), 3),
    "nose_bottom.L": _front(5.5, -47.5, 4),
    # lips
    "lip_corner.L": _front(25, -68.5, 3),
    "lip_upper_side.L": _front(12, -63.5, 4),
    "lip_upper_mid": _front(0, -63.5, 4),
    "lip_lower_mid": _front(0, -73, 3),
    "lip_lower_side.L": _front(12, -72.5, 3),
    # eye: four lid borders, two corners, socket, upper lid crease
    "eye_inner_upper.L": _front(25, 4, 2),
    "eye_outer_upper.L": _front(37.5, 5.2, 1.8),
    "eye_outer_corner.L": _front(45.5, -1.5, 2),
    "eye_inner_lower.L": _front(24.5, -7, 2),
    "eye_outer_lower.L": _front(38, -7.2, 1.8),
    "eye_inner_corner.L": _front(16.5, -4, 2.5),
    "eye_hole.L": _front(31, -17, 5),
    "eyelid_outer.L": _front(42, 7.5, 4),
    "eyelid_middle.L": _front(31.5, 9.5, 4),
    "eyelid_inner.L": _front(21.5, 7, 4),
    # brows, forehead, temple
    "eyebrow_inner.L": _front(14, 15),
    "eyebrow_mid.L": _front(29, 18),
    "eyebrow_outer.L": _front(45, 15.5),
    "eyebrow_center": _front(0, 12),
    "eyebrow_center_up": _front(0, 27),
    "forehead": _front(0, 52),
    "forehead.L": _front(34, 43),
    "temple.L": _side(-32, 17),
    # cheeks
    "apple_inner.L": _front(20, -25),
    "apple_center.L": _front(35, -30),
    "apple_outer.L": _front(51, -25),
    "apple_lower.L": _front(32, -48),
    "cheek.L": _front(50, -55),
    # chin and jaw
    "chin": _front(0, -95, 6),
    "chin_low": _front(0, -106, 6),
    "chin_side.L": _front(18, -92, 6),
    "chin_side_low.L": _front(18, -103, 6),
    "jaw.L": Spot((44, -89, -18), 6),
    "jaw_corner.L": _side(-55, -74, 6),
    "ear.L": _side(-66, -22, 2),
    # neck
    "neck_front": _front(0, -124, 6),
    "neck_side.L": _side(-72, -98, 8),
}

# Joints without a skin point of their own. The condyles sit in front of the ear canals, 20 mm ahead
# of the head's pivot; the hinge is the midpoint between them.
ATTACHMENTS: dict[str, tuple[float, float, float]] = {"jaw": (0, -20, -53)}
# Joints along the tongue, as a share of its length from its root to its tip.
TONGUE = {"tongue_back": 0.1, "tongue_mid": 0.45, "tongue_tip": 0.75}
