"""Rows and tables of `rigface bench photo`, with their limits."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from rigface.bench.command import FASTEST, CommandTime
from rigface.bench.photo_data import SCORED_REGIONS
from rigface.bench.photo_fits import Attempt, HeadScores
from rigface.bench.photo_pictures import LENSES, LIGHTS, YAWS
from rigface.bench.table import Grid, Row, format_number

MEDIAN_MM = 1.1
BELOW_MEAN_FACE = 15.0
"""Percent below the mean face of ICT-FaceKit."""
SHARE_BELOW_BOTH = 10 / 12
SPREAD_MM = 1.0
REPROJECTION = 2.5
COMMAND_S, FIT_S = 8.0, 2.0
NAN = float("nan")


def headline_rows(heads: Sequence[HeadScores], ours: str) -> list[Row]:
    """What the photo recipe was asked for, and the same figures of the others beside it."""
    on = f"{len(heads)} heads"
    medians = [head.medians() for head in heads]
    means = {name: _mean([one[name] for one in medians]) for name in medians[0]}
    attempts = [head.recipes[ours] for head in heads]
    unfitted = list(heads[0].unfitted)
    below = sum(all(one[ours] < one[name] for name in unfitted) for one in medians)
    gain = 100 * (1 - means[ours] / means["ICT mean"])
    tries = sum(len(one.tries) for one in attempts)
    missed = tries - sum(len(one.good) for one in attempts)
    rows = [
        Row("NoW median, mean over heads", on, means[ours], "mm", MEDIAN_MM),
        Row("below the ICT mean face by", on, gain, "%", BELOW_MEAN_FACE, "higher"),
        Row("heads below both mean faces", on, below, "", _most(len(heads)), "higher"),
        Row("pictures without a result", f"{tries} pictures", missed, "", 0),
        Row(
            "spread of the neutral face over pictures",
            on,
            _mean([one.spread() for one in attempts]),
            "mm",
            SPREAD_MM,
        ),
        Row("the same, size aside", on, _mean([one.spread(True) for one in attempts]), "mm"),
        Row("NoW mean", on, _mean([_or_nan(np.mean, one.distances()) for one in attempts]), "mm"),
        Row("NoW std", on, _mean([_or_nan(np.std, one.distances()) for one in attempts]), "mm"),
        Row("metric (no scale) median", on, _mean([one.median(True) for one in attempts]), "mm"),
        Row("error of the size", on, _mean([one.size_error() for one in attempts]), "%"),
        Row("reprojection, median", on, _mean([_reprojection(one.good) for one in attempts]), "%"),
        Row("fit stage, median", on, _mean([_seconds(one.good) for one in attempts]), "s"),
    ]
    others = [name for name in means if name != ours]
    rows += [
        Row(f"NoW median of {name}, mean over heads", on, means[name], "mm") for name in others
    ]
    return rows


def portrait_row(name: str, percent: float) -> Row:
    """Reprojection on a real portrait."""
    return Row("reprojection, median of 468 points", name, percent, "%", REPROJECTION)


def command_rows(timed: CommandTime) -> list[Row]:
    """Wall clock of the command on a large photo."""
    on = "12-megapixel photo"
    return [
        Row(FASTEST, on, timed.wall, "s", COMMAND_S),
        Row("its fit stage", on, timed.fit, "s", FIT_S),
    ]


def head_grid(heads: Sequence[HeadScores]) -> Grid:
    """NoW medians by head and method, and the metric variant, spread and size of each recipe."""
    names = list(heads[0].medians())
    recipes = list(heads[0].recipes)
    header = ("head", *names)
    for recipe in recipes:
        header += (f"{recipe}: no scale", f"{recipe}: spread", f"{recipe}: size %")
    lines = []
    for head in heads:
        cells = [head.medians()[name] for name in names]
        for attempts in head.recipes.values():
            cells += [attempts.median(metric=True), attempts.spread(), attempts.size_error()]
        lines.append((head.head, *map(format_number, cells)))
    return Grid("NoW median by head, millimetres", header, lines)


def region_grid(heads: Sequence[HeadScores]) -> Grid:
    """Mean distances region by region, each after an alignment of its own."""
    lines = []
    for name in heads[0].unfitted:
        cells = [
            _mean([head.unfitted[name].regions[region] for head in heads])
            for region in SCORED_REGIONS
        ]
        lines.append((name, *map(format_number, cells)))
    for name in heads[0].recipes:
        cells = [
            _mean([head.recipes[name].region(region) for head in heads])
            for region in SCORED_REGIONS
        ]
        lines.append((name, *map(format_number, cells)))
    title = "Mean distance by region after its own alignment, millimetres, mean over heads"
    return Grid(title, ("method", *SCORED_REGIONS), lines)


def condition_grid(heads: Sequence[HeadScores], recipe: str) -> Grid:
    """The median of the pictures' medians, by how they were taken."""
    groups: list[tuple[str, Callable[[Attempt], bool]]] = [
        *((f"yaw {yaw:+d}", _has("yaw", yaw)) for yaw in YAWS),
        *((f"{lens} mm", _has("lens", lens)) for lens in LENSES),
        *((f"{light} light", _has("light", light)) for light in LIGHTS),
        ("focal length told", _has("told", True)),
        ("focal length not told", _has("told", False)),
    ]
    tries = [one for head in heads for one in head.recipes[recipe].good]
    lines = []
    for name, belongs in groups:
        scores = [one.score for one in tries if belongs(one) and one.score is not None]
        cells = [
            _mean([each.now.median for each in scores]),
            _mean([each.metric.median for each in scores]),
            100 * _mean([abs(each.now.scan_from_prediction.scale - 1) for each in scores]),
        ]
        lines.append((name, str(len(scores)), *map(format_number, cells)))
    header = ("pictures", "number", "NoW median mm", "no scale mm", "size %")
    return Grid(f"By picture, {recipe}", header, lines)


def _has(name: str, value: object) -> Callable[[Attempt], bool]:
    return lambda one: getattr(one.shot, name) == value


def _most(heads: int) -> int:
    """10 of 12, and that share of any other number."""
    return math.ceil(SHARE_BELOW_BOTH * heads)


def _reprojection(tries: Sequence[Attempt]) -> float:
    return _or_nan(np.median, np.array([one.reprojection for one in tries]))


def _seconds(tries: Sequence[Attempt]) -> float:
    return _or_nan(np.median, np.array([one.seconds for one in tries]))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else NAN


def _or_nan(reduce: Callable[[np.ndarray], float], values: np.ndarray) -> float:
    return float(reduce(values)) if len(values) else NAN
