"""The rows of JNR on scans, from made-up fits, and the order of the whole report."""

import math

import pytest

from rigface.bench import skinning
from rigface.bench.registration_data import data_dir
from rigface.bench.skinning_scans import (
    NAMES,
    OneFit,
    OneScan,
    best_prior,
    error_rows,
    scans_grid,
    some_cases,
    time_row,
)
from rigface.bench.table import Grid, Row
from rigface.errors import InputError


def scan(name: str, neural: OneFit, soft: float, stiff: float) -> OneScan:
    jnr = {"jnr": OneFit(0.6, 4.0, False), "jnr-neural": neural}
    return OneScan(name, jnr, {1.0: soft, 100.0: stiff})


GOOD = [scan("a", OneFit(0.2, 9.0, False), 0.5, 0.3), scan("b", OneFit(0.3, 12.0, True), 0.3, 0.4)]


def test_one_prior_counts_for_all_scans():
    assert best_prior(GOOD) == (100.0, pytest.approx(0.35))


def test_rows_compare_means_with_the_limit_and_with_the_3dmm():
    rows = {row.what: row for row in error_rows(GOOD)}
    assert rows["(c) linear ICT 3DMM, 100 modes, best prior (100)"].value == pytest.approx(0.35)
    neural = rows["(c) jnr-neural, scan to mesh"]
    assert neural.ok
    assert neural.value == pytest.approx(0.25)
    less = rows["(c) neural below that 3DMM, difference"]
    assert less.ok
    assert less.value == pytest.approx(0.10)
    refused = rows["(c) neural fits that the quality gate refuses"]
    assert refused.value == 1
    assert not refused.ok
    slowest = time_row(GOOD)
    assert slowest.ok
    assert slowest.value == 12.0


def test_a_missing_fit_keeps_no_limit():
    rows = error_rows([GOOD[0], scan("c", OneFit(math.nan, math.nan, True), 0.5, 0.5)])
    assert [row.ok for row in rows if row.limit is not None] == [False, False, False]


def test_the_table_has_a_line_per_scan_and_the_means():
    grid = scans_grid(GOOD)
    assert [row[0] for row in grid.rows] == ["a", "b", "mean"]
    assert grid.rows[-1] == ("mean", "0.600", "0.250", "0.400", "0.350")


def test_all_scans_of_the_issue_are_there():
    try:
        folder = data_dir()
    except InputError:
        pytest.skip("no scans")
    assert len(NAMES) == 13
    assert [case.name for case in some_cases(folder, NAMES[9:12])] == list(NAMES[9:12])


def test_the_report_keeps_the_order_of_its_parts(monkeypatch, tmp_path):
    def row(what: str) -> Row:
        return Row(what, "made up", 1.0, "mm")

    def heads(folder, scope, say, figure):
        return [row("a")], [row("sizes")], [], []

    def scans(folder, fits, names, kinds, priors):
        fits.notes.append("no fit to one")
        return [row("c")], row("seconds"), Grid("scans", ("scan",), []), ["what c compares"]

    def nicp(folder, schedules, peer):
        return [row("nicp")], Grid("nicp", ("method",), []), []

    def depth(folder, others):
        raise InputError("no frame")

    monkeypatch.setattr(skinning, "_heads_report", heads)
    monkeypatch.setattr(skinning, "scans_report", scans)
    monkeypatch.setattr(skinning, "nicp_report", nicp)
    monkeypatch.setattr(skinning, "depth_report", depth)
    report = skinning.skinning_report(tmp_path, False, lambda text: None)
    names = ["a", "c", "sizes", "seconds", "nicp", "one depth frame, median distance"]
    assert [one.what for one in report.rows] == names
    assert [grid.title for grid in report.grids] == ["scans", "nicp"]
    assert report.notes == ["what c compares", "no fit to one", "No fit to a depth frame: no frame"]
    assert not report.ok, "a depth fit that failed is no success"
