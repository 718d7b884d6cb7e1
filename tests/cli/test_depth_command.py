"""The command on a small frame: files, exit codes, and what is said about bad input."""

import json
from dataclasses import replace

import numpy as np
import pytest
from depth_frames import QUICK, shot, write_png
from PIL import Image

from rigface.cli.main import main
from rigface.fit import depth as recipe
from rigface.report.result_json import schema_problems


@pytest.fixture
def frame(tmp_path):
    """A frame with a colour picture."""
    colour = np.full((400, 320, 3), (200, 150, 120), dtype=np.uint8)
    Image.fromarray(colour).save(tmp_path / "one_rgb.png")
    return write_png(tmp_path / "one.png", shot().frame, rgb="{stem}_rgb.png")


@pytest.fixture
def quick(monkeypatch):
    """The command with a short schedule."""
    full = recipe.fit_depth
    monkeypatch.setattr(recipe, "fit_depth", lambda frames, _, watch: full(frames, QUICK, watch))


def test_one_frame_end_to_end(frame, tmp_path, quick, capsys):
    out = tmp_path / "out"
    nothing = replace(shot().frame, depth=np.full_like(shot().frame.depth, np.nan))
    empty = write_png(tmp_path / "empty.png", nothing)
    code = main(["depth", str(frame), str(empty), "-o", str(out), "--json", "--quiet"])
    result = json.loads(capsys.readouterr().out)
    assert code in (0, 4)
    assert schema_problems(result) == []
    names = {path.name for path in out.iterdir()}
    assert names == {"face.glb", "fit.ply", "params.safetensors", "report.html", "result.json",
                     "texture.png"}  # fmt: skip
    assert result["recipe"] == "depth" and result["unit"]["name"] == "m"
    assert [(row["name"], row["used"]) for row in result["frames"]] == [
        ("one.png", True),
        ("empty.png", False),
    ]
    assert "next to no depth" in result["frames"][1]["reason"]
    texture = np.asarray(Image.open(out / "texture.png"))
    middle = np.median(texture.reshape(-1, 3), axis=0)
    assert np.abs(middle - (200, 150, 120)).max() < 12


def test_bad_input_ends_with_3(frame, tmp_path, capsys):
    out = ["-o", str(tmp_path / "out")]
    frame.with_suffix(".json").unlink()
    assert main(["depth", str(frame), *out]) == 3
    assert "has no intrinsics" in capsys.readouterr().err
    assert main(["depth", str(tmp_path / "missing.png"), *out]) == 3
    assert "does not exist" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_bad_usage_ends_with_2(frame, tmp_path):
    assert main(["depth", str(frame), "-o", str(tmp_path), "--rig", "asm", "--lod", "1"]) == 2
