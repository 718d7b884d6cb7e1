"""glTF 2.0 containers and accessors: bytes to arrays, every range checked."""

import base64
import binascii
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from rigface.errors import InputError
from rigface.io.parsed import MAX_FACES

_JSON_CHUNK, _BINARY_CHUNK = 0x4E4F534A, 0x004E4942
_COMPONENT = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_MAX_COUNT = 3 * MAX_FACES


@dataclass(frozen=True)
class GltfFile:
    """The JSON of a glTF and the bytes of its buffers."""

    path: Path
    json: dict[str, Any]
    buffers: tuple[bytes, ...]

    def accessor(self, index: int) -> np.ndarray:
        """(count, width) as floats where the accessor is normalized, else in its own type.

        Raises InputError where it reaches beyond its buffer.
        """
        accessor = self.json["accessors"][index]
        count, width = int(accessor["count"]), _WIDTH[accessor["type"]]
        dtype = np.dtype(_COMPONENT[accessor["componentType"]])
        if not 0 <= count <= _MAX_COUNT:
            raise InputError(
                f"{self.path} announces {count:,} values in one accessor; at most {_MAX_COUNT:,} "
                "are read. The file is damaged: export it again."
            )
        if "bufferView" in accessor:
            values = self._view(
                accessor["bufferView"], accessor.get("byteOffset", 0), dtype, count, width
            )
        else:
            values = np.zeros((count, width), dtype)
        if "sparse" in accessor:
            values = self._sparse(accessor["sparse"], values)
        if accessor.get("normalized") and dtype.kind in "iu":
            values = np.maximum(values / float(np.iinfo(dtype).max), -1.0)
        return values

    def _sparse(self, sparse: dict[str, Any], values: np.ndarray) -> np.ndarray:
        count = int(sparse["count"])
        where, what = sparse["indices"], sparse["values"]
        kind = np.dtype(_COMPONENT[where["componentType"]])
        rows = self._view(where["bufferView"], where.get("byteOffset", 0), kind, count, 1)[:, 0]
        values = values.copy()
        values[rows] = self._view(
            what["bufferView"], what.get("byteOffset", 0), values.dtype, count, values.shape[1]
        )
        return values

    def _view(
        self, view_index: int, offset: int, dtype: np.dtype, count: int, width: int
    ) -> np.ndarray:
        view = self.json["bufferViews"][view_index]
        data = self.buffers[view["buffer"]]
        row = dtype.itemsize * width
        stride = int(view.get("byteStride", 0)) or row
        begin = int(view.get("byteOffset", 0)) + int(offset)
        end = begin + (stride * (count - 1) + row if count else 0)
        limit = int(view.get("byteOffset", 0)) + int(view["byteLength"])
        if min(count, begin) < 0 or stride < row or end > min(limit, len(data)):
            raise InputError(
                f"{self.path} is cut short or damaged: a table of {count:,} rows ends at byte "
                f"{end:,}, but its buffer holds {min(limit, len(data)):,}. Export it again."
            )
        return np.ndarray((count, width), dtype, data, begin, (stride, dtype.itemsize))


def open_glb(path: Path) -> GltfFile:
    """A binary glTF; raises InputError if it is none, of another version, or truncated."""
    data = path.read_bytes()
    if data[:4] != b"glTF":
        raise InputError(
            f"{path} is no GLB file: it does not begin with 'glTF'. "
            "Check the extension, or export the scan again."
        )
    version, length = struct.unpack("<II", data[4:12]) if len(data) >= 12 else (2, 12)
    if version != 2:
        raise InputError(
            f"{path} is glTF version {version}; version 2 is read. Convert it, for example in "
            "Blender: import it and export as glTF 2.0."
        )
    if len(data) < length or len(data) < 20:
        raise InputError(
            f"{path} is cut short: the header announces {length:,} bytes, the file has "
            f"{len(data):,}. Copy or export it again."
        )
    chunks: dict[int, bytes] = {}
    position = 12
    while position + 8 <= length:
        size, kind = struct.unpack("<II", data[position : position + 8])
        if position + 8 + size > length:
            raise InputError(
                f"{path} is cut short or damaged: a chunk of {size:,} bytes reaches beyond the "
                f"end of the file at {length:,}. Copy or export it again."
            )
        chunks.setdefault(kind, data[position + 8 : position + 8 + size])
        position += 8 + size
    return _open(path, chunks.get(_JSON_CHUNK, b""), chunks.get(_BINARY_CHUNK))


def open_gltf(path: Path) -> GltfFile:
    """A glTF as JSON with its buffers beside it or inside; raises InputError like `open_glb`."""
    return _open(path, path.read_bytes(), None)


def _open(path: Path, text: bytes, binary: bytes | None) -> GltfFile:
    try:
        content = json.loads(text)
        if not isinstance(content, dict) or "asset" not in content:
            raise ValueError("no 'asset'")
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} holds no readable glTF description: its JSON part is damaged or something "
            "else. Export the scan again."
        ) from error
    buffers = [
        _buffer(path, buffer, binary if index == 0 else None)
        for index, buffer in enumerate(content.get("buffers", []))
    ]
    return GltfFile(path, content, tuple(buffers))


def _buffer(path: Path, buffer: dict[str, Any], binary: bytes | None) -> bytes:
    uri = buffer.get("uri")
    if uri is None:
        data = binary or b""
    elif uri.startswith("data:"):
        try:
            data = base64.b64decode(uri.partition(",")[2], validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError(
                f"{path} is damaged: a buffer inside it is no valid base64. Export it again."
            ) from error
    else:
        data = _beside(path, uri)
    if len(data) < int(buffer["byteLength"]):
        raise InputError(
            f"{path} is cut short: a buffer should have {int(buffer['byteLength']):,} bytes, "
            f"{len(data):,} are there. Copy or export it again."
        )
    return data


def _beside(path: Path, uri: str) -> bytes:
    try:
        other = path.parent / unquote(uri)
        if not other.is_file():
            raise FileNotFoundError(other)
        return other.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} needs the file '{uri[:80]}' beside it, which cannot be read. "
            "Copy it along, or export as one .glb file."
        ) from error
