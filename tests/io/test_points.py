"""Bare points as text."""

import numpy as np
import pytest

from rigface.errors import InputError
from rigface.io.points import read_points


@pytest.mark.parametrize(
    "text",
    [
        "0 1 2\n3 4 5\n",
        "x,y,z\r\n0,1,2\r\n3,4,5\r\n",
        "2\n0 1 2\n3 4 5",
        "# cloud\n// made by hand\n0; 1; 2\n\n3;\t4; 5\n",
    ],
)
def test_separators_headings_and_remarks(tmp_path, text):
    path = tmp_path / "cloud.csv"
    path.write_bytes(text.encode())
    assert read_points(path).vertices.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_three_more_columns_are_normals_or_colors(tmp_path):
    path = tmp_path / "cloud.xyz"
    path.write_text("0 0 0 0 0 1\n1 0 0 0.6 0 0.8\n")
    mesh = read_points(path)
    assert mesh.normals is not None
    np.testing.assert_array_equal(mesh.normals, [[0, 0, 1], [0.6, 0, 0.8]])
    path.write_text("0 0 0 255 0 0\n1 0 0 0 0 255\n")
    colors = read_points(path).colors
    assert colors is not None
    np.testing.assert_array_equal(colors, [[1, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize("text", ["hello\nworld\n", "1 2\n3 4\n", "1 2 3\n4 5\n", "1 2 3\nx y z\n"])
def test_other_text_is_refused(tmp_path, text):
    path = tmp_path / "cloud.txt"
    path.write_text(text)
    with pytest.raises(InputError, match="no table of points"):
        read_points(path)
