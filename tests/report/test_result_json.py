"""`result.json` follows its schema, its page and the order of its keys."""

import json
import math
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import pytest

from rigface.errors import OutputError
from rigface.report.result_json import (
    SCHEMA,
    dumps,
    package_versions,
    schema_problems,
    to_json,
    write_result,
)

REPOSITORY = Path(__file__).parents[2]


def example() -> dict:
    errors = {"mean_mm": 0.2, "median_mm": 0.1, "rms_mm": 0.3, "p95_mm": 0.6, "coverage": 0.97}
    return {
        "versions": package_versions(),
        "ok": True,
        "rigface": "0.1.0",
        "input": {"path": Path("head.obj"), "vertices": np.int64(9279)},
        "unit": {"name": "mm", "metres_per_unit": np.float32(0.001), "how": "given"},
        "recipe": "default",
        "model": "asm",
        "variables": 1932,
        "metrics": {**errors, "rms_mm": math.nan},
        "regions": [{"name": "nose", "mean_mm": 0.2, "p95_mm": np.inf}],
        "quality": {"flipped": 0.0, "self_intersections": 0, "lid_eyeball": 0, "lip_teeth": 0},
        "export": {"pruning_mm": 0.01},
        "seconds": {"load": 0.1, "fit": 5.0},
        "warnings": (),
        "seed": 0,
        "extra": [1, 2],
    }


def test_file_has_ordered_keys_and_null_for_what_is_no_number(tmp_path):
    returned = write_result(tmp_path / "result.json", example())
    text = (tmp_path / "result.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    stored = json.loads(text)
    assert stored == returned
    assert list(stored) == [*(k for k in SCHEMA["properties"] if k != "reason"), "extra"]
    assert stored["metrics"]["rms_mm"] is None
    assert stored["regions"][0]["p95_mm"] is None
    assert stored["input"] == {"path": "head.obj", "vertices": 9279}
    assert stored["unit"]["metres_per_unit"] == pytest.approx(0.001)


def test_same_result_same_bytes_whatever_the_order(tmp_path):
    shuffled = dict(reversed(list(example().items())))
    write_result(tmp_path / "a.json", example())
    write_result(tmp_path / "b.json", shuffled)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ok": 1}, "result.ok is int, expected boolean"),
        ({"seed": True}, "result.seed is bool, expected integer"),
        ({"unit": {"name": "mm"}}, "result.unit.how is missing"),
        ({"seconds": {"fit": "long"}}, "result.seconds.fit is str, expected number"),
        ({"warnings": [1]}, "result.warnings[0] is int, expected string"),
        ({"regions": [{"name": "nose"}]}, "result.regions[0].mean_mm is missing"),
    ],
)
def test_schema_names_what_is_wrong(change, problem):
    assert schema_problems(to_json(example())) == []
    assert problem in schema_problems(to_json({**example(), **change}))


def test_conversions():
    class Colour(Enum):
        RED = "red"

    @dataclass(frozen=True)
    class Pair:
        first: Colour
        second: np.ndarray

    assert to_json(Pair(Colour.RED, np.array([1.0, np.nan]))) == {
        "first": "red",
        "second": [1.0, None],
    }
    with pytest.raises(TypeError, match="set"):
        to_json({"a": {1}})


def test_place_below_a_file_is_an_output_error(tmp_path):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(OutputError):
        write_result(tmp_path / "taken" / "result.json", example())


def test_documented_fields_are_the_schema():
    page = (REPOSITORY / "docs" / "outputs.md").read_text()
    table = page.split("## result.json")[1].split("\n## ")[0]
    documented = re.findall(r"^\| `([a-z0-9_.\[\]]+)` \|", table, flags=re.MULTILINE)
    fields = []
    for name, schema in SCHEMA["properties"].items():
        inner = schema.get("properties") or schema.get("items", {}).get("properties")
        mark = "[]" if schema.get("type") == "array" else ""
        fields += [f"{name}{mark}.{key}" for key in inner] if inner else [name]
    assert documented == fields


def test_text_keeps_letters_of_any_language():
    assert "Zoë" in dumps({"name": "Zoë"})
