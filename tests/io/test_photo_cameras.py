"""Photos and the cameras of a file: by name, at the photo's size."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from camera_files import three_cameras
from PIL import Image

from rigface.cameras import Camera
from rigface.errors import InputError
from rigface.evidence.photo import Photo
from rigface.io import read_photo
from rigface.io.cameras import cameras_of

CAMERA = next(iter(three_cameras().values()))


def photo(name: str | None, size: tuple[int, int] = (640, 480), scale: float = 1.0) -> Photo:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    return Photo(pixels, source=None if name is None else Path(name), scale=scale)


def named(*names: str) -> dict[str, Camera]:
    """Cameras that can be told apart."""
    return {
        name: replace(CAMERA, translation=CAMERA.translation + i) for i, name in enumerate(names)
    }


def chosen(own: str, *names: str) -> str:
    cameras = named(*names)
    (found,) = cameras_of([photo(own)], cameras, "c")
    return next(n for n, c in cameras.items() if torch.equal(c.translation, found.translation))


@pytest.mark.parametrize(
    ("own", "name"),
    [
        ("/home/me/IMG_1.JPG", "IMG_1.JPG"),
        ("/home/me/IMG_1.JPG", "images/img_1.jpg"),
        ("/home/me/IMG_1.JPG", "IMG_1"),
        ("img_1.png", "C:\\rig\\IMG_1.jpg"),
        ("frame.0001.png", "frame.0001"),
    ],
)
def test_names_match_without_case_folders_and_extension(own, name):
    assert chosen(own, "other.jpg", name, "IMG_10.jpg", "frame.0002") == name


def test_the_nearest_name_wins_and_folders_decide_the_rest():
    assert chosen("a/1.jpg", "1.png", "1.jpg", "1") == "1.jpg"
    assert chosen("rig/left/1.jpg", "left/1.jpg", "right/1.jpg") == "left/1.jpg"
    with pytest.raises(InputError, match=re.escape("up/1.jpg may be any of left/1.jpg, right/1")):
        chosen("up/1.jpg", "left/1.jpg", "right/1.jpg")


def test_every_photo_without_a_camera_is_named_and_what_the_file_has():
    photos = [photo("a.jpg"), photo("here/b.jpg"), photo(None), photo("c.jpg")]
    with pytest.raises(InputError) as caught:
        cameras_of(photos, named("a.jpg", *(f"view{i}" for i in range(30))), "rig.xml")
    assert str(caught.value).startswith(
        "The cameras in rig.xml do not match the photos: no camera for here/b.jpg, a photo without "
        "a file name, c.jpg; the file has a.jpg, view0, view1,"
    )
    assert "and 11 more" in str(caught.value)


def test_one_camera_did_not_take_two_photos():
    with pytest.raises(InputError, match=re.escape("'1.jpg' of the file may be any of a/1.jpg, b")):
        cameras_of([photo("a/1.jpg"), photo("b/1.jpg")], named("1.jpg"), "c")
    twice = cameras_of([photo("a/1.jpg"), photo("a/1.jpg")], named("1.jpg"), "c")
    assert len(twice) == 2  # one photo given twice is the fit's business


@pytest.mark.parametrize(
    ("size", "scale", "times"),
    [
        ((640, 480), 1.0, 1.0),
        ((320, 240), 1.0, 0.5),
        ((1280, 960), 1.0, 2.0),
        ((1281, 961), 1.0, 2.0),
        ((320, 240), 0.5, 0.5),
        ((448, 336), 0.7, 0.7),
        ((448, 336), 0.35, 0.7),
    ],
    ids=str,
)
def test_the_camera_follows_the_size_of_the_photo(size, scale, times):
    (camera,) = cameras_of([photo("a.jpg", size, scale)], {"a.jpg": CAMERA}, "c")
    assert camera.size == size
    torch.testing.assert_close(camera.focal, CAMERA.focal * times, rtol=3e-3, atol=0)
    point = torch.tensor([[0.02, -0.05, 0.07]], dtype=torch.float64)
    pixel, truth = camera.project(point)[0], CAMERA.project(point)[0]
    ratio = torch.tensor([size[0] / 640, size[1] / 480], dtype=torch.float64)
    torch.testing.assert_close(pixel, truth * ratio)


def test_every_wrong_size_is_named_and_turned_photos_are_told():
    photos = [photo("a.jpg"), photo("b.jpg", (480, 640)), photo("c.jpg", (600, 480))]
    cameras = {f"{name}.jpg": CAMERA for name in "abc"}
    with pytest.raises(InputError) as caught:
        cameras_of(photos, cameras, "c")
    text = str(caught.value)
    assert (
        "b.jpg is 480 x 640 px, its camera is for 640 x 480 (turned: the photo is upright" in text
    )
    assert "c.jpg is 600 x 480 px, its camera is for 640 x 480. Give the photos" in text
    assert "a.jpg" not in text.replace("a.jpg, b.jpg", "")
    with pytest.raises(InputError, match="its camera is for 640 x 480"):
        cameras_of([photo("a.jpg", (639, 480))], {"a.jpg": CAMERA}, "c")


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_photo_that_the_reader_reduced_keeps_its_camera(tmp_path, suffix):
    """A mark in the large file is where the scaled camera says."""
    size = (1503, 1001)
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    camera = replace(CAMERA, size=size, focal=CAMERA.focal * 2, centre=CAMERA.centre * 2)
    point = torch.tensor([[0.05, -0.06, 0.07]], dtype=torch.float64)
    column, row = camera.project(point)[0][0].round().int().tolist()
    pixels[row - 8 : row + 8, column - 8 : column + 8] = 255
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
    small = read_photo(tmp_path / f"a.{suffix}", max_side=400)
    assert small.scale < 0.3
    (found,) = cameras_of([small], {"a": camera}, "c")
    weight = small.pixels[..., 0].astype(float)
    seen = (found.pixel_centres() * torch.from_numpy(weight)[..., None]).sum(dim=(0, 1))
    torch.testing.assert_close(seen / weight.sum(), found.project(point)[0][0], rtol=0, atol=0.35)
