"""A second, independent reading of a GLB: what the glTF 2.0 text says, with numpy alone.

It shares no code with the exporter, so that the two can disagree.
"""

import json
import struct
from dataclasses import dataclass

import numpy as np

_DTYPE = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@dataclass
class GltfFile:
    """The JSON document and its binary chunk."""

    document: dict
    blob: bytes

    def __post_init__(self) -> None:
        assert len(self.document["meshes"]) == len(self.document["skins"]) == 1

    @property
    def primitives(self) -> list[dict]:
        return self.document["meshes"][0]["primitives"]

    def accessor(self, index: int) -> np.ndarray:
        """One accessor as (count, width); matrices row by row."""
        spec = self.document["accessors"][index]
        width, dtype = _WIDTH[spec["type"]], np.dtype(_DTYPE[spec["componentType"]])
        if "bufferView" in spec:
            start = self._start(spec["bufferView"]) + spec.get("byteOffset", 0)
            size = spec["count"] * width * dtype.itemsize
            values = np.frombuffer(self.blob[start : start + size], dtype)
            values = values.reshape(spec["count"], width).copy()
        else:
            values = np.zeros((spec["count"], width), dtype)
        if "sparse" in spec:
            sparse = spec["sparse"]
            kind = np.dtype(_DTYPE[sparse["indices"]["componentType"]])
            start = self._start(sparse["indices"]["bufferView"])
            start += sparse["indices"].get("byteOffset", 0)
            rows = np.frombuffer(self.blob[start : start + sparse["count"] * kind.itemsize], kind)
            start = self._start(sparse["values"]["bufferView"])
            start += sparse["values"].get("byteOffset", 0)
            size = sparse["count"] * width * dtype.itemsize
            values[rows] = np.frombuffer(self.blob[start : start + size], dtype).reshape(-1, width)
        if spec["type"] == "MAT4":
            values = values.reshape(-1, 4, 4).transpose(0, 2, 1)
        return values

    def attribute(self, name: str) -> np.ndarray:
        """One vertex attribute of all primitives, one after the other."""
        return np.concatenate([self.accessor(p["attributes"][name]) for p in self.primitives])

    def target(self, name: str, attribute: str = "POSITION") -> np.ndarray:
        """One morph target of all primitives, dense."""
        index = self.document["meshes"][0]["extras"]["targetNames"].index(name)
        return np.concatenate(
            [self.accessor(p["targets"][index][attribute]) for p in self.primitives]
        )

    def posed(self, rotations: dict, morphs: dict) -> np.ndarray:
        """Vertices by the glTF text; `rotations` turn named nodes in their own axes."""
        positions = self.attribute("POSITION").astype(np.float64)
        for name, amount in morphs.items():
            positions += amount * self.target(name)
        skin = self.document["skins"][0]
        bind = self.accessor(skin["inverseBindMatrices"]).astype(np.float64)
        worlds = self._worlds(rotations)
        matrices = np.stack([worlds[node] for node in skin["joints"]]) @ bind
        out = np.zeros_like(positions)
        homogeneous = np.c_[positions, np.ones(len(positions))]
        group = 0
        while f"JOINTS_{group}" in self.primitives[0]["attributes"]:
            joints, weights = self.attribute(f"JOINTS_{group}"), self.attribute(f"WEIGHTS_{group}")
            for column in range(4):
                moved = np.einsum("vij,vj->vi", matrices[joints[:, column]], homogeneous)
                out += weights[:, column, None] * moved[:, :3]
            group += 1
        return out

    def _start(self, view: int) -> int:
        return self.document["bufferViews"][view].get("byteOffset", 0)

    def _worlds(self, rotations: dict) -> dict[int, np.ndarray]:
        from scipy.spatial.transform import Rotation

        nodes = self.document["nodes"]
        worlds: dict[int, np.ndarray] = {}

        def visit(index: int, parent: np.ndarray) -> None:
            node = nodes[index]
            local = np.eye(4)
            turn = Rotation.from_quat(node.get("rotation", [0, 0, 0, 1]))
            if node.get("name") in rotations:
                w, x, y, z = rotations[node["name"]]
                turn = turn * Rotation.from_quat([x, y, z, w])
            local[:3, :3] = turn.as_matrix() @ np.diag(node.get("scale", [1, 1, 1]))
            local[:3, 3] = node.get("translation", [0, 0, 0])
            worlds[index] = parent @ local
            for child in node.get("children", []):
                visit(child, worlds[index])

        for root in self.document["scenes"][self.document["scene"]]["nodes"]:
            visit(root, np.eye(4))
        return worlds


def read_glb(data: bytes) -> GltfFile:
    """Take the container apart; checks its header on the way."""
    magic, version, total = struct.unpack_from("<4sII", data)
    assert (magic, version, total) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    document = json.loads(data[20 : 20 + size])
    length, kind = struct.unpack_from("<I4s", data, 20 + size)
    assert kind == b"BIN\0"
    return GltfFile(document, data[28 + size : 28 + size + length])
