"""report.html says everything it was given, and nothing can break out of it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rig_assets import make_rig

from rigface.errors import InputError, OutputError
from rigface.export.glb import encode_glb
from rigface.report.data import ReportData, ScanLayer
from rigface.report.page import render_report, write_report


@pytest.fixture(scope="module")
def data() -> ReportData:
    rig = make_rig()
    error = np.where(rig.vertices[:, 2] > 0, np.abs(rig.vertices[:, 0]) * 10, np.nan)
    return ReportData(
        title="head.obj",
        glb=encode_glb(rig).data,
        scan=ScanLayer(rig.vertices, rig.faces, error),
        metrics={"mean_mm": 0.1234, "p95_mm": 0.517, "coverage": 0.975},
        regions=[{"name": "nose", "mean_mm": 0.11}, {"name": "lips", "mean_mm": 0.22}],
        quality={"flipped": 0.0003, "pruning_mm": 1.5},
        seconds={"load": 0.5, "fit": 3.0},
        warnings=["The scan has 3 holes."],
        settings={"recipe": "default"},
        credit="Scan: somebody, CC BY 3.0",
    )


def visible(page: str) -> str:
    """Markup without scripts and styles."""
    return re.sub(r"<(script|style).*?</\1>", "", page, flags=re.S)


def test_everything_is_on_the_page(data: ReportData) -> None:
    text = visible(render_report(data))
    for wanted in (
        "head.obj", "Passed", "0.12", "0.52", "97.5", "nose", "0.22", "0.03", "1.50", "3.0 s",
        "1 warning<", "The scan has 3 holes.", "recipe", "Scan: somebody, CC BY 3.0", "<svg",
    ):  # fmt: skip
        assert wanted in re.sub(r"\s+", " ", text), wanted
    assert "quality gate" not in text


def test_failure_is_said_first(data: ReportData) -> None:
    failed = replace(data, ok=False, reason="coverage is 71 %, 95 % is needed")
    text = visible(render_report(failed))
    assert "Failed its quality gate" in text and "Passed" not in text
    assert text.index("coverage is 71 %") < text.index("1 warning")


def test_without_a_scan_there_is_nothing_to_compare(data: ReportData) -> None:
    text = visible(render_report(replace(data, scan=None)))
    assert 'data-choice="show"' not in text and "data-legend" not in text
    assert 'value="color"' not in visible(render_report(data))  # this scan has no colours


def test_texts_cannot_become_markup(data: ReportData) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    page = render_report(
        replace(
            data,
            title=evil,
            credit=evil,
            warnings=[evil],
            settings={evil: evil},
            regions=[{"name": evil, "mean_mm": 0.1}],
            metrics={evil: evil, "mean_mm": 0.1},
        )
    )
    assert "<img" not in page


def test_same_data_same_bytes(data: ReportData, tmp_path: Path) -> None:
    write_report(tmp_path / "a.html", data)
    write_report(tmp_path / "b.html", data)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_bad_input_leaves_nothing(data: ReportData, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no complete GLB"):
        write_report(tmp_path / "a.html", replace(data, glb=b"glTF"))
    assert not list(tmp_path.iterdir())
    with pytest.raises(OutputError):
        write_report(tmp_path / "no" / "a.html", data)


def test_from_result_takes_the_numbers_of_the_file(data: ReportData) -> None:
    result = {
        "ok": False,
        "reason": "why",
        "input": {"path": "scans/jane/head.ply"},
        "metrics": {"mean_mm": 0.2},
        "regions": [{"name": "nose", "mean_mm": 0.1}],
        "quality": {"flipped": 0.0},
        "export": {"pruning_mm": 0.4},
        "seconds": {"fit": 1.0},
        "warnings": ["w"],
        "recipe": "default",
        "seed": 3,
    }
    report = ReportData.from_result(result, data.glb, None, credit="c")
    assert (report.title, report.ok, report.reason, report.credit) == (
        "head.ply",
        False,
        "why",
        "c",
    )
    assert report.quality == {"flipped": 0.0, "pruning_mm": 0.4}
    assert report.settings["seed"] == 3 and report.metrics == {"mean_mm": 0.2}


def test_size_of_a_large_scan_stays_small(data: ReportData, rng: np.random.Generator) -> None:
    rig = make_rig(rings=164)  # 106,000 faces
    scan = ScanLayer(rig.vertices, rig.faces, np.abs(rig.vertices[:, 0]), np.abs(rig.vertices))
    page = render_report(replace(data, scan=scan))
    assert len(page) < 4e6
    assert "The view shows" in page
