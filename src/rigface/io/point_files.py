"""What the readers of small point files share: content, text, numpy arrays, numbers."""

import math
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.lib import format as npy

from rigface.errors import InputError

_MAX_BYTES = 1 << 20


def read_content(path: Path) -> bytes:
    """The bytes of a landmarks file; raises InputError if it cannot be one."""
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise InputError(f"the landmarks file {path} {what}. Check the path.")
        size = path.stat().st_size
        if not 0 < size <= _MAX_BYTES:
            raise InputError(
                f"{path} has {size:,} bytes; a landmarks file has between 1 and {_MAX_BYTES:,}. "
                "Check that it is the right file."
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"the landmarks file {path} cannot be read: {error}.") from error


def parse_npy(path: Path, content: bytes) -> np.ndarray:
    """The array of numbers in a .npy file, as float64; pickles are refused.

    Raises InputError if it is none.
    """
    try:
        file = BytesIO(content)
        major, _ = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0
        shape, fortran_order, dtype = read_header(file)
        if dtype.kind not in "iuf":
            raise ValueError(f"it holds {dtype}")
        # Not numpy.load: it allocates what the header says before it looks for the data.
        values = np.frombuffer(content, dtype, math.prod(shape), file.tell())
        return values.reshape(shape, order="F" if fortran_order else "C").astype(np.float64)
    except Exception as error:  # what a damaged header raises is not documented
        raise InputError(
            f"{path} is no readable numpy array of numbers ({str(error)[:80]}). "
            "Save it again with numpy.save."
        ) from error


def decode_text(path: Path, content: bytes) -> str:
    """The text of the file; raises InputError if it is binary."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is no text file. Expected lines of 'x y z' or 'name x y z'."
        ) from error
    return text


def table_lines(path: Path, content: bytes) -> Iterator[tuple[int, str, list[str]]]:
    """Number (from 1), text and cells of the lines that are neither empty nor a comment.

    Blanks, tabs, commas or semicolons stand between cells.
    """
    for number, line in enumerate(decode_text(path, content).splitlines(), start=1):
        cells = re.split(r"[\s,;]+", line.strip(" \t,;"))
        if cells != [""] and not line.lstrip().startswith(("#", "//")):
            yield number, line, cells


def require_finite(path: Path, points: Float[np.ndarray, "points axes"], advice: str) -> None:
    """Raise InputError where a point has NaN or infinite coordinates."""
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(bad):
        raise InputError(
            f"{path} has {len(bad)} landmarks with NaN or infinite coordinates, the first is "
            f"number {bad[0]} (counting from 0). {advice}"
        )


def to_number(text: str) -> float | None:
    """The number that a cell of a table holds, None if it holds none."""
    try:
        return float(text)
    except ValueError:
        return None
