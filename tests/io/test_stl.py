"""STL, binary and ascii, told apart by size rather than by the word 'solid'."""

import numpy as np
import pytest
from scan_files import got, sheet, stl_bytes, stl_text

from rigface.errors import InputError
from rigface.io.scan import load_scan
from rigface.io.stl import read_stl


@pytest.mark.parametrize("ascii_file", [True, False])
def test_corners_are_merged_back_into_the_sheet(tmp_path, ascii_file):
    vertices, faces = sheet()
    path = tmp_path / "scan.stl"
    data = stl_text(vertices, faces).encode() if ascii_file else stl_bytes(vertices, faces)
    path.write_bytes(data)
    scan = load_scan(path)
    assert scan.notes == (f"merged {3 * len(faces)} vertices into {len(vertices)} with distinct"
                          " positions",)  # fmt: skip
    np.testing.assert_array_equal(scan.vertices[got(scan.faces)], vertices[faces])


def test_capitals_and_two_solids(tmp_path):
    vertices, faces = sheet()
    path = tmp_path / "scan.stl"
    text = stl_text(vertices, faces[:20]) + stl_text(vertices, faces[20:])
    path.write_text(text.upper())
    assert len(got(read_stl(path).faces)) == len(faces)


def test_bytes_behind_the_last_triangle(tmp_path):
    vertices, faces = sheet()
    path = tmp_path / "scan.stl"
    path.write_bytes(stl_bytes(vertices, faces) + b"\0" * 33)
    mesh = read_stl(path)
    assert mesh.notes == ["ignored bytes after the last triangle of the STL"]
    assert len(got(mesh.faces)) == len(faces)


@pytest.mark.parametrize("cut", [0.02, 0.5, 0.99])
@pytest.mark.parametrize("write", [stl_text, stl_bytes])
def test_cut_short(tmp_path, write, cut):
    data = write(*sheet())
    data = data.encode() if isinstance(data, str) else data
    path = tmp_path / "scan.stl"
    path.write_bytes(data[: int(len(data) * cut)])
    with pytest.raises(InputError, match="cut short|too few|cannot be read"):
        load_scan(path)
