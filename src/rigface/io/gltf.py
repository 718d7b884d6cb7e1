"""Meshes out of glTF 2.0: node transforms applied, primitives joined, UV kept.

Skins and morph targets are not evaluated: a scan is a surface, and the rest shape is read.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rigface.errors import InputError
from rigface.io.gltf_file import GltfFile, open_glb, open_gltf
from rigface.io.parsed import ParsedMesh, join_parts, require_size

_POINTS, _TRIANGLES, _STRIP, _FAN = 0, 4, 5, 6
_COMPRESSED = ("KHR_draco_mesh_compression", "EXT_meshopt_compression")


def read_glb(path: Path) -> ParsedMesh:
    """All surfaces of the default scene of a .glb in scene coordinates; see `read_gltf`."""
    return _read(path, open_glb)


def read_gltf(path: Path) -> ParsedMesh:
    """All surfaces of the default scene of a .gltf in scene coordinates, UV origin lower left.

    Raises InputError for damaged, truncated, compressed and empty files.
    """
    return _read(path, open_gltf)


def _read(path: Path, opener: Callable[[Path], GltfFile]) -> ParsedMesh:
    try:
        return _scene(opener(path))
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{path} is damaged: its glTF description contradicts itself "
            f"({type(error).__name__}: {str(error)[:80]}). Export the scan again."
        ) from error


def _scene(file: GltfFile) -> ParsedMesh:
    required = file.json.get("extensionsRequired", [])
    for name in _COMPRESSED:
        if name in required:
            raise InputError(
                f"{file.path} is compressed with {name}, which is not read. Export it without "
                "compression, or convert it with `npx @gltf-transform/cli copy`."
            )
    parts: list[ParsedMesh] = []
    notes: list[str] = []
    for node, world_from_node in _placed_meshes(file):
        mesh = file.json["meshes"][node["mesh"]]
        # The specification places a skinned mesh by its joints, not by its node.
        world = np.eye(4) if "skin" in node else world_from_node
        if "skin" in node:
            notes.append("read the skinned glTF mesh in its bind pose")
        for primitive in mesh["primitives"]:
            part = _primitive(file, primitive, notes)
            if part is not None:
                parts.append(_placed(part, world))
                total = sum(len(part.vertices) for part in parts)
                faces = sum(0 if part.faces is None else len(part.faces) for part in parts)
                require_size(total, faces, str(file.path))
    if any(part.faces is not None for part in parts):
        parts = [part for part in parts if part.faces is not None]
    if not parts:
        raise InputError(
            f"{file.path} holds no mesh: no node of its scene has triangles or points. "
            "Export the scan itself, not only cameras and lights."
        )
    joined = join_parts(parts)
    joined.notes = list(dict.fromkeys(notes))
    return joined


def _placed_meshes(file: GltfFile) -> list[tuple[dict[str, Any], np.ndarray]]:
    """Nodes with a mesh and world_from_node, of the default scene or else of all nodes."""
    nodes = file.json.get("nodes", [])
    children = {int(child) for node in nodes for child in node.get("children", [])}
    scenes = file.json.get("scenes", [])
    roots = scenes[file.json.get("scene", 0)].get("nodes", []) if scenes else []
    found = _visit(nodes, roots)
    return found or _visit(nodes, [index for index in range(len(nodes)) if index not in children])


def _visit(nodes: list[dict], roots: list[int]) -> list[tuple[dict[str, Any], np.ndarray]]:
    found = []
    seen: set[int] = set()
    stack = [(int(root), np.eye(4)) for root in reversed(roots)]
    while stack:
        index, world_from_parent = stack.pop()
        if index in seen:  # a damaged file may tie a knot
            continue
        seen.add(index)
        node = nodes[index]
        world = world_from_parent @ _parent_from_node(node)
        if "mesh" in node:
            found.append((node, world))
        stack += [(int(child), world) for child in reversed(node.get("children", []))]
    return found


def _parent_from_node(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = np.array(node.get("rotation", [0, 0, 0, 1]), np.float64)
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    transform = np.eye(4)
    transform[:3, :3] = rotation * np.array(node.get("scale", [1, 1, 1]), np.float64).reshape(3)
    transform[:3, 3] = np.array(node.get("translation", [0, 0, 0]), np.float64)
    return transform


def _primitive(file: GltfFile, primitive: dict[str, Any], notes: list[str]) -> ParsedMesh | None:
    mode = primitive.get("mode", _TRIANGLES)
    if mode not in (_POINTS, _TRIANGLES, _STRIP, _FAN):
        notes.append("ignored lines in the glTF")
        return None
    if primitive.get("targets"):
        notes.append("read the glTF mesh without its morph targets")
    attributes = primitive["attributes"]
    part = ParsedMesh(_table(file, attributes["POSITION"], 3), split_at_seams=True)
    count = len(part.vertices)
    if "NORMAL" in attributes:
        part.normals = _table(file, attributes["NORMAL"], 3, count)
    if "COLOR_0" in attributes:
        part.colors = np.clip(_table(file, attributes["COLOR_0"], 3, count), 0.0, 1.0)
    if mode == _POINTS:
        return part
    if "indices" in primitive:
        corners = file.accessor(primitive["indices"])[:, 0].astype(np.int64)
    else:
        corners = np.arange(count)
    if corners.max(initial=-1) >= count:
        raise InputError(
            f"{file.path} is damaged: a face names vertex {corners.max():,}, but its primitive has "
            f"{count:,} vertices. Export the scan again."
        )
    part.faces = _triangles(corners, mode)
    if "TEXCOORD_0" in attributes:
        uv = _table(file, attributes["TEXCOORD_0"], 2, count)
        part.uv = np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=-1)
        part.uv_faces = part.faces
    return part


def _table(file: GltfFile, index: int, width: int, count: int | None = None) -> np.ndarray:
    """(count, width) float64 of one attribute; extra columns (alpha) are dropped."""
    values = file.accessor(index)[:, :width].astype(np.float64)
    if values.shape[1] != width or count not in (None, len(values)):
        raise ValueError(f"an attribute has the shape {values.shape}")
    return values


def _triangles(corners: np.ndarray, mode: int) -> np.ndarray:
    if mode == _TRIANGLES:
        return corners[: len(corners) // 3 * 3].reshape(-1, 3)
    if len(corners) < 3:
        return np.zeros((0, 3), np.int64)
    if mode == _FAN:
        first = np.full(len(corners) - 2, corners[0])
        return np.stack([first, corners[1:-1], corners[2:]], axis=-1)
    strip = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=-1)
    strip[1::2] = strip[1::2, [1, 0, 2]]  # every other triangle of a strip is turned
    return strip


def _placed(part: ParsedMesh, world: np.ndarray) -> ParsedMesh:
    """The part in scene coordinates; a mirroring node turns its faces."""
    linear = world[:3, :3]
    mirrored = np.linalg.det(linear) < 0
    part.vertices = part.vertices @ linear.T + world[:3, 3]
    if part.normals is not None:
        cofactors = np.stack([np.cross(linear[i - 2], linear[i - 1]) for i in range(3)])
        turned = part.normals @ (-cofactors if mirrored else cofactors).T
        length = np.linalg.norm(turned, axis=1, keepdims=True)
        part.normals = np.divide(turned, length, out=np.zeros_like(turned), where=length > 0)
    if mirrored and part.faces is not None:
        part.faces = part.faces[:, ::-1]
        part.uv_faces = None if part.uv_faces is None else part.uv_faces[:, ::-1]
    return part
