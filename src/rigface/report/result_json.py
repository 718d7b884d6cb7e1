"""`result.json`: the numbers of a run, for scripts; its fields are described in docs/outputs.md."""

import dataclasses
import enum
import json
import math
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from rigface.io.atomic import atomic_file

_NUMBER = {"type": ["number", "null"]}
_TEXT = {"type": "string"}
_COUNT = {"type": ["integer", "null"]}
_ERRORS = {name: _NUMBER for name in ("mean_mm", "median_mm", "rms_mm", "p95_mm", "coverage")}

_VERDICT: dict[str, Any] = {
    "ok": {"type": "boolean"},
    "reason": {"type": ["string", "null"]},
    "rigface": _TEXT,
}
_RUN: dict[str, Any] = {
    "export": {
        "type": "object",
        "required": ["pruning_mm"],
        "properties": {"pruning_mm": _NUMBER},
    },
    "seconds": {"type": "object", "additionalProperties": {"type": "number"}},
    "warnings": {"type": "array", "items": _TEXT},
    "seed": {"type": "integer"},
    "versions": {"type": "object", "additionalProperties": _TEXT},
}
"""What every kind of run has, at the top and at the end."""

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "rigface result.json",
    "type": "object",
    "required": [
        "ok", "rigface", "input", "unit", "recipe", "model", "variables", "metrics", "regions",
        "quality", "export", "seconds", "warnings", "seed", "versions",
    ],
    "properties": {
        **_VERDICT,
        "input": {
            "type": "object",
            "required": ["path"],
            "properties": {"path": _TEXT, "notes": {"type": "array", "items": _TEXT}},
        },
        "unit": {
            "type": "object",
            "required": ["name", "metres_per_unit", "how"],
            "properties": {"name": _TEXT, "metres_per_unit": _NUMBER, "how": _TEXT},
        },
        "recipe": _TEXT,
        "model": _TEXT,
        "variables": {"type": "integer"},
        "metrics": {"type": "object", "required": list(_ERRORS), "properties": _ERRORS},
        "regions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "mean_mm", "p95_mm"],
                "properties": {"name": _TEXT, **_ERRORS},
            },
        },
        "quality": {
            "type": "object",
            "required": ["flipped", "self_intersections", "lid_eyeball", "lip_teeth"],
            "properties": {
                "flipped": _NUMBER,
                "self_intersections": _COUNT,
                "lid_eyeball": _COUNT,
                "lip_teeth": _COUNT,
            },
        },
        **_RUN,
    },
}  # fmt: skip
"""JSON Schema of the file. More fields may be present; null is a number that was not measured."""

PHOTO_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "rigface result.json of photos",
    "type": "object",
    "required": [
        "ok", "rigface", "input", "recipe", "model", "variables", "metrics", "regions", "scale",
        "focal", "views", "quality", "export", "seconds", "warnings", "advice", "seed", "versions",
    ],
    "properties": {
        **_VERDICT,
        "input": {"type": "object", "required": ["images"]},
        "advice": {"type": ["string", "null"]},
        "recipe": _TEXT,
        "model": _TEXT,
        "variables": {"type": "integer"},
        "metrics": {
            "type": "object",
            "required": ["reprojection_percent", "shape_sigma_mm"],
            "properties": {"reprojection_percent": _NUMBER, "shape_sigma_mm": _NUMBER},
        },
        "regions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "sigma_mm"],
                "properties": {"name": _TEXT, "sigma_mm": _NUMBER},
            },
        },
        "scale": {
            "type": "object",
            "required": ["unit", "how", "relative_sigma", "interval_95"],
            "properties": {"unit": _TEXT, "how": _TEXT, "relative_sigma": _NUMBER},
        },
        "focal": {"type": "object", "required": ["how", "px"], "properties": {"how": _TEXT}},
        "views": {"type": "array", "items": {"type": "object", "required": ["image"]}},
        "quality": {"type": "object"},
        **_RUN,
    },
}  # fmt: skip
"""The same for `rigface photo`."""

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


def write_result(
    path: Path | str, result: Mapping[str, Any], schema: Mapping[str, Any] = SCHEMA
) -> dict[str, Any]:
    """Write a result atomically and return exactly what the file holds.

    Keys come in the order of `schema`, further ones after them as given; NaN and infinities
    become null.

    Raises:
        OutputError: the file cannot be written.
    """
    plain = ordered(to_json(result), schema)
    problems = schema_problems(plain, schema)
    assert not problems, "; ".join(problems)
    with atomic_file(path) as partial:
        partial.write_text(dumps(plain), encoding="utf-8")
    return plain


def dumps(plain: Mapping[str, Any]) -> str:
    """The text of the file."""
    return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def ordered(result: Mapping[str, Any], schema: Mapping[str, Any] = SCHEMA) -> dict[str, Any]:
    """Top-level keys in the order of the schema, then the others as they came."""
    known = [key for key in schema["properties"] if key in result]
    return {key: result[key] for key in [*known, *(k for k in result if k not in known)]}


def to_json(value: Any) -> Any:
    """Plain JSON values from numpy, paths, enums and dataclasses; NaN becomes null.

    Raises:
        TypeError: the value holds something that has no JSON form.
    """
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: to_json(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, enum.Enum):
        return to_json(value.value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.ndarray | np.generic):
        return to_json(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"no JSON form for {type(value).__name__}")


def schema_problems(
    value: Any, schema: Mapping[str, Any] = SCHEMA, at: str = "result"
) -> list[str]:
    """What keeps `value` from following `schema`; covers the keywords that `SCHEMA` uses."""
    kinds = schema.get("type", list(_TYPES))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not any(_is_a(value, kind) for kind in kinds):
        return [f"{at} is {type(value).__name__}, expected {' or '.join(kinds)}"]
    problems: list[str] = []
    if isinstance(value, dict):
        known = schema.get("properties", {})
        problems += [
            f"{at}.{key} is missing" for key in schema.get("required", ()) if key not in value
        ]
        for key, item in value.items():
            inner = known.get(key, schema.get("additionalProperties", {}))
            problems += schema_problems(item, inner, f"{at}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            problems += schema_problems(item, schema.get("items", {}), f"{at}[{index}]")
    return problems


def package_versions() -> dict[str, str]:
    """What ran: Python, the platform, and the packages that numbers depend on."""
    packages = ("rigface", "torch", "numpy", "scipy", "warp-lang", "trimesh")
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def _is_a(value: Any, kind: str) -> bool:
    if isinstance(value, bool):  # Python counts booleans as integers, JSON does not
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])
