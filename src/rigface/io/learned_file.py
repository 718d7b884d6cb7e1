"""Files of what was learned: arrays in safetensors, and all else as JSON in their header."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from rigface.errors import InputError
from rigface.io.atomic import atomic_file


@dataclass(frozen=True)
class LearnedKind:
    """One kind of file, and what to say of a file that is none."""

    key: str
    """Of the header's only entry: safetensors orders several at random."""
    what: str
    """With its article."""
    command: str
    """That makes one."""
    format: int
    arrays: tuple[str, ...]
    """Names that every file has; it may have more."""


def write_learned(
    path: Path, kind: LearnedKind, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]
) -> None:
    """The whole file or none; `header` is what json can write, the format is added.

    Raises OutputError where nothing can be written.
    """
    text = json.dumps({"format": kind.format, **header}, sort_keys=True)
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with atomic_file(path) as partial:
        save_file(whole, partial, metadata={kind.key: text})


def read_learned(path: Path, kind: LearnedKind) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays of a file of `write_learned`.

    Raises InputError if it is missing, truncated, of another kind or of another format.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(kind.key)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path} cannot be read as {kind.what}: {error}. It may be truncated; copy it again, "
            f"or make one with `{kind.command}`."
        ) from error
    if text is None:
        raise InputError(
            f"{path} is not {kind.what}: its header lacks the key {kind.key!r}. Make one with "
            f"`{kind.command}`."
        )
    header = json.loads(text)
    if header.get("format") != kind.format:
        raise InputError(
            f"{path} has format {header.get('format')} of {kind.what}, this version of rigface "
            f"reads {kind.format}; make it again with `{kind.command}`."
        )
    missing = [name for name in kind.arrays if name not in arrays]
    if missing:
        raise InputError(
            f"{path} is not {kind.what}: it lacks {', '.join(missing)}. Make one with "
            f"`{kind.command}`."
        )
    return header, arrays
