"""Named points on a face, in the iBUG-68 numbering; left and right are the subject's."""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Int

IBUG_COUNT = 68
INNER_FIRST = 17
"""51 points are the iBUG-68 without the jaw line: ibug.17 to ibug.67."""

_COMMON = {
    "jaw_right": 0,
    "chin": 8,
    "jaw_left": 16,
    "brow_outer_right": 17,
    "brow_inner_right": 21,
    "brow_inner_left": 22,
    "brow_outer_left": 26,
    "nasion": 27,
    "nose_tip": 30,
    "nostril_right": 31,
    "subnasale": 33,
    "nostril_left": 35,
    "eye_outer_right": 36,
    "eye_inner_right": 39,
    "eye_inner_left": 42,
    "eye_outer_left": 45,
    "mouth_right": 48,
    "lip_upper": 51,
    "mouth_left": 54,
    "lip_lower": 57,
}
_SYNONYMS = {
    "pronasale": 30,
    "nose": 30,
    "sellion": 27,
    "menton": 8,
    "gnathion": 8,
    "exocanthion_right": 36,
    "endocanthion_right": 39,
    "endocanthion_left": 42,
    "exocanthion_left": 45,
    "cheilion_right": 48,
    "cheilion_left": 54,
    "mouth_corner_right": 48,
    "mouth_corner_left": 54,
    "labiale_superius": 51,
    "labiale_inferius": 57,
}
COMMON_NAMES = MappingProxyType(_COMMON)
"""The spoken names and their iBUG number; docs/formats.md prints this table."""

SYNONYMS = MappingProxyType(_SYNONYMS)
"""Anthropometric and other spellings that are accepted too."""


@dataclass(frozen=True)
class Landmarks:
    """Points on the surface of one scan, in that scan's own unit and frame."""

    names: tuple[str, ...]
    """`ibug.0` to `ibug.67`, each at most once."""
    points: Float[np.ndarray, "marks 3"]

    def __post_init__(self) -> None:
        assert len(self.names) == len(self.points), "one name per point"
        assert len(set(self.names)) == len(self.names), "a landmark is named once"

    @property
    def ibug(self) -> Int[np.ndarray, " marks"]:
        """The iBUG-68 number of each point."""
        return np.array([int(name.removeprefix("ibug.")) for name in self.names], dtype=np.int64)


def ibug_index(name: str) -> int | None:
    """The iBUG-68 number behind `ibug.N` or a spoken name; None for a name that is not known.

    Case, blanks, dots and dashes do not matter: "Nose Tip" is `nose_tip`.
    """
    key = name.strip().lower().replace(" ", "_").replace("-", "_").replace(".", "_")
    prefix, _, number = key.rpartition("_")
    if prefix == "ibug" and number.isascii() and number.isdigit():
        index = int(number)
        return index if index < IBUG_COUNT else None
    return _COMMON.get(key, _SYNONYMS.get(key))
