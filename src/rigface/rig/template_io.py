"""Reading and writing a template as one safetensors file.

Indices are stored as uint16 and offsets as float32 or float16; a `Template` holds int64 and
float64. Everything that is no array sits as JSON in the file's header under the key `rigface`.
"""

import hashlib
import json
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from rigface.errors import InputError
from rigface.geometry.mesh import Mesh
from rigface.rig.template import Eyeball, Part, SparseShapes, SurfacePoints, Template

FORMAT = 1
SHIPPED = {"anny": "template.safetensors"}


@lru_cache(maxsize=4)
def load_template(name: str = "anny") -> Template:
    """A shipped template by name, read once per process: callers share it, so nobody writes to it.

    Its arrays are not locked, because torch warns whenever it wraps a locked one. Raises
    `InputError` for an unknown name.
    """
    if name not in SHIPPED:
        raise InputError(f"Unknown template {name!r}; available: {', '.join(sorted(SHIPPED))}.")
    with resources.as_file(resources.files("rigface") / "assets" / SHIPPED[name]) as path:
        return read_template(path)


def read_template(path: Path) -> Template:
    """A template from a file written by `write_template`; raises `InputError` if it is none."""
    header, arrays = _read(path)
    verts, faces = header["vertex_runs"], header["face_runs"]
    mesh = Mesh(arrays["vertices"], arrays["faces"], arrays["uv"], arrays["uv_faces"])
    bits = arrays["region_bits"]
    return Template(
        name=header["name"],
        mesh=mesh,
        parts={part: Part(slice(*verts[part]), slice(*faces[part])) for part in verts},
        regions={
            region: (bits >> bit & 1).astype(bool) for bit, region in enumerate(header["regions"])
        },
        mirror=arrays["mirror"],
        expressions=SparseShapes(
            tuple(header["expressions"]),
            arrays["expression_starts"],
            arrays["expression_indices"],
            arrays["expression_offsets"],
        ),
        landmarks=SurfacePoints(
            tuple(header["landmarks"]), arrays["landmark_faces"], arrays["landmark_bary"]
        ),
        shape_modes=arrays["shape_modes"],
        shape_mean=arrays["shape_mean"],
        loops=_unpack_loops(header["loops"], arrays),
        eyeballs={
            side: Eyeball(np.array(ball["centre"]), ball["radius"], np.array(ball["gaze"]))
            for side, ball in header["eyeballs"].items()
        },
    )


def read_provenance(path: Path | None = None) -> dict[str, Any]:
    """Source, licence, versions and array hashes from a template's header (default: shipped)."""
    if path is not None:
        return _read_header(path)["provenance"]
    with resources.as_file(resources.files("rigface") / "assets" / SHIPPED["anny"]) as shipped:
        return _read_header(shipped)["provenance"]


def write_template(path: Path, template: Template, provenance: dict[str, Any]) -> None:
    """Write `template` and where it came from; the hashes of the arrays are added."""
    arrays = _pack(template)
    header = {
        "format": FORMAT,
        "name": template.name,
        "vertex_runs": {p: _ends(part.vertices) for p, part in template.parts.items()},
        "face_runs": {p: _ends(part.faces) for p, part in template.parts.items()},
        "regions": list(template.regions),
        "expressions": list(template.expressions.names),
        "landmarks": list(template.landmarks.names),
        "loops": {name: len(ring) for name, ring in template.loops.items()},
        "eyeballs": {
            side: {"centre": ball.centre.tolist(), "radius": ball.radius, "gaze": list(ball.gaze)}
            for side, ball in template.eyeballs.items()
        },
        "provenance": provenance | {"sha256": hashes(arrays)},
    }
    save_file(arrays, path, metadata={"rigface": json.dumps(header)})


def hashes(arrays: dict[str, np.ndarray]) -> dict[str, str]:
    """SHA-256 of each array's bytes as stored."""
    return {name: hashlib.sha256(a.tobytes()).hexdigest() for name, a in sorted(arrays.items())}


def _pack(template: Template) -> dict[str, np.ndarray]:
    assert template.mesh.uv is not None
    assert template.mesh.uv_faces is not None
    bits = np.zeros(len(template.mesh.vertices), np.uint32)
    for bit, mask in enumerate(template.regions.values()):
        bits |= mask.astype(np.uint32) << np.uint32(bit)
    shapes, points = template.expressions, template.landmarks
    rings = [np.zeros(0, int), *template.loops.values()]
    stored = {
        "vertices": template.mesh.vertices.astype(np.float32),
        "faces": template.mesh.faces.astype(np.uint16),
        "uv": template.mesh.uv.astype(np.float32),
        "uv_faces": template.mesh.uv_faces.astype(np.uint16),
        "region_bits": bits,
        "mirror": template.mirror.astype(np.uint16),
        "expression_starts": shapes.starts.astype(np.uint32),
        "expression_indices": shapes.indices.astype(np.uint16),
        "expression_offsets": shapes.offsets.astype(np.float32),
        "landmark_faces": points.face.astype(np.uint16),
        "landmark_bary": points.bary.astype(np.float32),
        "shape_modes": template.shape_modes.astype(np.float16),
        "shape_mean": template.shape_mean.astype(np.float32),
        "loops": np.concatenate(rings).astype(np.uint16),
    }
    return {name: np.ascontiguousarray(array) for name, array in stored.items()}


def _read_header(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get("rigface")
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as a template: {error}.") from error
    if text is None:
        raise InputError(f"{path} is no rigface template: its header lacks the key 'rigface'.")
    header = json.loads(text)
    if header["format"] != FORMAT:
        raise InputError(
            f"{path} has template format {header['format']}, this version of rigface reads "
            f"{FORMAT}; rebuild it with tools/build_template."
        )
    return header


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    header = _read_header(path)
    with safe_open(path, framework="numpy") as file:
        arrays = {name: _widen(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    return header, arrays


def _widen(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64 if array.dtype.kind == "f" else np.int64)


def _unpack_loops(lengths: dict[str, int], arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    ends = np.cumsum(list(lengths.values()), dtype=int)
    return dict(zip(lengths, np.split(arrays["loops"], ends)[:-1], strict=True))


def _ends(run: slice) -> list[int]:
    return [run.start, run.stop]
