"""`rigface photo --cameras`: what reaches the fit, and what the user is told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from camera_files import three_cameras, write_colmap_text
from PIL import Image

from rigface.cli import main
from rigface.cli.photo import describe, unit_doubts
from rigface.errors import InputError
from rigface.fit.iris import HeadSize
from rigface.io.cameras import CameraFile, read_camera_file, save_cameras


class Detector:
    """Finds something in every photo."""

    def detect(self, photo):
        return [object()]


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    names = [str(tmp_path / f"view {i}.png") for i in range(2)]
    for name in names:
        Image.fromarray(np.zeros((480, 640, 3), np.uint8)).save(name)
    return names


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict:
    """What the command hands to the fit, which then gives up."""
    out = {}

    def fit(photos, faces, config, progress, **more):
        out.update(more)
        raise InputError("as far as this test goes")

    monkeypatch.setattr("rigface.perception.load_detector", lambda *_, **__: Detector())
    monkeypatch.setattr("rigface.fit.photo.fit_photos", fit)
    return out


def rigface(*arguments: str | Path) -> int:
    return main(["photo", *map(str, arguments), "--quiet"])


def test_the_cameras_of_the_photos_reach_the_fit_in_their_order(tmp_path, photos, given, capsys):
    write_colmap_text(tmp_path / "sparse" / "0", three_cameras())
    known = list(three_cameras().values())
    assert rigface(*reversed(photos), "-o", tmp_path / "o", "--cameras", tmp_path) == 3
    assert "as far as this test goes" in capsys.readouterr().err
    for camera, truth in zip(given["cameras"], (known[1], known[0]), strict=True):
        torch.testing.assert_close(camera.translation, truth.translation)
    assert rigface(*photos, "-o", tmp_path / "o") == 3
    assert given["cameras"] is None


def test_a_file_for_other_photos_is_refused_before_anything_is_written(
    tmp_path, photos, given, capsys
):
    save_cameras(tmp_path / "c.json", {"other.png": next(iter(three_cameras().values()))})
    assert rigface(*photos, "-o", tmp_path / "o", "--cameras", tmp_path / "c.json") == 3
    text = " ".join(capsys.readouterr().err.split())
    assert "view 0.png" in text and "view 1.png" in text and "the file has other.png" in text
    assert not given and not (tmp_path / "o").exists()


@pytest.mark.parametrize("option", [["--all"], ["--face", "0"]])
def test_all_and_face_do_not_go_with_cameras(tmp_path, photos, option, capsys):
    code = rigface(photos[0], "-o", tmp_path / "o", "--cameras", tmp_path, *option)
    assert code == 2
    assert "--cameras is for one person's photos" in capsys.readouterr().err


def test_a_size_without_a_unit_is_told(tmp_path):
    write_colmap_text(tmp_path, three_cameras())
    unknown, by_iris = read_camera_file(tmp_path), HeadSize(1.05, 0.02, 1.06, "iris")
    (said,) = unit_doubts(unknown, by_iris, photos=3)
    assert "does not say its unit" in said and "by the iris and good to 4 %" in said
    assert unit_doubts(unknown, by_iris, photos=1) == []
    size = HeadSize(3.2, 0.005, None, "cameras")
    metric = CameraFile({}, tmp_path / "c.json", metric=True)
    (said,) = unit_doubts(metric, size, photos=3)
    assert "3.20 times as large as the average; check that its unit is the metre" in said
    assert unit_doubts(metric, replace(size, scale=1.1), photos=3) == []
    assert unit_doubts(metric, replace(size, how="iris"), photos=3) == []


@pytest.mark.parametrize("metric", [True, False])
def test_the_fit_is_told_whether_the_cameras_are_in_metres(tmp_path, photos, given, metric):
    cameras = {
        Path(name).name: camera
        for name, camera in zip(photos, three_cameras().values(), strict=False)
    }
    if metric:
        save_cameras(tmp_path / "cameras.json", cameras)
    else:
        write_colmap_text(tmp_path, cameras)
    assert rigface(*photos, "-o", tmp_path / "o", "--cameras", tmp_path) == 3
    assert given["metric_cameras"] is metric


def test_the_size_line_names_the_cameras():
    summary = {
        "metrics": {"reprojection_percent": 1.0, "shape_sigma_mm": 1.0},
        "scale": {"how": "cameras", "relative_sigma": 0.005},
        "advice": None,
    }
    assert describe(summary)[1] == "size of the head: by the cameras, good to 1 % (95 %)"
