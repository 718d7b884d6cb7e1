"""Fast tables of numbers out of text: whole blocks of lines go through numpy, never one by one."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CHUNK_BYTES = 1 << 24
"""Bounds the memory that parsing needs beside the result."""

_SPACE, _TAB, _NEWLINE = 32, 9, 10
_EXACT_INTEGER = 1 << 53
_MAX_DECIMALS = 22
_POWERS_OF_TEN = np.array([float(10**power) for power in range(_MAX_DECIMALS + 1)])


@dataclass(frozen=True)
class LineBlock:
    """Some whole lines of a text file: ends unified, continuations joined, indents removed."""

    text: bytes
    starts: np.ndarray
    ends: np.ndarray
    """Position of each line's newline."""
    first_line: int
    """Number of the first line in the file, from 1; later ones shift where lines were joined."""

    def starting_with(self, word: bytes) -> np.ndarray:
        """Indices of the lines whose first word is `word`."""
        buffer = np.frombuffer(self.text, np.uint8)
        found = np.arange(len(self.starts))
        for offset, letter in enumerate(word):
            # The last byte is a newline: right to read in place of what lies beyond.
            position = np.minimum(self.starts[found] + offset, len(buffer) - 1)
            found = found[buffer[position] == letter]
        after = buffer[np.minimum(self.starts[found] + len(word), len(buffer) - 1)]
        return found[(after == _SPACE) | (after == _TAB)]

    def take(self, lines: np.ndarray) -> bytes:
        """These lines, in order, each with its newline; trailing `# remarks` removed."""
        if len(lines) == 0:
            return b""
        breaks = np.flatnonzero(np.diff(lines) != 1)
        begin = self.starts[lines[np.concatenate([[0], breaks + 1])]].tolist()
        end = (self.ends[lines[np.concatenate([breaks, [len(lines) - 1]])]] + 1).tolist()
        text = b"".join(self.text[a:b] for a, b in zip(begin, end, strict=True))
        return re.sub(rb"[ \t]#[^\n]*", b"", text) if b"#" in text else text

    def line(self, index: int) -> tuple[int, str]:
        """Number in the file and the beginning of the text, for messages."""
        text = self.text[self.starts[index] : self.ends[index]][:60]
        return self.first_line + index, text.decode("utf-8", "replace").strip()


def line_blocks(path: Path, chunk_bytes: int = CHUNK_BYTES) -> Iterator[LineBlock]:
    """The file's lines in blocks of about `chunk_bytes`."""
    line = 1
    for raw in _whole_lines(path, chunk_bytes):
        text, starts, ends = _split_lines(_unify(raw))
        yield LineBlock(text, starts, ends, line)
        line += raw.count(b"\n")


@dataclass(frozen=True)
class Words:
    """Where the white-space separated words of a text stand; every line ends in a newline."""

    text: bytes
    begins: np.ndarray
    per_line: np.ndarray


def split_words(text: bytes) -> Words:
    """Find the words of whole lines."""
    buffer = np.frombuffer(text, np.uint8)
    blank = buffer <= _SPACE
    begins = ~blank
    begins[1:] &= blank[:-1]
    positions = np.flatnonzero(begins)
    line_ends = np.flatnonzero(buffer == _NEWLINE)
    up_to = np.searchsorted(positions, line_ends)
    return Words(text, positions, np.diff(up_to, prepend=0))


def numbers(text: bytes) -> tuple[np.ndarray, np.ndarray] | None:
    """All numbers of `text` in order and how many stand on each line; None if one is unreadable.

    Every line ends in a newline.
    """
    words = split_words(text)
    values = _short_decimals(words)
    if values is None:
        values = parse_numbers(text, len(words.begins), np.float64)
    return None if values is None else (values, words.per_line)


def parse_numbers(text: bytes, expected: int, dtype: type) -> np.ndarray | None:
    """Exactly `expected` white-space separated numbers, or None."""
    if expected == 0:  # numpy reads one -1 out of blanks
        return np.zeros(0, dtype)
    with warnings.catch_warnings():
        # numpy < 2.3 warns and stops where newer versions raise; the count does not always tell.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values = np.fromstring(text, dtype=dtype, sep=" ")
        except (ValueError, DeprecationWarning):
            return None
    return values if len(values) == expected else None


def _short_decimals(words: Words) -> np.ndarray | None:
    """Numbers like -12.3456 as integer / power of ten; None if the text holds others too.

    Both are exact below 2^53 and 10^22, so the one division rounds correctly (Clinger 1990):
    the result equals strtod's, several times faster.
    """
    if words.text.translate(None, b"0123456789.+- \t\n"):
        return None
    count = len(words.begins)
    buffer = np.frombuffer(words.text, np.uint8)
    dots = np.flatnonzero(buffer == ord("."))
    owner = np.searchsorted(words.begins, dots, "right") - 1
    if len(dots) and (np.diff(owner) == 0).any():
        return None
    decimals, digits = np.zeros((2, count), np.int64)
    stops = np.flatnonzero((buffer[1:] <= _SPACE) & (buffer[:-1] > _SPACE)) + 1
    decimals[owner] = stops[owner] - dots - 1
    first = buffer[words.begins]
    digits += stops - words.begins - (first == ord("-")) - (first == ord("+"))
    digits[owner] -= 1
    if decimals.max(initial=0) > _MAX_DECIMALS or digits.min(initial=1) < 1:
        return None  # strtoll reads a lone sign as 0, and a lone dot would vanish below
    whole = parse_numbers(words.text.replace(b".", b""), count, np.int64)
    if whole is None or np.any((whole >= _EXACT_INTEGER) | (whole <= -_EXACT_INTEGER)):
        return None
    return whole / _POWERS_OF_TEN[decimals]


def unreadable_line(block: LineBlock, lines: np.ndarray, skip: int, minimum: int) -> int:
    """The first of `lines` without at least `minimum` readable numbers after `skip` letters."""
    for index in lines:
        words = re.sub(rb"[ \t]#.*", b"", block.text[block.starts[index] : block.ends[index]])
        try:
            if len([float(word) for word in words[skip:].replace(b"/", b" ").split()]) < minimum:
                return int(index)
        except ValueError:
            return int(index)
    return int(lines[0])


def _whole_lines(path: Path, chunk_bytes: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        rest = file.read(3)
        rest = b"" if rest == b"\xef\xbb\xbf" else rest  # UTF-8 byte order mark
        while chunk := file.read(chunk_bytes):
            rest += chunk
            cut = rest.rfind(b"\n") + 1
            while cut and rest[max(cut - 3, 0) : cut].rstrip(b"\r\n").endswith(b"\\"):
                cut = rest.rfind(b"\n", 0, cut - 1) + 1
            if cut:
                yield rest[:cut]
                rest = rest[cut:]
        if rest:
            yield rest


def _unify(raw: bytes) -> bytes:
    """Newlines only, continued lines joined, the last line closed."""
    text = raw if raw.endswith(b"\n") else raw + b"\n"
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\\" in text:
        text = text.replace(b"\\\n", b" ")
    return text


def _split_lines(text: bytes) -> tuple[bytes, np.ndarray, np.ndarray]:
    """The text without indents, and where its lines start and end."""
    buffer = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(buffer == _NEWLINE)
    starts = np.concatenate([[0], ends[:-1] + 1])
    first = buffer[starts]
    if np.any((first == _SPACE) | (first == _TAB)):
        return _split_lines(re.sub(rb"(?m)^[ \t]+", b"", text))
    return text, starts, ends
