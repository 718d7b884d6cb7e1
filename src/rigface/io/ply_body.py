"""The tables behind a PLY header as numpy columns, lists included."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rigface.errors import InputError
from rigface.io.lines import numbers
from rigface.io.ply_header import Element, Header, cut_short


@dataclass(frozen=True)
class Lists:
    """A column of lists: all values in one row, and how many each list has."""

    values: np.ndarray
    lengths: np.ndarray


Column = np.ndarray | Lists


def read_tables(path: Path, header: Header, data: bytes) -> dict[str, dict[str, Column]]:
    """Element name -> property name -> column; of two elements of one name the first counts.

    Raises InputError where the data end early or make no sense.
    """
    source = _numbers(path, data[header.body :]) if header.is_ascii else data
    position = 0 if header.is_ascii else header.body
    tables: dict[str, dict[str, Column]] = {}
    for element in header.elements:
        if isinstance(source, bytes):
            columns, position = _binary_rows(path, header.order, element, source, position)
        else:
            columns, position = _ascii_rows(path, element, source, position)
        tables.setdefault(element.name, columns)
    return tables


def _numbers(path: Path, body: bytes) -> np.ndarray:
    table = numbers(body.replace(b"\r", b"\n") + b"\n")
    if table is None:
        raise InputError(
            f"{path} is damaged: what follows its PLY header is not all numbers. "
            "Export the file again."
        )
    return table[0]


def _binary_rows(
    path: Path, order: str, element: Element, data: bytes, position: int
) -> tuple[dict[str, Column], int]:
    """All rows at once if their lists are as long as the first row's, else one by one."""
    first: list[int] = []
    if element.has_lists and element.count:
        spans, _ = _walk_bytes(path, order, element, data, position, rows=1)
        first = spans[0, :, 1].tolist()
    if element.count and (first or not element.has_lists):
        dtype = _row_type(order, element, first)
        stop = position + element.count * dtype.itemsize
        if stop <= len(data) and dtype.itemsize:
            rows = np.frombuffer(data, dtype, element.count, position)
            lists = [i for i, column in enumerate(element.properties) if column.count_type]
            if all(np.all(rows[f"n{index}"] == first[index]) for index in lists):
                return _uniform(element, rows, first), stop
    spans, stop = _walk_bytes(path, order, element, data, position, element.count)
    return _gather_bytes(element, order, data, spans), stop


def _row_type(order: str, element: Element, lengths: list[int]) -> np.dtype:
    """A row whose lists have the given lengths, by the number of the property."""
    fields: list[tuple] = []
    for index, column in enumerate(element.properties):
        if column.count_type is None:
            fields.append((f"p{index}", order + column.type))
        else:
            fields.append((f"n{index}", order + column.count_type))
            fields.append((f"p{index}", order + column.type, (lengths[index],)))
    return np.dtype(fields)


def _uniform(element: Element, rows: np.ndarray, lengths: list[int]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for index, column in enumerate(element.properties):
        values = np.ascontiguousarray(rows[f"p{index}"])
        if column.count_type:
            each = np.full(len(rows), lengths[index], np.int64)
            columns[column.name] = Lists(values.reshape(-1), each)
        else:
            columns[column.name] = values
    return columns


def _walk_bytes(
    path: Path, order: str, element: Element, data: bytes, position: int, rows: int
) -> tuple[np.ndarray, int]:
    """First byte and length of each value or list, (rows, properties, 2), and the end."""
    endian = "little" if order == "<" else "big"
    plan = []
    for column in element.properties:
        count_type = np.dtype(column.count_type or "u1")
        count_size = count_type.itemsize if column.count_type else 0
        plan.append((count_size, count_type.kind == "i", np.dtype(column.type).itemsize))
    spans: list[int] = []
    start, limit = position, len(data)
    rows = rows if plan else 0
    for _ in range(rows):
        for count_size, signed, item_size in plan:
            length = 1
            if count_size:
                count = data[position : position + count_size]
                length = int.from_bytes(count, endian, signed=signed)
                position += count_size
            spans += (position, length)
            position += length * item_size
            if length < 0:
                raise _negative(path, element, length)
            if position > limit:
                raise cut_short(path, element, position - start, limit - start)
    return np.array(spans, np.int64).reshape(rows, len(plan), 2), position


def _gather_bytes(
    element: Element, order: str, data: bytes, spans: np.ndarray
) -> dict[str, Column]:
    buffer = np.frombuffer(data, np.uint8)
    columns: dict[str, Column] = {}
    for slot, column in enumerate(element.properties):
        dtype = np.dtype(order + column.type)
        starts, lengths = spans[:, slot, 0], spans[:, slot, 1]
        first = _positions(starts, lengths, dtype.itemsize)
        values = buffer[first[:, None] + np.arange(dtype.itemsize)].reshape(-1).view(dtype)
        columns[column.name] = Lists(values, lengths) if column.count_type else values
    return columns


def _ascii_rows(
    path: Path, element: Element, values: np.ndarray, position: int
) -> tuple[dict[str, Column], int]:
    """As `_binary_rows`, with positions counted in numbers."""
    spans, width = _walk_numbers(path, element, values, position, rows=min(element.count, 1))
    stop = position + element.count * width
    table = values[position:stop].reshape(-1, width) if width and stop <= len(values) else None
    lists = [slot for slot, column in enumerate(element.properties) if column.count_type]
    starts = spans[0, :, 0] - position if element.count else np.zeros(0, np.int64)
    if table is not None and all(
        np.all(table[:, starts[s] - 1] == table[0, starts[s] - 1]) for s in lists
    ):
        shift = width * np.arange(element.count)[:, None]
        spans = np.stack(np.broadcast_arrays(spans[:, :, 0] + shift, spans[:, :, 1]), axis=-1)
    else:
        spans, width = _walk_numbers(path, element, values, position, element.count)
        stop = position + width
    columns: dict[str, Column] = {}
    for slot, column in enumerate(element.properties):
        first, lengths = spans[:, slot, 0], spans[:, slot, 1]
        typed = values[_positions(first, lengths, 1)].astype(column.type)
        columns[column.name] = Lists(typed, lengths) if column.count_type else typed
    return columns, stop


def _walk_numbers(
    path: Path, element: Element, values: np.ndarray, position: int, rows: int
) -> tuple[np.ndarray, int]:
    """As `_walk_bytes`, positions and the width counted in numbers."""
    is_list = [column.count_type is not None for column in element.properties]
    spans: list[int] = []
    start, limit = position, len(values)
    rows = rows if is_list else 0
    for _ in range(rows):
        for listed in is_list:
            length = 1
            if listed and position < limit:
                count = float(values[position])
                length = int(count) if abs(count) <= limit else limit + 1
                position += 1
            spans += (position, length)
            position += length
            if length < 0:
                raise _negative(path, element, length)
            if position > limit:
                raise cut_short(path, element, 2 * (position - start), 2 * (limit - start))
    return np.array(spans, np.int64).reshape(rows, len(is_list), 2), position - start


def _positions(starts: np.ndarray, lengths: np.ndarray, step: int) -> np.ndarray:
    """starts[i], starts[i] + step, ... of each list in turn."""
    before = np.cumsum(lengths) - lengths
    within = np.arange(int(lengths.sum())) - np.repeat(before, lengths)
    return np.repeat(starts, lengths) + step * within


def _negative(path: Path, element: Element, length: int) -> InputError:
    return InputError(
        f"{path} is damaged: a list in '{element.name}' announces {length} entries. "
        "Export the file again."
    )
