"""Rows and tables of `rigface bench views`, with their limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rigface.bench.command import FASTEST, CommandTime
from rigface.bench.table import Grid, Row, format_number
from rigface.bench.views_cases import FEW, NAN, VIEWS, Case, Outcome, Spoiled
from rigface.bench.views_fits import (
    ABLATIONS,
    CALIBRATED,
    DEFAULT,
    LINEAR,
    OTHER_EXPRESSION,
    PAPER,
    Recipe,
)
from rigface.bench.views_pictures import LIGHTINGS, MOST_VIEWS, Light, shots

FEW_MM, METRIC_MM = 0.90, 0.50
SOONER = 5.0
SPOILED_PERCENT = 10.0
COMMAND_S, COMMAND_GB = 60.0, 4.0
DOUBLINGS = ((1, 2), (2, 4), (4, 8), (8, 16))


@dataclass(frozen=True)
class Cell:
    """The cases of one kind, over heads and draws."""

    outcomes: Mapping[tuple[str, int], Outcome]

    @property
    def rmse(self) -> np.ndarray:
        """Of those with a face, millimetres."""
        return np.array([one.rmse for one in self.outcomes.values() if one.fitted])

    @property
    def mean(self) -> float:
        return float(self.rmse.mean()) if len(self.rmse) else NAN

    @property
    def spread(self) -> float:
        """Standard deviation; NaN below two."""
        return float(self.rmse.std(ddof=1)) if len(self.rmse) > 1 else NAN

    @property
    def scale(self) -> float:
        """Mean of those with a face."""
        scales = [one.scale for one in self.outcomes.values() if one.fitted]
        return float(np.mean(scales)) if scales else NAN

    @property
    def size_percent(self) -> float:
        """Mean of |scale - 1|."""
        scales = [one.scale for one in self.outcomes.values() if one.fitted]
        return 100 * float(np.mean(np.abs(np.array(scales) - 1))) if scales else NAN

    def beside(self, other: "Cell") -> tuple["Cell", "Cell"]:
        """Both, where both have a face: what is compared must be of the same photos."""
        keys = [
            key
            for key, one in self.outcomes.items()
            if one.fitted and key in other.outcomes and other.outcomes[key].fitted
        ]
        mine = Cell({key: self.outcomes[key] for key in keys})
        return mine, Cell({key: other.outcomes[key] for key in keys})

    def identical(self, other: "Cell") -> bool:
        """Every face the very same: what tells the two apart has no effect, or is not there."""
        mine, others = self.beside(other)
        pairs = zip(mine.outcomes.values(), others.outcomes.values(), strict=True)
        return bool(mine.outcomes) and all(a.face == b.face for a, b in pairs)


@dataclass(frozen=True)
class Results:
    """Everything that was run."""

    outcomes: Mapping[Case, Outcome]

    def cell(
        self,
        views: int,
        light: Light = "fixed",
        recipe: Recipe = DEFAULT,
        spoiled: Spoiled = "",
        head: str | None = None,
    ) -> Cell:
        """All heads (or one) and draws of one kind of case."""
        kind = (views, light, recipe, spoiled)
        return Cell(
            {
                (case.head, case.draw): outcome
                for case, outcome in self.outcomes.items()
                if (case.views, case.light, case.recipe, case.spoiled) == kind
                and head in (None, case.head)
            }
        )

    @property
    def heads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(case.head for case in self.outcomes))

    @property
    def draws(self) -> int:
        return len({case.draw for case in self.outcomes})


def accuracy_rows(results: Results) -> list[Row]:
    """The two headlines, and that more photos are better."""
    on = f"{len(results.heads)} heads x {results.draws} draws"
    rows = [Row(f"RMSE, {FEW} views, fixed light", on, results.cell(FEW).mean, "mm", FEW_MM)]
    metric = results.cell(MOST_VIEWS, recipe=CALIBRATED)
    if metric.outcomes:
        what = f"RMSE, {MOST_VIEWS} views, calibrated, metric"
        rows.append(Row(what, on, metric.mean, "mm", METRIC_MM))
    for few, many in DOUBLINGS:
        if not (results.cell(few).outcomes and results.cell(many).outcomes):
            continue
        before, after = results.cell(few).beside(results.cell(many))
        what = f"RMSE falls from {few} to {many} views by"
        rows.append(Row(what, on, before.mean - after.mean, "mm", 0, "higher"))
    missed = [one for one in results.outcomes.values() if not one.fitted]
    rows.append(Row("fits without a face", on, len(missed), "", 0))
    judged = [one for one in results.outcomes.values() if one.fitted and not one.ok]
    rows.append(Row("faces that fail their own quality gate", on, len(judged), ""))
    return rows


def comparison_rows(results: Results) -> list[Row]:
    """What every term is worth, and the other model and recipe on the same photos."""
    rows = []
    for recipe in ABLATIONS:
        without = results.cell(FEW, recipe=recipe)
        rows.append(_worse(results.cell(FEW), without, f"{recipe.name} term, {FEW} views"))
    for views in (FEW, MOST_VIEWS):
        linear = results.cell(views, recipe=LINEAR)
        rows.append(_worse(results.cell(views), linear, f"{LINEAR.name}, {views} views"))
    paper = results.cell(FEW, recipe=PAPER)
    rows.append(_worse(results.cell(FEW), paper, f"paper recipe, {FEW} views"))
    ratio, pairs = _times_sooner(results.cell(FEW), paper)
    what = "processor time of the paper recipe over ours"
    rows.append(Row(what, f"{pairs} pairs of one run", ratio, "x", SOONER, "higher"))
    return rows


def spoiled_rows(results: Results) -> list[Row]:
    """One of five photos shows somebody else, or nobody."""
    rows = []
    kinds: tuple[tuple[Spoiled, str], ...] = (
        ("stranger", "another person"),
        ("nobody", "no face"),
    )
    for spoiled, words in kinds:
        cell = results.cell(FEW, spoiled=spoiled)
        on = f"one of {FEW} photos shows {words}"
        named = [
            one.names(shots(head, draw, FEW)[-1].file)
            for (head, draw), one in cell.outcomes.items()
        ]
        rows.append(Row("named in the warnings", on, _percent(named), "%", 100, "higher"))
        spoiled_ones, clean = cell.beside(results.cell(FEW - 1))
        rise = 100 * (spoiled_ones.mean / clean.mean - 1) if len(clean.rmse) else NAN
        # A share of fits that hand nothing back must not pass as a small rise.
        rise = rise if all(one.fitted for one in cell.outcomes.values()) else NAN
        rows.append(Row(f"RMSE above that of {FEW - 1} views", on, rise, "%", SPOILED_PERCENT))
    return rows


def command_rows(timed: CommandTime) -> list[Row]:
    """The whole `rigface photo` on five photos."""
    on = f"{FEW} photos of 2 megapixels"
    return [
        Row(FASTEST, on, timed.wall, "s", COMMAND_S),
        Row("its peak memory", on, timed.peak_gb, "GB", COMMAND_GB),
    ]


def views_grid(results: Results) -> Grid:
    """Mean and spread by the number of views, in every light."""
    shown = {case.light for case in results.outcomes}
    lights: list[Light] = [light for light in LIGHTINGS if light in shown]
    header = ("views", *(f"{light} light" for light in lights))
    for light in lights:
        header += (f"{light}: scale",)
    lines = []
    for views in VIEWS:
        cells = [results.cell(views, light) for light in lights]
        if any(cell.outcomes for cell in cells):
            scales = [_plus_minus(cell.scale, cell.size_percent / 100) for cell in cells]
            lines.append((str(views), *map(_figure, cells), *scales))
    title = "RMSE by number of views, mm, mean ± standard deviation; scale, mean ± mean |scale - 1|"
    return Grid(title, header, lines)


def recipe_grid(results: Results) -> Grid:
    """Every recipe and term at five and at sixteen views, fixed light."""
    recipes = (DEFAULT, OTHER_EXPRESSION, CALIBRATED, PAPER, LINEAR, *ABLATIONS)
    lines = []
    for recipe in recipes:
        few, many = (results.cell(views, recipe=recipe) for views in (FEW, MOST_VIEWS))
        if few.outcomes or many.outcomes:
            cpu = [one.cpu for one in few.outcomes.values() if one.fitted]
            seconds = float(np.median(cpu)) if cpu else NAN
            lines.append((recipe.name, _figure(few), _figure(many), format_number(seconds)))
    header = ("recipe", f"{FEW} views", f"{MOST_VIEWS} views", f"CPU seconds, {FEW} views")
    return Grid("RMSE by recipe, fixed light, mm, mean ± standard deviation", header, lines)


def head_grid(results: Results) -> Grid:
    """Default recipe and fixed light, head by head."""
    counts = [views for views in VIEWS if results.cell(views).outcomes]
    lines = [
        (head, *(_figure(results.cell(views, head=head)) for views in counts))
        for head in results.heads
    ]
    header = ("head", *(f"{views} views" for views in counts))
    return Grid("RMSE by head, fixed light, mm, mean ± standard deviation", header, lines)


def _worse(ours: Cell, other: Cell, what: str) -> Row:
    """By how much the other has the larger error, on the same photos."""
    mine, others = ours.beside(other)
    on = f"{len(mine.outcomes)} pairs"
    # The very same faces: the switch does nothing, and says nothing about what it should switch.
    rise = NAN if ours.identical(other) else others.mean - mine.mean
    return Row(f"RMSE rises by, with {what}", on, rise, "mm", 0, "higher")


def _times_sooner(ours: Cell, other: Cell) -> tuple[float, int]:
    """Ratio of the summed processor times of pairs that one process has measured, their number."""
    mine, others = ours.beside(other)
    pairs = [
        (a.cpu, b.cpu)
        for a, b in zip(mine.outcomes.values(), others.outcomes.values(), strict=True)
        if a.run == b.run
    ]
    if not pairs:
        return NAN, 0
    first, second = np.array(pairs).sum(axis=0)
    return float(second / first), len(pairs)


def _percent(flags: Sequence[bool]) -> float:
    return 100 * float(np.mean(flags)) if flags else NAN


def _figure(cell: Cell) -> str:
    return _plus_minus(cell.mean, cell.spread)


def _plus_minus(mean: float, spread: float) -> str:
    if not np.isfinite(mean):
        return "-"
    return f"{mean:.3f} ± {spread:.3f}" if np.isfinite(spread) else f"{mean:.3f}"
