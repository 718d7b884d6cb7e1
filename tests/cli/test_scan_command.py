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
from rigface.cli import main
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


PLY = (
    b"ply\nformat binary_little_endian 1.0\nelement vertex %d\n"
    b"property float x\nproperty float y\nproperty float z\nend_header\n"
)
NAN = "".join(f"v {x} nan 0\n" for x in range(600))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("absent.obj", None, ["does not exist", "absent.obj"]),
        ("empty.ply", b"", ["empty"]),
        ("letter.obj", b"Dear Sir or Madam,\nplease find attached\n", ["letter.obj"]),
        ("scan.doc", b"v 0 0 0\n", ["doc", ".ply"]),
        ("few.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\n", ["3", "500"]),
        ("nan.obj", NAN.encode(), ["nan.obj", "finite"]),
        ("cut.ply", PLY % 1000 + bytes(100), ["cut.ply", "1,000"]),
        ("absurd.ply", PLY % 10**15 + bytes(100), ["absurd.ply"]),
    ],
)
def test_unusable_input_is_3_and_leaves_nothing(name, content, words, tmp_path, capsys):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["scan", str(tmp_path / name), "-o", str(tmp_path / "out"), "--quiet"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("rigface: unusable input\n")
    assert all(word.lower() in err.lower() for word in words), err
    assert not (tmp_path / "out").exists()


def test_what_is_no_head_is_3_and_leaves_nothing(tmp_path, capsys):
    rng = np.random.default_rng(0)
    ball = rng.standard_normal((4000, 3))
    ball *= 90 / np.linalg.norm(ball, axis=1, keepdims=True)
    rigface.save_ply(tmp_path / "ball.ply", rigface.Mesh(ball, np.zeros((0, 3), int)))
    assert main(["scan", str(tmp_path / "ball.ply"), "-o", str(tmp_path / "out"), "--quiet"]) == 3
    assert "face" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
