"""`rigface bench views`: one face from several photos of heads whose true shape is known."""

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from rigface.bench.command import time_photo_command
from rigface.bench.command_photos import write_views
from rigface.bench.machine import describe_machine
from rigface.bench.photo_pictures import SIZE
from rigface.bench.registration_data import data_dir
from rigface.bench.table import Report
from rigface.bench.views_cases import Case, Kept, Outcome, Scope, cases
from rigface.bench.views_fits import FitViews, fit_views
from rigface.bench.views_heads import HEADS
from rigface.bench.views_pictures import DISTANCES, DRAWS, FOCALS, SHARES
from rigface.bench.views_rows import (
    Results,
    accuracy_rows,
    command_rows,
    comparison_rows,
    head_grid,
    recipe_grid,
    spoiled_rows,
    views_grid,
)
from rigface.bench.views_run import RUN, Runner
from rigface.perception import load_detector

Say = Callable[[str], None]


def views_report(
    data: Path | None,
    scope: Scope,
    say: Say,
    fit: FitViews = fit_views,
    cache: Path | None = None,
) -> Report:
    """Measure everything in `scope`, or take it from `cache` (default: the temporary folder),
    where an earlier run of the same code has left it.

    Raises InputError if the data is not there, MissingExtraError without a face detector,
    OutputError if the cache cannot be written.
    """
    folder = Path(tempfile.gettempdir()) / "rigface-bench" / "views" if cache is None else cache
    runner = Runner(data_dir(data), load_detector("mediapipe"), folder, fit)
    results = Results(run_cases(runner, scope, Kept.under(folder), say))
    rows = accuracy_rows(results)
    notes = _notes(scope) + failures(results.outcomes)
    grids = [views_grid(results), head_grid(results)]
    if scope.others:
        rows += comparison_rows(results) + spoiled_rows(results)
        grids.insert(1, recipe_grid(results))
    if scope.command:
        say("rigface photo on 5 photos of 2 million pixels")
        timed = time_photo_command(partial(write_views, runner.head(scope.heads[0])))
        rows += command_rows(timed)
        notes += [] if timed.reason is None else [f"No time of the command: {timed.reason}"]
    return Report("views", "Faces from several photos", rows, describe_machine(), notes, grids)


def run_cases(runner: Runner, scope: Scope, kept: Kept, say: Say) -> dict[Case, Outcome]:
    """Every case of the scope, one line for each that had to be fitted."""
    todo = list(cases(scope))
    done = sum(kept.get(case) is not None for case in todo)
    say(f"{len(todo)} fits, {done} of them known from {kept.folder}")
    out = {}
    for number, case in enumerate(todo, 1):
        out[case], new = runner.outcome(case, kept)
        if new:
            say(f"[{number}/{len(todo)}] {case.line}: {_told(out[case])}")
    return out


def failures(outcomes: Mapping[Case, Outcome]) -> list[str]:
    """One line per recipe that has fits without a face, or faces that fail the gate."""
    lines = []
    for words, wanted in (("no face", False), ("a face that fails its quality gate", True)):
        bad = [c for c, one in outcomes.items() if not one.ok and one.fitted == wanted]
        for name, count in Counter(case.recipe.name for case in bad).items():
            first = next(case for case in bad if case.recipe.name == name)
            reason = outcomes[first].reason or "no reason given"
            lines.append(f"{name}: {words} in {count} fits, the first ({first.line}): {reason}")
    others = sum(one.run != RUN for one in outcomes.values())
    if others:
        lines.append(
            f"{others} of {len(outcomes)} fits were kept by earlier runs of the same code; times "
            "are compared within one run only."
        )
    return lines


def _told(outcome: Outcome) -> str:
    if not outcome.fitted:
        return f"no face: {outcome.reason}"
    gate = "" if outcome.ok else f"; {outcome.reason}"
    return f"{outcome.rmse:.3f} mm, scale {outcome.scale:.3f}, {outcome.cpu:.1f} CPU seconds{gate}"


def _notes(scope: Scope) -> list[str]:
    return [
        "Data: lee_perry_smith (Lee Perry-Smith, Infinite-Realities, CC-BY 3.0) with its texture; "
        "MeshMonk's scan and simulated faces (Apache-2.0) with painted skin, brows, lips and eyes. "
        "Painted skin is too smooth to compare across views, so here it also carries pores, "
        "freckles, moles and blotches: one solid texture for all heads, no stronger than that of "
        "lee_perry_smith's cheeks except below 1 mm. None of the heads enters the prior.",
        f"Photos: {SIZE[0]} x {SIZE[1]}, no focal length told, sensor noise; {scope.draws} of "
        f"{DRAWS} draws of cameras on {len(scope.heads)} of {len(HEADS)} heads; focal length "
        f"{FOCALS[0]:.0f} to {FOCALS[1]:.0f} mm equivalent, {DISTANCES[0]} to {DISTANCES[1]} m, "
        f"face over {100 * SHARES[0]:.0f} to {100 * SHARES[1]:.0f} % of the height, yaw up to 60, "
        "pitch 15, roll 5 degrees, uniform. N views are the first N of the draw. Light: fixed; "
        "another in every view; glossy skin with another exposure and white balance in every view.",
        "Metric: point-to-plane RMSE of the scan within 95 mm of the nose tip (seen from outside) "
        "to the neutral face, after one rigid alignment with scale per fit; with known cameras "
        "without scale (docs/metrics.md). Comparisons are over photos where both have a face; a "
        "face that fails its quality gate counts.",
    ]
