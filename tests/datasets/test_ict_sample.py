"""Random heads: plausible, repeatable, mostly symmetric."""

import numpy as np
import pytest

from rigface.datasets.ict import load_ict
from rigface.datasets.ict_parts import ARKIT_NAMES
from rigface.datasets.ict_sample import _EXCLUSIVE, _UNITS, sample_arkit_weights, sample_ict_head


@pytest.fixture
def expressions() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.array([sample_arkit_weights(ARKIT_NAMES, rng) for _ in range(400)])


def test_number_and_range_of_weights(expressions):
    active = np.count_nonzero(expressions, axis=1)
    assert set(active.tolist()) == {2, 3, 4, 5}
    used = expressions[expressions > 0]
    assert used.min() >= 0.2 and used.max() <= 0.9
    never = {name for name, column in zip(ARKIT_NAMES, expressions.T, strict=True)
             if not column.any()}  # fmt: skip
    assert never == {"mouthClose"}


def test_mostly_symmetric(expressions):
    index = {name: i for i, name in enumerate(ARKIT_NAMES)}
    equal = different = 0
    for unit, shapes in _UNITS.items():
        if len(shapes) == 2 and unit not in ("gazeLeft", "gazeRight"):
            left, right = (expressions[:, index[name]] for name in shapes)
            on = (left > 0) | (right > 0)
            equal += int((left[on] == right[on]).sum())
            different += int((left[on] != right[on]).sum())
    assert 0.75 < equal / (equal + different) < 0.95


def test_rivals_never_meet(expressions):
    index = {name: i for i, name in enumerate(ARKIT_NAMES)}
    owner = {}
    for unit, shapes in _UNITS.items():
        for name in shapes:
            owner.setdefault(name, set()).add(unit)
    jaw_sideways = [index["jawLeft"], index["jawRight"], index["jawForward"]]
    assert np.count_nonzero(expressions[:, jaw_sideways], axis=1).max() == 1
    for rivals in _EXCLUSIVE:
        assert rivals <= set(_UNITS), "a misspelt rival would exclude nothing"


def test_sampling_is_repeatable_and_consistent(data_dir):
    model = load_ict(data_dir / "ict_facekit")
    first, second = (sample_ict_head(model, np.random.default_rng(5)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    vertices, identity, expression = first
    assert vertices.dtype == np.float64 and identity.shape == (100,) and expression.shape == (57,)
    np.testing.assert_array_equal(vertices, model.vertices(identity, expression))
    neutral, _, none = sample_ict_head(model, np.random.default_rng(5), expression=False)
    assert not none.any() and not np.array_equal(neutral, vertices)
    mean, _, _ = sample_ict_head(model, np.random.default_rng(5), 0.0, expression=False)
    np.testing.assert_array_equal(mean, model.mean)
