"""`rigface bench registration`: every figure of the registration, in one run on public data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rigface.bench.ict_heads import ict_heads
from rigface.bench.machine import describe_machine
from rigface.bench.registration_adam import CAP, RATES, AdamReference, adam_reference
from rigface.bench.registration_data import data_dir, named_scan, simulated_pairs
from rigface.bench.registration_fits import Fits, FittedCase, Say
from rigface.bench.registration_peers import ALL_PEERS, peer_report
from rigface.bench.registration_rows import (
    SCAN_LIMITS,
    correspondence_rows,
    expression_rows,
    help_row,
    lod_rows,
    quality_rows,
    scan_rows,
    time_row,
)
from rigface.bench.registration_setup import Prepared, prepare
from rigface.bench.registration_sweeps import (
    ablation_grid,
    gaussians_grid,
    regions_grid,
    robustness_sweep,
)
from rigface.bench.table import Grid, Report, Row, format_number

TITLE = "Registration"
FIRST = "lee_perry_smith"


@dataclass(frozen=True)
class Scope:
    """How much of the benchmark is run."""

    scans: tuple[str, ...] = tuple(SCAN_LIMITS)
    heads: int = 10
    pairs: int = 10
    peers: tuple[str, ...] = ALL_PEERS
    simpler: bool = True
    """Our own simpler recipes and the 3DMM of ICT-FaceKit beside the peers."""
    sweeps: bool = True
    adam_seconds: float = 60.0
    """Wall-clock cap per rate on top of the cap in steps: many times our whole fit."""
    robustness: bool = False


QUICK = Scope((FIRST,), 0, 1, ("meshmonk",), False, False, 2.0)


def registration_report(data: Path | None, scope: Scope, say: Say) -> Report:
    """Measure everything in `scope`; a scan without a fit has rows that say so.

    Raises InputError if the data is not there.
    """
    folder = data_dir(data)
    fits = Fits(say)
    rows = [row for name in scope.scans for row in scan_rows(fits, named_scan(name, folder))]
    first = fits.of(named_scan(FIRST, folder))
    if scope.heads:
        rows += expression_rows(fits, ict_heads(folder, scope.heads))
    rows += correspondence_rows(fits, simulated_pairs(folder, scope.pairs))
    rows += quality_rows(fits)
    grids, notes = [], []
    if first is None:
        rows.append(Row("no fit to compare with others (see the notes)", FIRST, float("nan"), ""))
    else:
        more, grids = _about_first(fits, first, scope, folder)
        rows, notes = rows + more, _notes(first, scope)
    rows.append(help_row())
    notes += dict.fromkeys(fits.notes)
    return Report("registration", TITLE, rows, describe_machine(), notes, grids)


def _about_first(
    fits: Fits, first: FittedCase, scope: Scope, folder: Path
) -> tuple[list[Row], list[Grid]]:
    """What needs one good fit: levels of detail, peers, sweeps, spoiled versions of the scan."""
    rows, grids = _comparisons(fits, first, scope, folder)
    if scope.sweeps:
        grids += [gaussians_grid(fits, first.case), ablation_grid(fits, first.case)]
    if scope.robustness:
        row, grid = robustness_sweep(fits, first)
        rows, grids = [*rows, row], [*grids, grid]
    return [*lod_rows(first), time_row(first), *rows], grids


def _comparisons(
    fits: Fits, first: FittedCase, scope: Scope, folder: Path
) -> tuple[list[Row], list[Grid]]:
    prepared = prepare(first.case, fits.start(first.case))
    rows = [_floor_row(prepared)]
    fits.say("Adam reference")
    reference = adam_reference(prepared, scope.adam_seconds)
    rows += adam_rows(reference, first.case.name)
    more, peers = peer_report(fits, first, prepared, scope.peers, folder if scope.simpler else None)
    return rows + more, [regions_grid(first), peers, adam_grid(reference)]


def _floor_row(prepared: Prepared) -> Row:
    floor = prepared.skin_errors(prepared.goal.surface).mean
    return Row("free-form floor of this template: mean", prepared.case.name, floor, "mm")


def adam_rows(reference: AdamReference, on: str) -> list[Row]:
    """Adam's time over ours, and both times per step."""
    best = reference.best
    bound = "" if best.reached else f", >= {_cap_text(best.steps)}: not reached"
    cut_short = not best.reached and best.steps < CAP - 1
    limit = 3.0
    undecided = cut_short and reference.ratio < limit  # stopped by the clock before it could tell
    return [
        Row(
            f"Adam's time over ours{bound}",
            on,
            reference.ratio,
            "x",
            None if undecided else limit,
            "higher",
        ),
        Row(f"Adam's time over ours, last stage alone{bound}", on, reference.stage_ratio, "x"),
        Row("Adam", on, best.ms_per_step, "ms/step"),
        Row("ours", on, 1000 * reference.ours / max(reference.our_steps, 1), "ms/step"),
    ]


def adam_grid(reference: AdamReference) -> Grid:
    """One line per rate."""
    rows = [
        (
            str(one.rate),
            "yes" if one.reached else "no",
            f"{one.steps:,}",
            *map(format_number, (one.seconds, one.ms_per_step, one.best_mean)),
        )
        for one in reference.descents
    ]
    header = ("rate", "reached", "steps", "s", "ms/step", "best mean mm")
    title = (
        f"Adam from {reference.start_mean:.3f} mm to the recipe's {reference.wanted_mean:.3f} mm "
        f"(ours: {reference.our_steps} steps, {reference.ours:.1f} s)"
    )
    return Grid(title, header, rows)


def _cap_text(steps: int) -> str:
    return f"cap of {CAP:,} steps" if steps >= CAP - 1 else f"{steps:,} steps, time cap"


def _notes(first: FittedCase, scope: Scope) -> list[str]:
    result = first.result
    scale = result.scan_from_model.scale * first.case.metres_per_unit
    notes = [
        f"Data: {', '.join(_credits(scope.scans, first))}.",
        "Metric: scan to outer skin and eyeballs over the face region (docs/metrics.md), in true "
        "millimetres; the floor and Adam: skin alone.",
        f"ASM, K = 2, {result.variables:,} free variables; start: the face found in the scan, no "
        f"landmarks; alignment of {FIRST}: scale {scale:.4f} against the true size.",
        f"Adam takes over at the recipe's last stage, with its terms renewed in each step; rates "
        f"{', '.join(map(str, RATES))} sigma per step, cap {CAP:,} steps"
        + (f" or {scope.adam_seconds:g} s" if scope.adam_seconds < 1e9 else "")
        + "; a rate may not take longer than the best before it.",
    ]
    return notes


def _credits(names: Sequence[str], first: FittedCase) -> list[str]:
    known = {FIRST: f"{FIRST} ({first.case.credit})"}
    shown = [known.get(name, name) for name in names]
    return [*shown, "simulated faces of MeshMonk (Apache-2.0)", "ICT-FaceKit (MIT)"]
