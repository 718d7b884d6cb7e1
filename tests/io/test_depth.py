"""Depth frames are read as they are meant, and everything that is wrong with a file is said."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from depth_frames import shot, write_png
from PIL import Image

from rigface.errors import InputError
from rigface.io.depth import load_depth, load_depth_frames


@pytest.fixture
def png(tmp_path) -> Path:
    return write_png(tmp_path / "frame.png", shot(spoiled=False).frame)


def rewrite(png: Path, **changes: object) -> None:
    place = png.with_suffix(".json")
    content = json.loads(place.read_text())
    content.update(changes)
    place.write_text(
        json.dumps({key: value for key, value in content.items() if value is not None})
    )


def test_a_png_comes_back(png):
    truth, read = shot(spoiled=False).frame, load_depth(png)
    np.testing.assert_allclose(read.depth, truth.depth, atol=6e-5)
    np.testing.assert_allclose(read.points, truth.points, atol=6e-5, rtol=1e-4)
    assert read.source == png and read.pixels is None and read.lens is None
    assert read.camera.size == truth.camera.size


def test_intrinsics_may_be_shared_or_named(png):
    own = png.with_suffix(".json")
    elsewhere = own.rename(png.parent / "other.json")
    assert load_depth(png, elsewhere).valid.any()
    with pytest.raises(InputError, match=r"frame.json nor intrinsics.json.*--intrinsics"):
        load_depth(png)
    elsewhere.rename(png.parent / "intrinsics.json")
    assert load_depth(png).valid.any()


def test_centres_at_whole_numbers_are_moved_by_half_a_pixel(png):
    before = load_depth(png).camera.centre
    rewrite(png, pixel_centre=0)
    np.testing.assert_allclose(load_depth(png).camera.centre, before + 0.5)


def test_codes_for_nothing_are_not_depths(png):
    codes = np.asarray(Image.open(png)).copy()
    codes[:10] = 0
    codes[10:20] = 15_000
    Image.fromarray(codes).save(png)
    rewrite(png, invalid=[15_000])
    depth = load_depth(png).depth
    assert np.isnan(depth[:20]).all() and np.isnan(depth).mean() < 0.9


def test_colour_and_lens_come_along(png):
    colour = np.zeros((400, 320, 3), dtype=np.uint8)
    colour[..., 1] = 200
    Image.fromarray(colour).save(png.with_name("frame_rgb.png"))
    rewrite(png, rgb="{stem}_rgb.png", distortion={"table": [0.0, 0.01]})
    frame = load_depth(png)
    assert frame.pixels is not None and frame.pixels.shape == (400, 320, 3)
    assert frame.lens is not None
    np.testing.assert_allclose(frame.lens.centre, frame.camera.centre)
    straight = shot(spoiled=False).frame.points
    outward = np.linalg.norm(frame.points[0, 0, :2]) / np.linalg.norm(straight[0, 0, :2])
    assert outward == pytest.approx(1.01, abs=1e-3)


WRONG = [
    ({"fx": None}, "lacks a finite number for fx"),
    ({"fy": -3.0}, "must be above zero"),
    ({"width": 80, "height": 100}, r"160 x 200 pixels, but .* of 80 x 100 pixels"),
    ({"depth_scale": None}, "lacks a finite number for depth_scale"),
    ({"depth_scale": 0}, "above zero, metres per code"),
    ({"depth_scale": 1.0}, r"nothing between 0.05 and 5.0 m.*depth_scale is 0.001"),
    ({"depth_scale": 1e-7}, r"nothing between 0.05 and 5.0 m.*depth_scale is 0.001"),
    ({"pixel_centre": 0.3}, "0 or 0.5"),
    ({"invalid": 0}, "list of whole numbers"),
    ({"distortion": {"table": [0.1]}}, "at least two finite numbers"),
    ({"distortion": {"table": [1.0, 1.02]}}, "not factors or pixels"),
    ({"distortion": [1, 2]}, "needs 'table'"),
    ({"rgb": 7}, "name of a picture"),
    ({"rgb": "none.png"}, "none.png"),
    ({"focal": 3}, "unknown key focal"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_wrong_intrinsics(png, changes, message):
    rewrite(png, **changes)
    with pytest.raises(InputError, match=message):
        load_depth(png)


def test_a_colour_picture_of_another_shape(png):
    Image.fromarray(np.zeros((200, 300, 3), dtype=np.uint8)).save(png.with_name("c.png"))
    rewrite(png, rgb="c.png")
    with pytest.raises(InputError, match="another shape"):
        load_depth(png)


def test_an_empty_frame(png):
    Image.fromarray(np.zeros((200, 160), dtype=np.uint16)).save(png)
    with pytest.raises(InputError, match="next to no depth: 0 of 32,000 pixels"):
        load_depth(png)


def test_what_is_no_depth_picture(png, tmp_path):
    Image.fromarray(np.zeros((200, 160, 3), dtype=np.uint8)).save(png)
    with pytest.raises(InputError, match="mode RGB, not a depth picture"):
        load_depth(png)
    png.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    with pytest.raises(InputError, match="no readable PNG"):
        load_depth(png)
    for name, message in (("no.png", "does not exist"), ("", "is a folder")):
        with pytest.raises(InputError, match=message):
            load_depth(tmp_path / name)
    (tmp_path / "a.exr").write_bytes(b"1")
    with pytest.raises(InputError, match="unknown extension"):
        load_depth(tmp_path / "a.exr")


def truedepth_bytes(depth: np.ndarray, about: dict) -> bytes:
    height, width = depth.shape
    text = json.dumps(about).encode()
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement metadata {len(text)}\n"
        f"property uchar char\nelement color {depth.size}\nproperty float r\nproperty float g\n"
        f"property float b\nelement depth {depth.size}\nproperty float d\nend_header\n"
    )
    colour = np.tile(np.array([1.0, 0.5, 0.0], dtype="<f4"), (depth.size, 1))
    return header.encode() + text + colour.tobytes() + depth.astype("<f4").tobytes()


def about(width: int, height: int) -> dict:
    return {
        "width": width,
        "height": height,
        "camera_intrinsics": {
            "intrinsic_matrix": [600.0, 0, 0, 0, 610.0, 0, 330.0, 250.0, 1.0],
            "intrinsic_matrix_reference_dimensions_width": 640.0,
            "lens_distortion_center_x": 330.0,
            "lens_distortion_center_y": 250.0,
            "lens_distortion_lookup_table": [0.0, 0.01, 0.02],
        },
    }


def test_a_truedepth_frame(tmp_path):
    depth = np.full((48, 64), 0.4)
    depth[:4] = 9999.0
    place = tmp_path / "f.ply"
    place.write_bytes(truedepth_bytes(depth, about(64, 48)))
    frame = load_depth(place)
    np.testing.assert_allclose(frame.camera.focal, [60.0, 61.0])
    np.testing.assert_allclose(frame.camera.centre, [33.0, 25.0])
    assert np.isnan(frame.depth[:4]).all() and frame.valid[4:].all()
    assert frame.lens is not None and frame.pixels is not None
    assert frame.lens.radius == pytest.approx(np.hypot(33.0, 25.0))
    assert frame.pixels[0, 0].tolist() == [255, 128, 0]


def test_damaged_truedepth_frames(tmp_path):
    place, depth = tmp_path / "f.ply", np.full((48, 64), 0.4)
    place.write_bytes(truedepth_bytes(depth, about(64, 50)))
    with pytest.raises(InputError, match="3,072 depths.*64 x 50"):
        load_depth(place)
    without = about(64, 48)
    del without["camera_intrinsics"]
    place.write_bytes(truedepth_bytes(depth, without))
    with pytest.raises(InputError, match="damaged metadata: KeyError 'camera_intrinsics'"):
        load_depth(place)
    place.write_bytes(truedepth_bytes(depth, about(64, 48))[:-100])
    with pytest.raises(InputError, match="cut short"):
        load_depth(place)
    place.write_bytes(b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n")
    with pytest.raises(InputError, match="no depth frame.*rigface scan"):
        load_depth(place)
    place.write_bytes(struct.pack("<I", 7))
    with pytest.raises(InputError, match="no PLY file"):
        load_depth(place)


def test_one_bad_frame_of_many_is_left_out_and_named(png, tmp_path):
    empty = tmp_path / "empty.png"
    Image.fromarray(np.zeros((200, 160), dtype=np.uint16)).save(empty)
    empty.with_suffix(".json").write_text(png.with_suffix(".json").read_text())
    frames, refused = load_depth_frames([png, empty])
    assert [frame.source for frame in frames] == [png]
    assert list(refused) == ["empty.png"] and "next to no depth" in refused["empty.png"]
    with pytest.raises(InputError, match="next to no depth"):
        load_depth_frames([empty])
    with pytest.raises(InputError, match="does not exist"):
        load_depth_frames([png, tmp_path / "missing.png"])
