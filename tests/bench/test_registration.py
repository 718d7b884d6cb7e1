import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

import rigface.bench.registration as bench
from rigface.bench import run_benchmark
from rigface.bench.machine import Machine
from rigface.bench.registration import QUICK, Scope, adam_rows
from rigface.bench.registration_adam import AdamReference, Descent
from rigface.bench.registration_data import BenchScan
from rigface.bench.registration_fits import Fits, FittedCase
from rigface.bench.registration_rows import (
    expression_rows,
    help_row,
    quality_rows,
    scan_rows,
    time_row,
)
from rigface.bench.registration_sweeps import (
    ABLATION,
    ablation_grid,
    regions_grid,
    robustness_sweep,
)
from rigface.bench.robustness import Outcome, promised
from rigface.bench.table import Report, Row
from rigface.errors import InputError, UsageError
from rigface.evidence.scan import Scan
from rigface.fit.scan import ScanConfig
from rigface.geometry.mesh import Mesh
from rigface.metrics.distance import ErrorSamples
from rigface.models.parameters import Parameter, ParameterTable

QUALITY = {"flipped": 0.0, "self_intersections": 0, "lid_eyeball": 0, "lip_teeth": 0}


def case_of(name: str) -> BenchScan:
    """A BenchScan with a single triangle."""
    scan = Scan(np.eye(3), np.array([[0, 1, 2]]))
    clean = Mesh(scan.vertices, np.array([[0, 1, 2]]))
    return BenchScan(name, scan, 0.001, np.array([1.0, 2.0, 3.0]), "nobody", clean)


def fitted(name: str, mean: float, coverage: float = 1.0, **quality: float) -> FittedCase:
    covered = np.arange(100) < round(100 * coverage)
    errors = ErrorSamples(np.full(100, mean), covered, np.arange(100) % 2, ("nose", "lips"))
    inner = ParameterTable(Parameter(block, (2,), "1", 1.0) for block in ABLATION["+ both"])
    result = SimpleNamespace(
        quality={**QUALITY, **quality},
        seconds={"find": 50.0, "fit": 12.0},
        variables=1932,
        model=SimpleNamespace(inner=SimpleNamespace(table=inner)),
    )
    return cast(Any, _fitted_case(case_of(name), result, errors))


def _fitted_case(case: Any, result: Any, errors: ErrorSamples) -> FittedCase:
    made = object.__new__(FittedCase)
    for field, value in (("case", case), ("result", result), ("errors", errors)):
        object.__setattr__(made, field, value)
    return made


class Stubs(Fits):
    """Fits that are there already."""

    def __init__(self, answers: dict[str, FittedCase | None]):
        super().__init__(lambda text: None)
        self.answers = answers

    def _make(self, case: BenchScan, config: ScanConfig) -> FittedCase | None:
        return self.answers[case.name]


def test_rows_of_a_scan_carry_its_limits():
    name = "lee_perry_smith"
    rows = scan_rows(Stubs({name: fitted(name, 0.25, 0.9)}), case_of(name))
    assert [(row.limit, row.ok) for row in rows] == [(0.20, False), (0.60, True), (95, False)]
    assert rows[2].better == "higher"


def test_a_fit_that_failed_is_a_row_that_failed():
    name = "meshmonk_10k"
    rows = scan_rows(Stubs({name: None}), case_of(name))
    assert not any(row.ok for row in rows)
    assert all(math.isnan(row.value) for row in rows)


def test_expression_rows_average_over_heads():
    heads = [case_of(f"ict_{i}") for i in range(2)]
    fits = Stubs({"ict_0": fitted("ict_0", 0.2), "ict_1": fitted("ict_1", 0.6, 0.96)})
    mean, worst, coverage = expression_rows(fits, heads)
    assert mean.value == pytest.approx(0.4) and not mean.ok
    assert worst.value == pytest.approx(0.6) and worst.limit is None
    assert coverage.value == pytest.approx(96) and coverage.ok
    assert all(config.expression == "fit" for _, config in fits.made)


