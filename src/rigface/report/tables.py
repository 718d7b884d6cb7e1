"""Names and numbers as the page prints them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_LABELS = {
    "mean_mm": "Mean",
    "median_mm": "Median",
    "rms_mm": "RMS",
    "p95_mm": "95 % within",
    "max_mm": "Maximum",
    "coverage": "Coverage",
    "flipped": "Flipped triangles",
    "self_intersections": "Self-intersections",
    "lid_eyeball": "Lid–eyeball intersections",
    "lip_teeth": "Lip–teeth intersections",
    "pruning_mm": "Cost of 4 influences",
    "reprojection_percent": "Landmarks off",
    "shape_sigma_mm": "Shape known to",
    "sigma_mm": "sigma",
}
_SHORT = {**_LABELS, "p95_mm": "p95"}
_SHARES = ("coverage", "flipped")
_COUNTS = ("points",)


@dataclass(frozen=True)
class Figure:
    """One number with its name."""

    label: str
    value: str
    unit: str = ""


def figures(numbers: Mapping[str, Any]) -> list[Figure]:
    """Numbers of a mapping, in its order."""
    return [Figure(label(name), *number(name, value)) for name, value in numbers.items()]


def label(name: str, short: bool = False) -> str:
    """What people call a field of result.json."""
    known = (_SHORT if short else _LABELS).get(name)
    plain = name.removesuffix("_mm").replace("_", " ")
    return known or plain[:1].upper() + plain[1:]


def number(name: str, value: Any) -> tuple[str, str]:
    """Text and unit; a dash where nothing was measured."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–", ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value), ""
    if name in _SHARES:
        percent = 100 * value
        return (f"{percent:.1f}" if name == "coverage" else f"{percent:.2f}"), "%"
    if isinstance(value, int) or name in _COUNTS:
        return f"{round(value):,}", ""
    text = f"{value:.2f}" if abs(value) >= 0.01 or value == 0 else f"{value:.1g}"
    if name == "reprojection_percent":
        return text, "% of eye distance"
    if name.endswith("_percent"):
        return text, "%"
    return text, "mm" if name.endswith("_mm") else ""


@dataclass(frozen=True)
class RegionTable:
    """Rows of cells; `bars` is each row's share of the largest first column, 0..1."""

    columns: list[str]
    rows: list[tuple[str, list[str]]]
    bars: list[float]


def region_table(regions: Sequence[Mapping[str, Any]]) -> RegionTable:
    """One column per number that any row has."""
    keys = list(dict.fromkeys(key for row in regions for key in row if key != "name"))
    rows = [
        (str(row.get("name", "")), [" ".join(_cell(key, row.get(key))) for key in keys])
        for row in regions
    ]
    first = [row.get(keys[0]) if keys else None for row in regions]
    plain = [float(v) if isinstance(v, int | float) and math.isfinite(v) else 0.0 for v in first]
    most = max([*plain, 1e-12])
    return RegionTable(
        [label(key, short=True) for key in keys], rows, [value / most for value in plain]
    )


def _cell(key: str, value: Any) -> tuple[str, ...]:
    text, unit = number(key, value)
    return (text, unit) if unit == "%" else (text,)


@dataclass(frozen=True)
class Stage:
    """One line of the timing table."""

    name: str
    seconds: str
    share: float
    """Of the longest whole stage."""
    part: bool
    """It is a part of the stage above."""


def stages(seconds: Mapping[str, float | int]) -> tuple[list[Stage], str]:
    """The timing table and the total of the whole stages."""
    whole = {name: value for name, value in seconds.items() if "/" not in name and name != "total"}
    longest = max([*whole.values(), 1e-9])
    rows = [
        Stage(label(name.rsplit("/", 1)[-1]), _time(value), min(value / longest, 1.0), "/" in name)
        for name, value in seconds.items()
        if name != "total"
    ]
    return rows, _time(seconds.get("total", sum(whole.values())))


def flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted names and texts."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _text(value)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    return str(value)


def _time(seconds: float | int) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
