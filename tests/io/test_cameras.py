"""Camera files: nothing changes on the way through, wrong files are told apart."""

import json

import pytest
import torch
from camera_files import assert_same

from rigface.cameras import Camera, orbiting
from rigface.errors import InputError
from rigface.io.cameras import load_cameras, load_transforms, save_cameras, save_transforms


@pytest.fixture
def cameras() -> dict[str, Camera]:
    return {
        f"view {i}.jpg": orbiting(
            (0.01, -0.02, 0.03), 0.3 * i, 0.1, 0.6 + i / 7, 700.0 + i, (640, 480)
        )
        for i in range(3)
    }


def test_cameras_json_comes_back_bit_by_bit(tmp_path, cameras):
    save_cameras(tmp_path / "cameras.json", cameras)
    assert_same(load_cameras(tmp_path / "cameras.json"), cameras, 0.0)


def test_transforms_json_comes_back(tmp_path, cameras):
    save_transforms(tmp_path / "transforms.json", cameras)
    assert_same(load_transforms(tmp_path / "transforms.json"), cameras, 1e-15)


def test_transforms_json_is_opengl_camera_to_world(tmp_path, cameras):
    save_transforms(tmp_path / "t.json", cameras)
    frame = json.loads((tmp_path / "t.json").read_text())["frames"][1]
    matrix = torch.tensor(frame["transform_matrix"], dtype=torch.float64)
    camera = cameras["view 1.jpg"]
    torch.testing.assert_close(matrix[:3, 3], camera.position)
    forward = camera.rays(camera.centre[None])[0]
    torch.testing.assert_close(-matrix[:3, 2], forward)
    assert matrix[1, 1] > 0.9, "its y axis points up in the picture"


def test_nerfstudio_may_give_the_lens_once(tmp_path, cameras):
    save_transforms(tmp_path / "t.json", {"a.png": cameras["view 0.jpg"]})
    content = json.loads((tmp_path / "t.json").read_text())
    frame = content["frames"][0]
    for key in ("w", "h", "fl_x", "fl_y", "cx", "cy"):
        content[key] = frame.pop(key)
    (tmp_path / "t.json").write_text(json.dumps(content))
    assert_same(load_transforms(tmp_path / "t.json"), {"a.png": cameras["view 0.jpg"]}, 1e-15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "x"}, "no rigface-cameras file"),
        ({"fx": None}, "lacks a finite number for fx"),
        ({"fx": -3}, "must be above zero"),
        ({"width": 3.5}, "whole pixels"),
        ({"cam_from_world": [[1, 0], [0, 1]]}, "four rows"),
        ({"cam_from_world": [[2.0 * (i == j) for j in range(4)] for i in range(4)]}, "no rotation"),
        ({"image": ""}, "lacks the name"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(tmp_path, cameras, change, message):
    path = tmp_path / "cameras.json"
    save_cameras(path, cameras)
    content = json.loads(path.read_text())
    (content if "format" in change else content["cameras"][2]).update(change)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        load_cameras(path)


def test_other_files_are_refused(tmp_path, cameras):
    with pytest.raises(InputError, match="does not exist"):
        load_cameras(tmp_path / "none.json")
    (tmp_path / "a.json").write_text("[1, 2")
    with pytest.raises(InputError, match="no readable JSON"):
        load_transforms(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("[1, 2]")
    with pytest.raises(InputError, match="expected an object"):
        load_transforms(tmp_path / "a.json")
    save_cameras(tmp_path / "c.json", cameras)
    with pytest.raises(InputError, match="read by load_cameras"):
        load_transforms(tmp_path / "c.json")


def test_two_pictures_of_one_name_and_distortion_are_refused(tmp_path, cameras):
    path = tmp_path / "t.json"
    save_transforms(path, cameras)
    content = json.loads(path.read_text())
    content["frames"][1]["file_path"] = content["frames"][0]["file_path"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="a second time"):
        load_transforms(path)
    content["k1"] = 0.02
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="lens distortion"):
        load_transforms(path)


def test_a_batch_of_cameras_is_not_one_picture(tmp_path, cameras):
    camera = cameras["view 0.jpg"]
    batch = camera.moved(camera.rotation[None], camera.translation[None])
    with pytest.raises(ValueError, match="has to be split"):
        save_cameras(tmp_path / "c.json", {"a": batch})
