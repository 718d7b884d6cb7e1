"""The examples run, stay short, and do what they say."""

import runpy
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from synthetic_fits import fitted

import rigface
from rigface.geometry.mesh import boundary_edges, face_areas
from rigface.io.obj import read_obj
from rigface.models import jnr_asset

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_short_and_says_how_to_run_it(path):
    text = path.read_text()
    assert f"python examples/{path.name}" in text
    assert text.count("\n") < 150


def test_numbered_without_gaps():
    assert [int(path.name[:2]) for path in EXAMPLES] == list(range(1, len(EXAMPLES) + 1))


@pytest.fixture
def short_fit(monkeypatch):
    """The examples show how to call the fit; how well it fits is tested elsewhere."""
    monkeypatch.setattr(rigface, "load_scan", Path, raising=False)
    monkeypatch.setattr(rigface, "fit_scan", lambda scan, **_: fitted(), raising=False)


def test_fit_example_writes_and_prints(short_fit, tmp_path, capsys):
    runpy.run_path(str(EXAMPLES[1]))["main"](tmp_path / "scan.ply", tmp_path / "out")
    printed = capsys.readouterr().out
    assert "accepted" in printed
    assert "nose" in printed
    assert (tmp_path / "out" / "face.glb").is_file()


def test_pose_example_moves_the_head(short_fit, tmp_path, capsys):
    runpy.run_path(str(EXAMPLES[2]))["main"](tmp_path / "scan.ply", tmp_path / "out")
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    moved = {name: float(text.split()[-2]) for name, text in lines.items()}
    assert moved["rest"] == 0
    assert min(moved["jaw_bone"], moved["smile"], moved["wink"]) > 3
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"head.glb", "head.html", *(f"{name}.obj" for name in moved)}


def test_retarget_example_carries_a_smile_over(short_fit, monkeypatch, tmp_path, capsys):
    quick = partial(jnr_asset.load_jnr, kind="jnr")  # its expressions are the same
    monkeypatch.setattr(jnr_asset, "load_jnr", lambda template, _, **free: quick(template, **free))
    scans = [Path(f"{name}.ply") for name in ("person", "other")]
    runpy.run_path(str(EXAMPLES[6]))["main"](*scans, tmp_path)
    first, *_ = capsys.readouterr().out.splitlines()
    own, moved = (float(word) for word in first.split() if word[0].isdigit())
    assert own > 5 and abs(moved / own - 1) < 0.25
    rest = rigface.posed_vertices(rigface.rig_asset(fitted()))
    posed = read_obj(tmp_path / "rig.obj").vertices
    assert np.linalg.norm(posed - rest, axis=1).max() > 5e-3


def test_model_example_follows_the_pull():
    main = runpy.run_path(str(EXAMPLES[3]))["main"]
    assert main(steps=8) < main(steps=1) - 1


def test_synthetic_scan_is_what_people_send(tmp_path):
    example = runpy.run_path(str(EXAMPLES[0]))
    for name in ("a", "b"):
        example["main"](tmp_path / f"{name}.ply", seed=1)
    scan = rigface.load_scan(tmp_path / "a.ply")
    assert (tmp_path / "a.ply").read_bytes() == (tmp_path / "b.ply").read_bytes()
    mesh = scan.mesh()
    extent = np.ptp(mesh.vertices, axis=0)
    assert 200 < np.linalg.norm(extent) < 600  # millimetres
    assert abs(mesh.vertices.mean(axis=0)).max() > 50  # somewhere else than at the origin
    assert len(boundary_edges(mesh.faces)) > 500  # an open surface with holes
    assert len(mesh.vertices) > 10 * 4200  # not the template's vertices again
    head = rigface.load_template().mesh
    scale = face_areas(mesh.vertices, mesh.faces).sum() / 1e6
    assert 0.3 < scale / face_areas(head.vertices, head.faces[:8356]).sum() < 1.2