def test_the_worst_mesh_counts():
    answers = {
        "a": fitted("a", 0.1, flipped=0.002),
        "b": fitted("b", 0.1, self_intersections=3, lip_teeth=1),
    }
    fits = Stubs(cast(Any, answers))
    for name in answers:
        fits.of(case_of(name))
    flipped, crossing, lids, lips = quality_rows(fits)
    assert flipped.value == pytest.approx(0.2) and flipped.unit == "%" and not flipped.ok
    assert (crossing.value, lids.value, lips.value) == (3, 0, 1)
    assert (crossing.ok, lids.ok, lips.ok) == (False, True, False)


def test_only_the_fit_stage_is_timed():
    row = time_row(fitted("lee_perry_smith", 0.2))
    assert (row.value, row.limit, row.ok) == (12.0, 10.0, False)


def test_fits_are_made_once_and_failures_noted(monkeypatch):
    calls = []

    def failing(scan, template):
        calls.append(scan)
        raise InputError("no face")

    monkeypatch.setattr("rigface.bench.registration_fits.align", failing)
    fits = Fits(lambda text: None)
    case = case_of("cube")
    assert fits.of(case) is None and fits.of(case) is None
    assert len(calls) == 1
    assert fits.notes == ["No fit to cube: no face"]


def test_a_benchmark_without_a_face_has_rows_that_say_so(monkeypatch):
    def faceless(scan, template):
        raise InputError("no face was found")

    monkeypatch.setattr("rigface.bench.registration_fits.align", faceless)
    monkeypatch.setattr(bench, "data_dir", lambda path: Path())
    monkeypatch.setattr(bench, "named_scan", lambda name, folder: case_of(name))
    pair = case_of("a"), case_of("b")
    monkeypatch.setattr(bench, "simulated_pairs", lambda folder, count: [pair])
    scope = Scope((bench.FIRST,), heads=0, pairs=1, robustness=True)
    report = bench.registration_report(None, scope, lambda text: None)
    assert not report.ok and report.grids == []
    failed = {(row.what, row.on) for row in report.rows if not row.ok}
    assert ("scan-to-mesh mean", bench.FIRST) in failed
    assert ("no fit to compare with others (see the notes)", bench.FIRST) in failed
    assert f"No fit to {bench.FIRST}: no face was found" in report.notes


def test_a_bad_fit_is_counted_unless_it_is_named(monkeypatch):
    outcomes = {
        "good": Outcome("good", 1.0, None, 0.39, 0.9, 0.99),
        "bad": Outcome("bad", 1.0, None, 0.41, 0.9, 0.99),
        "told": Outcome("told", 1.0, "exit 4: the mean error is 5 mm", 5.0, 9.0, 0.4),
        "refused": Outcome("refused", 1.0, "exit 3: no face"),
    }
    sweeps = "rigface.bench.registration_sweeps"
    monkeypatch.setattr(f"{sweeps}.all_variants", lambda case: list(outcomes))
    monkeypatch.setattr(f"{sweeps}.try_variant", lambda name, case: outcomes[name])
    row, grid = robustness_sweep(Stubs({}), fitted("x", 0.2))
    assert (row.value, row.limit, row.ok) == (1, 0, False)
    assert [line[0] for line in grid.rows] == list(outcomes)
    assert [line[-1][:6] for line in grid.rows] == ["ok", "silent", "exit 4", "exit 3"]
    assert promised(0.1) == 0.35 and promised(0.3) == 0.6


def test_the_ablation_frees_what_it_names():
    fits = Stubs({"x": fitted("x", 0.2)})
    grid = ablation_grid(fits, case_of("x"))
    assert [row[:2] for row in grid.rows] == [
        ("fixed weights", "6"),
        ("+ GMM", "12"),
        ("+ binding", "8"),
        ("+ both", "14"),
    ]
    free = {config.registration.free for _, config in fits.made}
    assert free == set(ABLATION.values())
    assert ScanConfig() in {config for _, config in fits.made}


