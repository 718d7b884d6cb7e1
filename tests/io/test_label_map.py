"""Label maps in CelebAMask-HQ's numbers: what is read and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rigface.errors import InputError
from rigface.io.label_map import read_label_map


def classes(shape: tuple[int, int] = (60, 40)) -> np.ndarray:
    out = np.zeros(shape, dtype=np.uint8)
    out[10:50, 10:30] = 1
    out[20:30, 18:22] = 2
    out[50:, 15:25] = 17
    return out


def saved(folder: Path, array: np.ndarray, name: str = "labels.png") -> Path:
    Image.fromarray(array).save(folder / name)
    return folder / name


@pytest.mark.parametrize("size", [None, (40, 60), (20, 30), (81, 121)])
def test_numbers_come_back(tmp_path, size):
    labels = read_label_map(saved(tmp_path, classes()), size)
    np.testing.assert_array_equal(labels.classes, classes())
    assert labels.classes.dtype == np.uint8


def test_the_numbers_of_a_palette_count_not_its_colours(tmp_path):
    image = Image.fromarray(classes())
    image.putpalette([250 - k for k in range(250)] + [0] * 518)
    image.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_label_map(tmp_path / "palette.png").classes, classes())


@pytest.mark.parametrize(
    "array, message",
    [
        (np.zeros((60, 40, 3), dtype=np.uint8), "in RGB colours; expected one channel"),
        (classes() * 10, "from 0 to 170; expected 0 to 18"),
        (np.full((60, 40), 13, dtype=np.uint8), "shows no face: it holds hair"),
    ],
    ids=["coloured", "other numbers", "no face"],
)
def test_other_images_are_refused(tmp_path, array, message):
    with pytest.raises(InputError, match=message):
        read_label_map(saved(tmp_path, array))


def test_another_shape_is_refused(tmp_path):
    with pytest.raises(InputError, match="40 x 60 pixels, the photo 60 x 60"):
        read_label_map(saved(tmp_path, classes()), (60, 60))


def test_files_that_are_none_are_refused(tmp_path):
    (tmp_path / "text.png").write_text("1 2 3")
    with pytest.raises(InputError, match="cannot be read as an image"):
        read_label_map(tmp_path / "text.png")
    with pytest.raises(InputError, match="is no file"):
        read_label_map(tmp_path / "absent.png")
