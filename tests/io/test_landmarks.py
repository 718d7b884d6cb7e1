"""Landmark files of every kind; wrong ones are refused with the known names."""

import json

import numpy as np
import pytest

from rigface.errors import InputError
from rigface.io import load_landmarks

NAMED = {"nose_tip": [0.0, 1.5, 2.0], "chin": [0.0, -2.0, 1.0], "eye_outer_left": [4.0, 3.0, 0.0]}
IBUG = ("ibug.30", "ibug.8", "ibug.45")


@pytest.fixture
def write(tmp_path):
    def to(name: str, text: str):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return to


def table(points: np.ndarray, separator: str = " ") -> str:
    return "\n".join(separator.join(map(repr, row)) for row in points.tolist()) + "\n"


@pytest.mark.parametrize("count", [68, 51])
def test_ordered_points(tmp_path, write, rng, count):
    points = rng.normal(size=(count, 3))
    np.save(tmp_path / "a.npy", points)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(points))
    picked = "".join(
        f'<point x="{x!r}" y="{y!r}" z="{z!r}" active="1" name="{i}"/>\n'
        for i, (x, y, z) in enumerate(points.tolist())
    )
    files = [
        tmp_path / "a.npy",
        tmp_path / "fortran.npy",
        write("a.txt", "# made by hand\n\n" + table(points)),
        write("a.csv", "x,y,z\r\n" + table(points, ",")),
        write("a.json", json.dumps(points.tolist())),
        write("b.json", json.dumps({"points": points.tolist()})),
        write("a.pts", f"version: 1\nn_points: {count}\n{{\n{table(points)}}}\n"),
        write("a.pp", f"<!DOCTYPE PickedPoints>\n<PickedPoints>\n{picked}</PickedPoints>\n"),
    ]
    for file in files:
        marks = load_landmarks(file)
        np.testing.assert_array_equal(marks.points, points)
        assert marks.ibug.tolist() == list(range(68 - count, 68))


def test_named_points(write):
    rows = [(name, *point) for name, point in NAMED.items()]
    picked = "".join(
        f'<point active="{active}" name="{name}" z="{z}" y="{y}" x="{x}"/>'
        for active, (name, x, y, z) in [(1, row) for row in rows] + [(0, ("", 9, 9, 9))]
    )
    files = [
        write("a.json", json.dumps(NAMED)),
        write("b.json", json.dumps([dict(zip(("name", "x", "y", "z"), r, strict=True))
                                    for r in rows])),
        write("a.csv", "name,x,y,z\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)),
        write("a.txt", "".join(" ".join(map(str, row)) + "\n" for row in rows)),
        write("a.pp", f"<PickedPoints>{picked}</PickedPoints>"),
    ]  # fmt: skip
    for file in files:
        marks = load_landmarks(file)
        assert marks.names == IBUG
        np.testing.assert_array_equal(marks.points, list(NAMED.values()))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", table(np.zeros((67, 3))), "67 points without names"),
        ("a.txt", table(np.zeros((68, 2))), "shape \\(68, 2\\)"),
        ("a.txt", "1 2 3\n4 5\n", "with 2 and with 3 numbers"),
        ("a.txt", "nose_tip 1 2 3\n4 5 6\n", "names 1 of its 2"),
        ("a.txt", "nose_tip 1 2 3\nchin 4 five 6\n", "line 2"),
        ("a.txt", "nose_tip 1 2 3\nchin 4 5 6\nchin 4 5 6\n", "'chin' \\(ibug.8\\) twice"),
        ("a.txt", "nose_tip 1 2 3\nibug.30 4 5 6\nchin 4 5 6\n", "'ibug.30' \\(ibug.30\\) twice"),
        ("a.txt", "nose_tip 1 2 3\nchin 4 5 6\n", "holds 2 landmarks; at least 3"),
        ("a.csv", "nose_tip,1,2,3\nelbow,4,5,6\nchin,1,1,1\n", "unknown landmark 'elbow'"),
        ("a.csv", "name,x,y,z\n", "holds no points"),
        ("a.txt", table(np.full((68, 3), np.nan)), "68 landmarks with NaN"),
        ("a.json", "{", "no landmarks as JSON"),
        ("a.json", "3", "shape \\(\\)"),
        ("a.json", "{}", "no landmarks as JSON"),
        ("a.json", '{"nose_tip": [1, 2]}', "shape \\(1, 2\\)"),
        ("a.json", '{"nose_tip": [1, 2, 3], "chin": [1, 2]}', "no landmarks as JSON"),
        ("a.json", "[" * 100_000, "no landmarks as JSON"),
        ("a.npy", "not an array", "no readable numpy array"),
        ("a.pp", "<PickedPoints></PickedPoints>", "no picked points"),
        ("a.pp", '<point x="1" y="2"/>', "without readable x, y and z"),
        ("a.dat", "1 2 3", "unknown extension '.dat'"),
        ("a.txt", "", "has 0 bytes"),
    ],
)
def test_refused(write, name, text, message):
    with pytest.raises(InputError, match=message):
        load_landmarks(write(name, text))


def test_missing_folder_binary_and_pickle(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_landmarks(tmp_path / "a.txt")
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        load_landmarks(tmp_path / "b.txt")
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="no text file"):
        load_landmarks(tmp_path / "c.txt")
    np.save(tmp_path / "d.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="it holds object"):
        load_landmarks(tmp_path / "d.npy")


def test_npy_header_with_absurd_shape_allocates_nothing(tmp_path, rng):
    path = tmp_path / "a.npy"
    np.save(path, rng.normal(size=(68, 3)))
    path.write_bytes(
        path.read_bytes().replace(b"(68, 3), ", b"(9**99,3)").replace(b"9**99", b"99999")
    )
    with pytest.raises(InputError, match="no readable numpy array"):
        load_landmarks(path)
