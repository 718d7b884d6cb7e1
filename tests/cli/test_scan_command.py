"""The real command on a real file: what a user gets, and what they get told."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import KDTree

import rigface
from rigface.report.result_json import schema_problems

EXAMPLE = Path(__file__).parents[2] / "examples" / "01_synthesise_scan.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scan")


@pytest.fixture(scope="module")
def run(folder):
    """`rigface scan` in a process of its own, on a noisy, holed, turned scan in millimetres."""
    runpy.run_path(str(EXAMPLE))["main"](folder / "scan.ply", seed=1)
    command = [sys.executable, "-c", "import sys; from rigface.cli import main; sys.exit(main())"]
    arguments = ["scan", folder / "scan.ply", "-o", folder / "out", "--json"]
    return subprocess.run(
        [*command, *arguments, "--save", "glb,obj,ply,html"],
        check=False,
        capture_output=True,
        text=True,
    )


def test_succeeds_and_says_only_what_was_asked_for(run, folder):
    assert run.returncode == 0, run.stderr
    assert run.stdout == (folder / "out" / "result.json").read_text()
    stages = [line.split(":")[0] for line in run.stderr.splitlines()]
    assert stages == ["load", "start", "find", "prepare", "fit", "measure", "write"]


def test_writes_every_file_and_nothing_else(run, folder):
    names = sorted(path.name for path in (folder / "out").iterdir())
    assert names == sorted(
        ["face.glb", "face.html", "face.obj", "face.ply", "fit.ply", "params.safetensors"]
        + ["report.html", "result.json"]
    )
    assert sorted(path.name for path in folder.iterdir()) == ["out", "scan.ply"]


def test_result_follows_the_schema_and_is_good(run):
    result = json.loads(run.stdout)
    assert schema_problems(result) == []
    assert result["ok"] and result["reason"] is None
    assert result["unit"]["name"] == "mm"
    assert result["metrics"]["mean_mm"] < 0.3
    assert result["metrics"]["coverage"] > 0.95
    assert result["variables"] == 84 * 23


def test_fit_lies_on_the_scan_in_its_own_frame_and_unit(run, folder):
    scan = rigface.load_scan(folder / "scan.ply").vertices
    fit = rigface.load_scan(folder / "out" / "fit.ply")
    eyes = fit.vertices[-144:].mean(axis=0)
    near = scan[np.linalg.norm(scan - eyes, axis=1) < 60]
    distance, _ = KDTree(fit.vertices).query(near)
    assert len(near) > 1000
    assert np.median(distance) < 2.5  # mm, to the nearest vertex


def test_pages_need_no_network(run, folder):
    for name in ("report.html", "face.html"):
        text = (folder / "out" / name).read_text()
        assert 'src="http' not in text
        assert "<link" not in text
