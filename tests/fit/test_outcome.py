"""The quality gate: what fails, what only warns."""

import numpy as np
import pytest

from rigface.fit.outcome import MAX_CROSSINGS, Measured, judge
from rigface.fit.unit import ScanUnit
from rigface.metrics.distance import ErrorSamples

MM = ScanUnit("mm", 1e-3, "given by the user")
GOOD = {
    "flipped": 0.0,
    "self_intersections": 0,
    "face_intersections": 0,
    "lid_eyeball": 0,
    "lip_teeth": 0,
}


def measured(mean: float = 0.2, coverage: float = 1.0, points: int = 1000, **quality) -> Measured:
    covered = np.arange(points) < round(coverage * points)
    errors = ErrorSamples(np.full(points, mean), covered, np.zeros(points, int), ("nose",))
    return Measured(errors, np.zeros(3), {**GOOD, **quality})


def test_a_good_fit_passes_without_a_word():
    verdict = judge(measured(), MM)
    assert verdict.reason is None and verdict.warnings == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"points": 0}, "the face was not found correctly"),
        ({"coverage": 0.94}, "94.0% of the face region is covered"),
        ({"mean": 1.01}, "mean error is 1.01 mm"),
        ({"flipped": 0.006}, "0.60% of the triangles are turned over"),
        ({"face_intersections": MAX_CROSSINGS + 1}, "11 pairs of triangles of the face cross"),
    ],
)
def test_what_misses_the_gate_fails_with_its_reason(change, words):
    reason = judge(measured(**change), MM).reason
    assert reason is not None and words in reason


@pytest.mark.parametrize(
    "change", [{"coverage": 0.95}, {"mean": 1.0}, {"flipped": 0.005}, {"face_intersections": 10}]
)
def test_the_gate_itself_passes(change):
    assert judge(measured(**change), MM).reason is None


def test_crossings_elsewhere_and_an_unknown_unit_warn():
    unknown = ScanUnit("arbitrary", 0.3, "no unit makes this a human face")
    quality = {"self_intersections": 40, "lid_eyeball": 1, "lip_teeth": 2}
    verdict = judge(measured(**quality), unknown)
    assert verdict.reason is None
    assert [text.split()[0] for text in verdict.warnings] == ["unit", "40", "1", "2"]
    assert "--unit" in verdict.warnings[0]
