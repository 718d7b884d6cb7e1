"""Every program's camera file hands over the same cameras, or says why it cannot."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from camera_files import (
    assert_same,
    three_cameras,
    write_colmap_binary,
    write_colmap_text,
    write_metashape,
)

from rigface.errors import InputError
from rigface.io.cameras import read_camera_file, read_cameras, save_cameras, save_transforms
from rigface.io.lens import Lens

CAMERAS = three_cameras()
DOCS = Path(__file__).parents[2] / "docs" / "formats.md"

WRITERS: dict[str, tuple[Callable[[Path], object], str, bool]] = {
    "cameras.json": (lambda f: save_cameras(f / "a.json", CAMERAS), "a.json", True),
    "transforms.json": (lambda f: save_transforms(f / "b.json", CAMERAS), "b.json", False),
    "nerfstudio folder": (lambda f: save_transforms(f / "transforms.json", CAMERAS), "", False),
    "COLMAP text": (lambda f: write_colmap_text(f, CAMERAS), "", False),
    "COLMAP text, one file": (lambda f: write_colmap_text(f, CAMERAS), "images.txt", False),
    "COLMAP project": (lambda f: write_colmap_text(f / "sparse" / "0", CAMERAS), "", False),
    "COLMAP OPENCV": (
        lambda f: write_colmap_text(f, CAMERAS, "OPENCV", (0.0, 0.0, 0.0, 0.0)), "", False),
    "COLMAP binary": (lambda f: write_colmap_binary(f / "sparse", CAMERAS), "sparse", False),
    "COLMAP binary, one file": (lambda f: write_colmap_binary(f, CAMERAS), "cameras.bin", False),
    "Metashape": (lambda f: write_metashape(f / "c.xml", CAMERAS), "c.xml", False),
    "Metashape to scale": (lambda f: write_metashape(f / "c.xml", CAMERAS, 12.5), "c.xml", True),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRITERS)
def test_the_same_cameras_come_back(tmp_path, kind):
    write, name, metric = WRITERS[kind]
    write(tmp_path)
    file = read_camera_file(tmp_path / name)
    assert_same(file.cameras, CAMERAS, 1e-10)
    assert file.metric == metric
    assert file.notes == ()


@pytest.mark.parametrize("write", [write_colmap_text, write_colmap_binary])
@pytest.mark.parametrize(
    ("model", "bent"), [("SIMPLE_PINHOLE", ()), ("SIMPLE_RADIAL", (0,)), ("RADIAL", (0, 0))]
)
def test_colmap_models_with_one_focal_length(tmp_path, write, model, bent):
    write(tmp_path, CAMERAS, model, bent)
    for camera, truth in zip(read_cameras(tmp_path).values(), CAMERAS.values(), strict=True):
        assert camera.focal.tolist() == [float(truth.focal[0])] * 2
        torch.testing.assert_close(camera.centre, truth.centre)


def test_the_examples_of_the_docs_are_one_camera(tmp_path):
    section = DOCS.read_text(encoding="utf-8").split("## Known cameras")[1].split("\n## ")[0]
    files = re.findall(r"`([\w.]+)`:\n\n```\w*\n(.*?)```", section, re.DOTALL)
    assert [name for name, _ in files] == [
        "cameras.json", "transforms.json", "cameras.txt", "images.txt", "cameras.xml",
    ]  # fmt: skip
    for name, text in files:
        (tmp_path / name).write_text(text)
    expected = read_cameras(tmp_path / "cameras.json")
    for name in ("transforms.json", "cameras.txt", "cameras.xml"):
        assert_same(read_cameras(tmp_path / name), expected, 1e-12)
    (camera,) = expected.values()
    pixel, depth = camera.project(torch.tensor([[0.1, 0.2, 0.0]], dtype=torch.float64))
    torch.testing.assert_close(pixel[0], torch.tensor([2010 + 700.0, 1495 - 1400.0]).double())
    assert float(depth) == pytest.approx(0.6)


def test_a_lens_bends_by_brown():
    """By hand: the corner at (0.4, 0.3) of the plane, focal length 1000, r^2 = 0.25."""
    plain = {"size": (800, 600), "focal": (1000.0, 1000.0), "centre": (400.0, 300.0)}
    assert Lens(**plain).bend() == 0
    assert Lens(**plain, radial=(0.01,)).bend() == pytest.approx(0.01 * 0.25 * 500)
    assert Lens(**plain, radial=(0.0, 0.01)).bend() == pytest.approx(0.01 * 0.0625 * 500)
    right, down = 2 * 0.12, 0.25 + 2 * 0.09
    bend = Lens(**plain, tangential=(0.001, 0.0)).bend()
    assert bend == pytest.approx(np.hypot(right, down))
    assert Lens(**plain, skew=2.0).bend() == pytest.approx(0.6)
    hump = Lens(**plain, radial=(0.1, -0.4))  # nothing at the corners, much between
    assert hump.bend() > 2


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda f, k: write_colmap_text(f, CAMERAS, "OPENCV", (k, 0, 0, 0)), "cameras.txt"),
        (lambda f, k: write_colmap_binary(f, CAMERAS, "OPENCV", (k, 0, 0, 0)), "cameras.bin"),
        (lambda f, k: write_metashape(f / "c.xml", CAMERAS, None, f"<k1>{k}</k1>"), "c.xml"),
    ],
)
def test_little_distortion_is_noted_and_much_is_refused(tmp_path, write, name):
    write(tmp_path, 0.01)
    file = read_camera_file(tmp_path / name)
    assert_same(file.cameras, CAMERAS, 1e-10)
    assert file.notes and all("distortion of up to 1.3 px was ignored" in n for n in file.notes)
    write(tmp_path, 0.03)
    with pytest.raises(InputError, match=r"up to 4\.\d px.*Undistort the pictures first: "):
        read_cameras(tmp_path / name)


def test_metashape_has_tangential_distortion_the_other_way_round(tmp_path):
    """p1 of Metashape multiplies (r^2 + 2 x^2) to the right: in a wide picture it bends more."""
    said = []
    for key in ("p1", "p2"):
        write_metashape(tmp_path / "c.xml", CAMERAS, None, f"<{key}>0.001</{key}>")
        note = read_camera_file(tmp_path / "c.xml").notes[0]
        said.append(float(note.split(" px")[0].split()[-1]))
    x, y = 323.25 / 700.7, 242.5 / 700
    wide = np.hypot(x * x * 3 + y * y, 2 * x * y) * 0.7
    high = np.hypot(y * y * 3 + x * x, 2 * x * y) * 0.7
    assert said[0] == pytest.approx(wide, abs=0.06)
    assert said[1] == pytest.approx(high, abs=0.06)


def test_cameras_that_were_not_aligned_are_left_out(tmp_path):
    write_metashape(tmp_path / "c.xml", CAMERAS)
    text = (tmp_path / "c.xml").read_text()
    cut = re.sub(r'(label="rig/view 1.jpg">)<transform>.*?</transform>', r"\1", text)
    (tmp_path / "c.xml").write_text(cut)
    file = read_camera_file(tmp_path / "c.xml")
    assert list(file.cameras) == ["rig/view 0.jpg", "rig/view 2.jpg"]
    assert file.notes == ("c.xml: 'rig/view 1.jpg' was not aligned, so it has no camera",)


MALFORMED: dict[str, tuple[str, str, str, str]] = {
    "other model": ("cameras.txt", "PINHOLE", "OPENCV_FISHEYE", "model OPENCV_FISHEYE; expected"),
    "focal in mm": ("cameras.txt", "640 480 700", "640 480 5", "are no pixels of a picture"),
    "no focal length": ("cameras.txt", "640 480 700", "640 480 -7", "must be above zero"),
    "word for number": ("cameras.txt", "480", "x", "line 2: expected CAMERA_ID"),
    "parameter missing": ("cameras.txt", " 237.5\n", "\n", "PINHOLE has 4 parameters"),
    "camera missing": ("cameras.txt", "\n3 ", "\n4 ", "line 6: cameras.txt has no camera 3"),
    "no pose": ("images.txt", "1 0.", "1 nan0.", "expected IMAGE_ID QW"),
    "points missing": ("images.txt", "17\n", "17 3\n", "line 5: expected the points"),
    "same name": ("images.txt", "view 2.jpg", "view 1.jpg", "a second time"),
    "no rotation": ("c.xml", "<transform>", "<transform>7", "no rotation"),
    "15 numbers": ("c.xml", " 1.0</transform>", "</transform>", "must be 16 finite numbers"),
    "no sensor": ("c.xml", "<sensor id=", "<sensor no=", "no calibrated sensor"),
    "fisheye": ("c.xml", 'type="frame" class="adj', 'type="fisheye" class="adj', "fisheye sensor"),
    "focal word": ("c.xml", "<f>700", "<f>x", "'f' must be a finite number"),
    "cut XML": ("c.xml", "</chunk>", "", "no readable XML"),
    "entities": ("c.xml", "<document", "<!DOCTYPE d><document", "document type"),
    "no chunk": ("c.xml", "chunk", "lump", "holds 0 chunks"),
}  # fmt: skip


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_files_are_refused_with_the_place(tmp_path, case):
    name, old, new, message = MALFORMED[case]
    write_colmap_text(tmp_path, CAMERAS)
    write_metashape(tmp_path / "c.xml", CAMERAS)
    text = (tmp_path / name).read_text()
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new))
    with pytest.raises(InputError, match=re.escape(message)):
        read_cameras(tmp_path / name)


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin"])
def test_a_binary_model_that_is_cut_or_damaged_is_refused(tmp_path, name):
    write_colmap_binary(tmp_path, CAMERAS)
    whole = (tmp_path / name).read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_cameras(tmp_path)
    rng = np.random.default_rng(1)
    for _ in range(200):
        wrong = bytearray(whole)
        for place in rng.integers(len(wrong), size=3):
            wrong[place] ^= 1 << int(rng.integers(8))
        (tmp_path / name).write_bytes(wrong)
        try:
            read_cameras(tmp_path)
        except InputError as error:
            assert str(error).endswith(".")


def test_other_files_and_folders_are_refused_with_what_is_known(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_cameras(tmp_path / "none.xml")
    with pytest.raises(InputError, match="holds no camera file. Expected cameras.json of rigface"):
        read_cameras(tmp_path)
    for text in ("hello", '{"a": 1}', "[1]"):
        (tmp_path / "x").write_text(text)
        with pytest.raises(InputError, match=r"Expected cameras.json|expected an object"):
            read_cameras(tmp_path / "x")
    save_cameras(tmp_path / "x", {})
    with pytest.raises(InputError, match="no camera with a pose"):
        read_cameras(tmp_path / "x")
    (tmp_path / "cameras.txt").write_text("")
    with pytest.raises(InputError, match="holds no COLMAP model"):
        read_cameras(tmp_path / "cameras.txt")


def test_a_fisheye_of_nerfstudio_is_refused(tmp_path):
    save_transforms(tmp_path / "t.json", CAMERAS)
    text = (tmp_path / "t.json").read_text().replace('"OPENCV"', '"OPENCV_FISHEYE"')
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(InputError, match="camera model OPENCV_FISHEYE"):
        read_cameras(tmp_path / "t.json")
