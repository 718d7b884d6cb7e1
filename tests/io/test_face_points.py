"""Landmarks on a photo from files of every kind; wrong ones are refused."""

import json

import numpy as np
import pytest

from rigface.errors import InputError
from rigface.io.face_points import read_face_points


def table(points: np.ndarray, separator: str = " ") -> str:
    return "\n".join(separator.join(map(repr, row)) for row in points.tolist()) + "\n"


@pytest.mark.parametrize("count", [68, 478])
@pytest.mark.parametrize("columns", [2, 3])
def test_every_format(tmp_path, rng, count, columns):
    points = rng.uniform(50, 900, (count, columns))
    np.save(tmp_path / "a.npy", points)
    np.savez(tmp_path / "a.npz", landmarks=points, other=np.zeros(3))
    np.savez_compressed(tmp_path / "b.npz", points)
    texts = {
        "a.json": json.dumps(points.tolist()),
        "b.json": json.dumps({"landmarks": points.tolist(), "image": "a.jpg"}),
        "a.txt": "# by hand\n" + table(points),
        "a.csv": "x,y,z\n" + table(points, ","),
        "a.pts": f"version: 1\nn_points: {count}\n{{\n{table(points)}}}\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    for name in ("a.npy", "a.npz", "b.npz", *texts):
        np.testing.assert_array_equal(read_face_points(tmp_path / name), points)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", table(np.full((67, 2), 9.0)), "holds 67 landmarks; expected 68"),
        ("a.txt", table(np.full((468, 2), 9.0)), "holds 468 landmarks; expected 68"),
        ("a.txt", table(np.full((68, 4), 9.0)), r"shape \(68, 4\)"),
        ("a.txt", "1 2\n3 4 5\n", "line 2: '3 4 5' is not"),
        ("a.txt", "1 2\n3 four\n", "line 2"),
        ("a.csv", "x,y\n", "holds no points"),
        ("a.txt", table(np.full((68, 2), np.nan)), "68 landmarks with NaN"),
        ("a.txt", table(np.full((68, 2), np.inf)), "68 landmarks with NaN or infinite"),
        ("a.txt", table(np.full((478, 2), 0.5)), "fractions of the photo"),
        ("a.json", "{", "no landmarks as JSON"),
        ("a.json", '{"nose": [1, 2]}', "no landmarks as JSON"),
        ("a.json", "[[1, 2], [3]]", "no landmarks as JSON"),
        ("a.json", "3", r"shape \(\)"),
        ("a.npz", "no archive", "no readable .npz"),
        ("a.npy", "no array", "no readable numpy array"),
        ("a.jpg", "x", "unknown extension '.jpg'"),
        ("a.txt", "", "has 0 bytes"),
    ],
)
def test_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_face_points(tmp_path / name)


def test_archives_without_landmarks_or_with_pickles(tmp_path):
    np.savez(tmp_path / "a.npz", one=np.zeros(3), two=np.zeros(3))
    with pytest.raises(InputError, match="none called landmarks"):
        read_face_points(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="no readable .npz"):
        read_face_points(tmp_path / "b.npz")
    with pytest.raises(InputError, match="does not exist"):
        read_face_points(tmp_path / "c.npz")