def test_regions_add_up():
    grid = regions_grid(fitted("x", 0.2))
    assert [row[0] for row in grid.rows] == ["nose", "lips"]
    assert sum(float(row[1]) for row in grid.rows) == pytest.approx(100)


def reference(*descents: Descent) -> AdamReference:
    return AdamReference(descents, 0.2, 0.5, before=4.0, ours=2.0, our_steps=8)


def test_adam_counts_its_best_rate_and_the_time_before():
    found = reference(
        Descent(0.1, True, 26.0, 1000, 0.2),
        Descent(0.01, True, 14.0, 700, 0.2),
        Descent(1.0, False, 5.0, 100, 0.4),
    )
    ratio, stage, adam, ours = adam_rows(found, "x")
    assert ratio.value == pytest.approx(3.0) and ratio.ok
    assert stage.value == pytest.approx(7.0) and stage.limit is None
    assert adam.value == pytest.approx(20.0) and ours.value == pytest.approx(250.0)


def test_adam_that_never_arrives_is_a_lower_bound():
    found = reference(Descent(0.1, False, 3.0, 30, 9.0), Descent(0.01, False, 50.0, 4999, 0.21))
    rows = adam_rows(found, "x")
    assert ">= cap of 5,000 steps: not reached" in rows[0].what
    assert rows[0].value == pytest.approx(9.0)


def test_help_is_light():
    row = help_row()
    assert row.value == 0 and row.ok and row.limit == 0


def small_report(data, scope, say) -> Report:
    machine = Machine("cpu", 2, 4.0, "no GPU", "Linux", {}, "abc")
    rows = [Row("mean", "x", 0.3, "mm", 0.2 if scope.robustness else 0.4)]
    return Report("registration", "Registration", rows, machine, [f"pairs {scope.pairs}"])


def test_a_full_run_writes_the_docs_block_and_a_quick_one_does_not(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "registration_report", small_report)
    monkeypatch.setattr("rigface.bench.DOCS", tmp_path)
    page = tmp_path / "benchmarks.md"
    rows = tmp_path / "rows.json"
    assert run_benchmark("registration", quick=True, json_path=rows)
    assert not page.exists()
    assert "0.300 mm" in capsys.readouterr().out
    assert json.loads(rows.read_text())[0]["ok"] is True
    assert not run_benchmark("registration", robustness=True)
    text = page.read_text()
    assert text.count("<!-- bench:registration -->") == 1
    assert "**no**" in text and "pairs 10" in text
    assert run_benchmark("registration")
    assert page.read_text().count("<!-- bench:registration -->") == 1


def test_an_unknown_benchmark_is_named():
    with pytest.raises(UsageError, match="registration"):
        run_benchmark("nothing")


def test_missing_data_is_named():
    with pytest.raises(InputError, match="RIGFACE_DATA"):
        bench.registration_report(Path("/nowhere"), QUICK, lambda text: None)


def test_the_quick_scope_is_a_part_of_the_full_one():
    full = Scope()
    assert set(QUICK.scans) < set(full.scans) and set(QUICK.peers) < set(full.peers)
    assert QUICK.adam_seconds <= 2 < full.adam_seconds


@pytest.mark.slow
def test_a_quick_run_measures_every_row_it_shows(data_dir):
    scope = replace(QUICK, adam_seconds=0.5)
    report = bench.registration_report(data_dir, scope, lambda text: None)
    assert all(math.isfinite(row.value) for row in report.rows)
    values = {(row.what, row.on): row.value for row in report.rows}
    assert values["scan-to-mesh mean", "lee_perry_smith"] < 0.5
    assert values["coverage", "lee_perry_smith"] > 95
    assert values["correspondence error, mean", "1 simulated pairs"] < 4
    assert {grid.title for grid in report.grids} >= {"Peers on lee_perry_smith"}
