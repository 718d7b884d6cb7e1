"""The binary chunk of a glTF file: views, accessors and sparse accessors over one byte string."""

import numpy as np
import pygltflib as gltf

_COMPONENT = {
    np.dtype(np.uint8): gltf.UNSIGNED_BYTE,
    np.dtype(np.uint16): gltf.UNSIGNED_SHORT,
    np.dtype(np.uint32): gltf.UNSIGNED_INT,
    np.dtype(np.float32): gltf.FLOAT,
}
_TYPE = {(): gltf.SCALAR, (2,): gltf.VEC2, (3,): gltf.VEC3, (4,): gltf.VEC4, (4, 4): gltf.MAT4}


class BufferWriter:
    """Collects arrays and hands out accessor indices; `finish` puts all of it into a document.

    Sparse accessors share one view per kind, or 52 morph targets would cost a kilobyte of JSON
    each.
    """

    def __init__(self) -> None:
        self._views: list[gltf.BufferView] = []
        self._chunks: list[bytes] = []
        self._accessors: list[gltf.Accessor] = []
        self._pools: dict[type, list[np.ndarray]] = {np.uint16: [], np.uint32: [], np.float32: []}
        self._pool_bytes = dict.fromkeys(self._pools, 0)
        self._sparse: list[tuple[gltf.Sparse, type]] = []
        self._size = 0

    def view(self, data: bytes, target: int | None = None) -> int:
        """A buffer view of its own, aligned to four bytes."""
        self._views.append(
            gltf.BufferView(buffer=0, byteOffset=self._size, byteLength=len(data), target=target)
        )
        padded = data + bytes(-len(data) % 4)
        self._chunks.append(padded)
        self._size += len(padded)
        return len(self._views) - 1

    def accessor(self, array: np.ndarray, target: int | None = None, bounds: bool = False) -> int:
        """An accessor over `array` (float32 or unsigned), with min and max where `bounds`."""
        array = np.ascontiguousarray(array)
        low = array.min(axis=0).tolist() if bounds else None
        high = array.max(axis=0).tolist() if bounds else None
        columns = array.transpose(0, 2, 1) if array.ndim == 3 else array  # matrices by column
        self._accessors.append(
            gltf.Accessor(
                bufferView=self.view(np.ascontiguousarray(columns).tobytes(), target),
                byteOffset=0,
                componentType=_COMPONENT[array.dtype],
                count=len(array),
                type=_TYPE[array.shape[1:]],
                min=low,
                max=high,
            )
        )
        return len(self._accessors) - 1

    def sparse(
        self, count: int, indices: np.ndarray, values: np.ndarray, bounds: bool = False
    ) -> int:
        """A float32 vec3 accessor of `count` rows, zero but for `values` at rising `indices`."""
        if not len(indices):  # the format wants one entry at least
            indices, values = np.zeros(1, dtype=np.int64), np.zeros((1, 3))
        values = values.astype(np.float32)
        zero = [] if len(indices) == count else [np.zeros((1, 3), np.float32)]
        extent = np.concatenate([values, *zero])
        kind = np.uint16 if count <= 65535 else np.uint32
        sparse = gltf.Sparse(
            count=len(indices),
            indices=gltf.AccessorSparseIndices(
                byteOffset=self._pool(kind, indices), componentType=_COMPONENT[np.dtype(kind)]
            ),
            values=gltf.AccessorSparseValues(byteOffset=self._pool(np.float32, values)),
        )
        self._sparse.append((sparse, kind))
        self._accessors.append(
            gltf.Accessor(
                bufferView=None,
                byteOffset=None,  # pygltflib's default of 0 is invalid without a bufferView
                componentType=gltf.FLOAT,
                count=count,
                type=gltf.VEC3,
                min=extent.min(axis=0).tolist() if bounds else None,
                max=extent.max(axis=0).tolist() if bounds else None,
                sparse=sparse,
            )
        )
        return len(self._accessors) - 1

    def finish(self, document: gltf.GLTF2) -> None:
        """Move everything collected into `document` and its binary blob."""
        views = {
            kind: self.view(np.concatenate(arrays).tobytes())
            for kind, arrays in self._pools.items()
            if arrays
        }
        for sparse, kind in self._sparse:
            sparse.indices.bufferView = views[kind]
            sparse.values.bufferView = views[np.float32]
        blob = b"".join(self._chunks)
        document.bufferViews = self._views
        document.accessors = self._accessors
        document.buffers = [gltf.Buffer(byteLength=len(blob))]
        document.set_binary_blob(blob)

    def _pool(self, kind: type, array: np.ndarray) -> int:
        offset = self._pool_bytes[kind]
        chunk = array.astype(kind)
        self._pools[kind].append(chunk)
        self._pool_bytes[kind] += chunk.nbytes
        return offset
