"""Names of landmarks lead to iBUG numbers, whatever their spelling."""

import re
from pathlib import Path

import numpy as np
import pytest

from rigface.evidence.landmarks import COMMON_NAMES, SYNONYMS, Landmarks, ibug_index


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("ibug.0", 0),
        ("iBUG 67", 67),
        ("nose_tip", 30),
        (" Nose Tip ", 30),
        ("eye-outer-right", 36),
        ("mouth_left", 54),
        ("Exocanthion Left", 45),
        ("ibug.68", None),
        ("ibug.-1", None),
        ("ibug.", None),
        ("30", None),
        ("", None),
        ("elbow", None),
    ],
)
def test_spellings(name, index):
    assert ibug_index(name) == index


def test_left_and_right_are_mirrors_in_the_ibug_numbering():
    # The published left-right permutation of the iBUG-68 points that have a common name.
    mirror = {0: 16, 17: 26, 21: 22, 31: 35, 36: 45, 39: 42, 48: 54}
    for table in (COMMON_NAMES, SYNONYMS):
        for name, right in table.items():
            if name.endswith("_right"):
                assert table[name.removesuffix("right") + "left"] == mirror[right]


def test_numbers_follow_the_names():
    marks = Landmarks(("ibug.30", "ibug.8"), np.zeros((2, 3)))
    assert marks.ibug.tolist() == [30, 8]
    with pytest.raises(AssertionError, match="once"):
        Landmarks(("ibug.30", "ibug.30"), np.zeros((2, 3)))


def test_the_documented_table_is_complete():
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
    for name, index in COMMON_NAMES.items():
        (row,) = [
            line for line in page.splitlines() if line.startswith("|") and f"`{name}`" in line
        ]
        names = re.findall(r"`(\w+)`", row.split("|")[1])
        numbers = [int(number) for number in row.split("|")[2].split(",")]
        assert dict(zip(names, numbers, strict=True))[name] == index
    assert all(f"`{name}`" in page for name in SYNONYMS)
