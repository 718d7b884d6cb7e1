"""The unit of a scan, read off the size of the face that was found in it."""

from dataclasses import dataclass

METRES_PER_UNIT = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "inch": 0.0254}
SMALLEST, LARGEST = 0.72, 1.40
"""Human faces as multiples of the template's (a slender young adult): small child to big man."""


@dataclass(frozen=True)
class UnitDecision:
    """What one unit of the scan stands for."""

    unit: str
    """mm, cm, m, inch, or arbitrary."""
    metres_per_unit: float
    plausible: bool
    """False: no common unit gives a human face; the scale is then that of the template."""
    message: str


def decide_unit(scale: float) -> UnitDecision:
    """The unit from scan units per metre of the template's face; never from a bounding box.

    The ranges of the four units do not overlap. A face of no human size in any of them is
    "arbitrary" and taken to be as large as the template's.
    """
    for unit, metres in METRES_PER_UNIT.items():
        ratio = scale * metres
        if SMALLEST <= ratio <= LARGEST:
            return UnitDecision(
                unit, metres, True, f"unit {unit}: the face is {ratio:.2f} times the template's"
            )
    return UnitDecision(
        "arbitrary",
        1.0 / scale,
        False,
        f"the face is human-sized in none of {', '.join(METRES_PER_UNIT)} ({scale:.4g} units per "
        "metre of an average face); its size is taken from the template",
    )
