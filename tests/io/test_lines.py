"""Text to numbers: exactly what Python's float says, in blocks of any size."""

import numpy as np
import pytest

from rigface.io.lines import line_blocks, numbers


@pytest.mark.parametrize("decimals", [0, 1, 6, 12, 17])
def test_numbers_equal_float_bit_for_bit(rng, decimals):
    values = rng.normal(size=2000) * 10.0 ** rng.integers(-5, 6, 2000)
    words = [f"{value:.{decimals}f}" for value in values]
    table = numbers(("\n".join(words) + "\n").encode())
    assert table is not None
    np.testing.assert_array_equal(table[0], [float(word) for word in words])


def test_odd_spellings_and_counts_per_line():
    table = numbers(b"5. .5 -.5 +.5 007\n\n 1e5 -2E-3\tnan\n -inf\n")
    assert table is not None
    np.testing.assert_array_equal(table[0], [5, 0.5, -0.5, 0.5, 7, 1e5, -2e-3, np.nan, -np.inf])
    assert table[1].tolist() == [5, 0, 3, 1]


@pytest.mark.parametrize(
    "text", ["1,5", ".", "-", "-.", "1.2.3", "--5", "1-2 .", "0x10", "1_0", "x", "1e", "1\0002"]
)
def test_unreadable_numbers_are_refused(text):
    assert numbers(f"1 2\n{text}\n".encode()) is None


@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 20])
def test_blocks_of_any_size_hold_the_same_lines(tmp_path, chunk):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfv 1 2 3\r\n  v 4 \\\n 5 6 # remark\n\nvt 0 1\n#v 9 9 9\nv 7 8 9")
    taken = [
        block.take(block.starting_with(b"v")) for block in line_blocks(path, chunk_bytes=chunk)
    ]
    assert b"".join(taken).split() == b"v 1 2 3 v 4 5 6 v 7 8 9".split()


def test_old_mac_line_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"v 1 2 3\rv 4 5 6\r")
    (block,) = line_blocks(path)
    assert len(block.starting_with(b"v")) == 2
