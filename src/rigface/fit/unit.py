"""The unit of a scan, read off the size of the face that was found in it."""

from dataclasses import dataclass

METRES_PER_UNIT = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "inch": 0.0254}
SMALLEST, LARGEST = 0.72, 1.40
"""Faces as multiples of the template's (a slender young adult): small child to big man."""


@dataclass(frozen=True)
class ScanUnit:
    """The unit of the scan and how it was found."""

    name: str
    """mm, cm, m, inch, or "arbitrary"."""
    metres_per_unit: float
    how: str


def decide_unit(per_metre: float, asked: str = "auto") -> ScanUnit:
    """The unit from scan units per metre of the template's face; never from a bounding box.

    The ranges of the four units do not overlap. A face of no human size in any of them is
    "arbitrary" and taken to be as large as the template's. `asked` overrules the search.
    """
    if asked != "auto":
        return ScanUnit(asked, METRES_PER_UNIT[asked], "given by the user")
    for name, metres in METRES_PER_UNIT.items():
        size = per_metre * metres
        if SMALLEST <= size <= LARGEST:
            how = f"from the size of the face, {size:.2f} of the template's"
            return ScanUnit(name, metres, how)
    how = "no unit makes this a human face; its scale is taken from the template head"
    return ScanUnit("arbitrary", 1 / per_metre, how)
