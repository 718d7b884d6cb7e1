"""Small scan files of every format, written byte by byte and independently of `rigface.io`."""

import base64
import json
import struct
from pathlib import Path

import numpy as np


def sheet(rows: int = 6, columns: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A bumpy sheet whose coordinates are float32 numbers: vertices (float64) and triangles."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), -1)
    plane = grid.reshape(-1, 2) * 1.25
    vertices = np.column_stack([plane, rng.normal(size=len(plane))]).astype(np.float32)
    ids = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (q.ravel() for q in (ids[:-1, :-1], ids[1:, :-1], ids[1:, 1:], ids[:-1, 1:]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return vertices.astype(np.float64), faces


def obj_text(vertices: np.ndarray, faces: np.ndarray) -> str:
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (faces + 1).tolist()]
    return "\n".join(lines) + "\n"


def ply_bytes(vertices: np.ndarray, faces: np.ndarray, order: str = "<") -> bytes:
    """Binary PLY with mixed types: a byte before and a short after the coordinates."""
    name = {"<": "little", ">": "big"}[order]
    header = (
        f"ply\nformat binary_{name}_endian 1.0\ncomment made by a test\n"
        f"element vertex {len(vertices)}\nproperty uchar flags\nproperty double z\n"
        "property float y\nproperty double x\nproperty short mark\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    body = b"".join(struct.pack(order + "Bdfdh", 7, z, y, x, -3) for x, y, z in vertices.tolist())
    body += b"".join(struct.pack(order + "B3i", 3, *row) for row in faces.tolist())
    return header.encode() + body


def stl_bytes(vertices: np.ndarray, faces: np.ndarray) -> bytes:
    corners = [struct.pack("<12fH", 0, 0, 1, *vertices[face].ravel(), 0) for face in faces]
    return b"solid, but binary".ljust(80) + struct.pack("<I", len(faces)) + b"".join(corners)


def stl_text(vertices: np.ndarray, faces: np.ndarray) -> str:
    loops = (
        "facet normal 0 0 1\n outer loop\n"
        + "".join(f"  vertex {x!r} {y!r} {z!r}\n" for x, y, z in vertices[face].tolist())
        + " endloop\nendfacet\n"
        for face in faces
    )
    return "solid scan\n" + "".join(loops) + "endsolid scan\n"


def gltf_parts(vertices: np.ndarray, faces: np.ndarray | None) -> tuple[dict, bytes]:
    """The JSON and the buffer of a glTF with one mesh on one plain node."""
    positions = vertices.astype("<f4").tobytes()
    indices = b"" if faces is None else faces.astype("<u4").tobytes()
    primitive: dict = {"attributes": {"POSITION": 0}}
    views = [{"buffer": 0, "byteOffset": 0, "byteLength": len(positions)}]
    accessors = [{"bufferView": 0, "componentType": 5126, "count": len(vertices), "type": "VEC3"}]
    if faces is not None:
        primitive["indices"] = 1
        views.append({"buffer": 0, "byteOffset": len(positions), "byteLength": len(indices)})
        accessors.append(
            {"bufferView": 1, "componentType": 5125, "count": faces.size, "type": "SCALAR"}
        )
    content = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "buffers": [{"byteLength": len(positions) + len(indices)}],
        "bufferViews": views,
        "accessors": accessors,
    }
    return content, positions + indices


def glb_bytes(content: dict, buffer: bytes) -> bytes:
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    buffer += b"\0" * (-len(buffer) % 4)
    length = 12 + 8 + len(text) + 8 + len(buffer)
    return b"".join(
        [
            struct.pack("<4sII", b"glTF", 2, length),
            struct.pack("<II", len(text), 0x4E4F534A) + text,
            struct.pack("<II", len(buffer), 0x004E4942) + buffer,
        ]
    )


def gltf_text(content: dict, buffer: bytes) -> str:
    uri = "data:application/octet-stream;base64," + base64.b64encode(buffer).decode()
    return json.dumps({**content, "buffers": [{**content["buffers"][0], "uri": uri}]})


def write_all(folder: Path) -> list[Path]:
    """One good file of every kind of scan."""
    vertices, faces = sheet()
    cloud = np.random.default_rng(1).normal(size=(600, 3))
    content, buffer = gltf_parts(vertices, faces)
    files: dict[str, bytes | str] = {
        "a.obj": obj_text(vertices, faces),
        "little.ply": ply_bytes(vertices, faces),
        "big.ply": ply_bytes(vertices, faces, ">"),
        "binary.stl": stl_bytes(vertices, faces),
        "text.stl": stl_text(vertices, faces),
        "a.glb": glb_bytes(content, buffer),
        "a.gltf": gltf_text(content, buffer),
        "cloud.xyz": "\n".join(f"{x} {y} {z}" for x, y, z in cloud),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return [folder / name for name in files]


def got(array: np.ndarray | None) -> np.ndarray:
    """An optional array that this test knows to be there."""
    assert array is not None
    return array
