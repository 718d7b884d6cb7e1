"""Ask Blender, three.js and the Khronos validator what they make of a GLB.

Anything can be checked from outside: `python tests/client_driver.py FACE.glb EXPECTED.npz`, where
EXPECTED.npz comes from `write_expected`. The programs live in `clients/`; see `clients/run.sh`.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rigface.export.asset import RigAsset
from rigface.export.evaluate import posed_vertices
from rigface.export.glb import EncodedGlb

CLIENTS = Path(__file__).parents[1] / "clients"
CACHE = Path(os.environ.get("RIGFACE_CLIENTS_CACHE", Path.home() / ".cache" / "rigface-clients"))
BPY_PYTHON = CACHE / "bpy-venv" / "bin" / "python"
TOLERANCE = 1e-5
"""Largest distance of a vertex from ours, as a share of the head's size."""

HALF = np.deg2rad(20.0) / 2
CASES = (
    {"name": "rest", "rotations": {}, "morphs": {}},
    {"name": "jaw_20deg", "rotations": {"jaw": [np.cos(HALF), np.sin(HALF), 0, 0]}, "morphs": {}},
    {"name": "jawOpen", "rotations": {}, "morphs": {"jawOpen": 1.0}},
)


@dataclass(frozen=True)
class Expected:
    """What a GLB must look like: cases and the vertices of each, in the file's vertex order."""

    cases: list[dict]
    """Each with a name, `rotations` (unit wxyz by joint) and `morphs` (amount by name)."""
    vertices: dict[str, np.ndarray]

    @property
    def head_size(self) -> float:
        """Longest edge of the bounding box at rest, metres."""
        return float(np.ptp(self.vertices["rest"], axis=0).max())


def skip_or_fail() -> None:
    """Skip the test where a client is missing; fail if `clients/run.sh` promised all of them."""
    there = {
        "node": shutil.which("node") is not None,
        "npm packages (npm ci --prefix clients)": (CLIENTS / "node_modules").is_dir(),
        "bpy": BPY_PYTHON.exists(),
    }
    missing = ", ".join(what for what, found in there.items() if not found)
    if missing and os.environ.get("RIGFACE_CLIENTS_REQUIRED"):
        pytest.fail(f"missing: {missing}")
    if missing:
        pytest.skip(f"missing: {missing}; run clients/run.sh")


def write_expected(
    asset: RigAsset, encoded: EncodedGlb, path: Path, cases: tuple[dict, ...] = CASES
) -> None:
    """The vertices of `asset`, posed in float64 with the file's influences, as EXPECTED.npz."""
    arrays: dict[str, Any] = {
        case["name"]: posed_vertices(
            asset, case["rotations"], case["morphs"], encoded.pruning.max_influences
        )[encoded.source_vertex]
        for case in cases
    }
    np.savez(path, cases=json.dumps(cases), **arrays)


def read_expected(path: Path) -> Expected:
    """The file of `write_expected`."""
    with np.load(path) as archive:
        cases = json.loads(str(archive["cases"]))
        return Expected(cases, {case["name"]: archive[case["name"]] for case in cases})


def validator_issues(glb: Path) -> dict[str, Any]:
    """The Khronos report: numErrors, numWarnings, numInfos, messages."""
    report = json.loads(_run(["node", str(CLIENTS / "validate.mjs"), str(glb)]))
    return report["issues"]


def three_errors(glb: Path, expected: Expected) -> dict[str, float]:
    """Largest vertex distance over the head size by case, for three.js on CPU and on GPU."""
    with tempfile.TemporaryDirectory() as folder:
        cases = _write_cases(expected, Path(folder))
        script = str(CLIENTS / "three_check.mjs")
        answer = json.loads(_run(["node", script, str(glb), str(cases)]))
    assert not answer["problems"], f"the page complained: {answer['problems']}"
    errors = {}
    for result in answer["results"]:
        for way in ("cpu", "gpu"):
            flat = np.frombuffer(base64.b64decode(result[way]), np.float32)
            points = flat.reshape(-1, 3).astype(np.float64)
            errors[f"{result['name']}/{way}"] = _error(points, result["name"], expected)
    return errors


def blender_errors(glb: Path, expected: Expected) -> dict[str, float]:
    """Largest vertex distance over the head size by case, for Blender's glTF import."""
    order = _blender_order(glb)
    with tempfile.TemporaryDirectory() as folder:
        cases, out = _write_cases(expected, Path(folder)), Path(folder) / "out.npz"
        _run([str(BPY_PYTHON), str(CLIENTS / "blender_check.py"), str(glb), str(cases), str(out)])
        with np.load(out) as answer:
            assert bool(answer["has_extras"]), "Blender lost the node's extras"
            points = {case["name"]: answer[case["name"]] for case in expected.cases}
    return {name: _error(array, name, expected, order) for name, array in points.items()}


def _blender_order(glb: Path) -> np.ndarray:
    """Blender's importer keeps the used vertices of each primitive, rising."""
    from gltf_reader import read_glb

    file, start, order = read_glb(glb.read_bytes()), 0, []
    for primitive in file.primitives:
        order.append(start + np.unique(file.accessor(primitive["indices"])))
        start += file.document["accessors"][primitive["attributes"]["POSITION"]]["count"]
    return np.concatenate(order)


def _error(
    points: np.ndarray, name: str, expected: Expected, order: np.ndarray | None = None
) -> float:
    wanted = expected.vertices[name] if order is None else expected.vertices[name][order]
    assert points.shape == wanted.shape, f"{name}: {points.shape} came, {wanted.shape} expected"
    return float(np.linalg.norm(points - wanted, axis=1).max()) / expected.head_size


def _write_cases(expected: Expected, folder: Path) -> Path:
    path = folder / "cases.json"
    path.write_text(json.dumps(expected.cases))
    return path


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def main(glb: str, expected_file: str) -> int:
    """Print every client's error; 1 where one is above the tolerance."""
    expected = read_expected(Path(expected_file))
    issues = validator_issues(Path(glb))
    counts = {name: issues[name] for name in ("numErrors", "numWarnings", "numInfos", "numHints")}
    lines = [f"validator {counts}"]
    lines += [f"  {message['code']} {message['pointer']}" for message in issues["messages"][:20]]
    errors = {f"three.js {k}": v for k, v in three_errors(Path(glb), expected).items()}
    errors |= {f"Blender {k}": v for k, v in blender_errors(Path(glb), expected).items()}
    lines += [
        f"{name:24} {error:.2e} of {expected.head_size:.3f} m" for name, error in errors.items()
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    bad = issues["numErrors"] + issues["numWarnings"] or max(errors.values()) > TOLERANCE
    return int(bool(bad))


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
