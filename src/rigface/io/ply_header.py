"""The header of a PLY file: which elements and properties follow, checked against the file size."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rigface.errors import InputError
from rigface.io.parsed import require_size

_HEADER_LIMIT = 1 << 20
_FORMATS = {"ascii": "ascii", "binary_little_endian": "<", "binary_big_endian": ">"}
_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip


@dataclass(frozen=True)
class Property:
    """A column of an element; a list if `count_type` is set."""

    name: str
    type: str
    """numpy code without byte order, such as "f4"."""
    count_type: str | None = None


@dataclass(frozen=True)
class Element:
    """A table of `count` rows."""

    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def has_lists(self) -> bool:
        return any(column.count_type for column in self.properties)

    def least(self, ascii_body: bool) -> int:
        """The fewest bytes that the rows need: empty lists, one digit and a blank per number."""
        if ascii_body:
            row = 2 * len(self.properties)
        else:
            row = sum(np.dtype(p.count_type or p.type).itemsize for p in self.properties)
        return self.count * row


@dataclass(frozen=True)
class Header:
    order: str
    """"ascii", "<" or ">"."""
    elements: tuple[Element, ...]
    body: int
    """Where the data begin, in bytes."""

    @property
    def is_ascii(self) -> bool:
        return self.order == "ascii"


def read_header(path: Path, data: bytes) -> Header:
    """Parse and check; raises InputError for what is no PLY, cut short, or absurdly large."""
    if not re.match(rb"ply[ \t]*[\r\n]", data):
        raise InputError(
            f"{path} is no PLY file: it does not begin with the line 'ply'. "
            "Check the extension, or export the scan again."
        )
    newline = rb"\r\n" if data[: data.find(b"\n") + 1].endswith(b"\r\n") else rb"[\r\n]"
    end = re.search(rb"[\r\n]end_header[ \t]*" + newline, data[:_HEADER_LIMIT])
    if end is None:
        raise InputError(
            f"{path} is cut short or damaged: its PLY header has no 'end_header' line. "
            "Copy or export the file again."
        )
    order, elements = _parse(path, data[: end.start()].decode("latin-1"))
    header = Header(order, elements, end.end())
    _check_sizes(path, header, len(data) - header.body)
    return header


def _parse(path: Path, text: str) -> tuple[str, tuple[Element, ...]]:
    order = ""
    elements: list[tuple[str, int, list[Property]]] = []
    for line in re.split(r"[\r\n]+", text)[1:]:
        try:
            match line.split():
                case ["format", name, *_]:
                    order = _FORMATS[name]
                case ["element", name, count]:
                    if not re.fullmatch(r"[0-9]{1,18}", count):
                        raise ValueError("the count is no number")
                    elements.append((name, int(count), []))
                case ["property", "list", count_type, kind, name]:
                    if _TYPES[count_type][0] == "f":
                        raise ValueError("the length of a list must be an integer")
                    elements[-1][2].append(Property(name, _TYPES[kind], _TYPES[count_type]))
                case ["property", kind, name]:
                    elements[-1][2].append(Property(name, _TYPES[kind]))
                case [] | ["comment" | "obj_info", *_]:
                    pass
                case _:
                    raise ValueError("expected format, element, property or comment")
        except (KeyError, IndexError, ValueError) as error:
            raise InputError(
                f"{path} has a damaged PLY header: the line '{line[:60]}' cannot be understood. "
                "Export the file again."
            ) from error
    if not order:
        raise InputError(
            f"{path} has a damaged PLY header: no line says whether the data are 'ascii', "
            "'binary_little_endian' or 'binary_big_endian'. Export the file again."
        )
    return order, tuple(Element(name, count, tuple(p)) for name, count, p in elements)


def _check_sizes(path: Path, header: Header, left: int) -> None:
    """Before anything is allocated for the counts."""
    vertices, faces = (
        sum(element.count for element in header.elements if element.name == name)
        for name in ("vertex", "face")
    )
    require_size(vertices, faces, f"the header of {path}")
    for element in header.elements:
        need = element.least(header.is_ascii)
        # The very last number needs no blank behind it.
        if need > left + header.is_ascii:
            raise cut_short(path, element, need, max(left, 0))
        left -= need


def cut_short(path: Path, element: Element, need: int, left: int) -> InputError:
    """The error for data that end before the header's promise is kept."""
    return InputError(
        f"{path} is cut short: its header announces {element.count:,} '{element.name}' rows, "
        f"which need at least {need:,} bytes, but {left:,} are left. "
        "Copy or export the file again."
    )
