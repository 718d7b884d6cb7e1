"""`python -m tools.build_face_mesh canonical_face_model.obj`: the shipped face mesh topology.

Triangles: `mediapipe/python/solutions/face_mesh_connections.py` of the wheel 0.10.21, which lists
directed edges, three in a row for each triangle. Mirror map: the canonical model
(google-ai-edge/mediapipe, mediapipe/modules/face_geometry/data), whose points are exactly
symmetric; only the permutation is kept. Both Apache-2.0.
"""

import ast
import sys
from pathlib import Path

import numpy as np
from mediapipe.python.solutions import face_mesh_connections
from safetensors.numpy import save_file

SHIPPED = Path(__file__).parents[2] / "src/rigface/assets/face_mesh.safetensors"
IRIS_MIRROR = (473, 476, 475, 474, 477, 468, 471, 470, 469, 472)


def triangles() -> list[tuple[int, int, int]]:
    """Three directed edges in a row of the table are one triangle; all are oriented alike."""
    tree = ast.parse(Path(face_mesh_connections.__file__).read_text())
    (table,) = [
        ast.literal_eval(node.value.args[0])
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and getattr(node.targets[0], "id", "") == "FACEMESH_TESSELATION"
    ]
    assert len(table) == len(set(table)), "so no two triangles run through an edge the same way"
    cycles = []
    for (a, b), (b2, c), (c2, a2) in zip(table[0::3], table[1::3], table[2::3], strict=True):
        assert (a, b, c) == (a2, b2, c2)
        low = min(a, b, c)
        cycles.append((a, b, c) if a == low else (b, c, a) if b == low else (c, a, b))
    return sorted(cycles)


def mirror(canonical: Path) -> np.ndarray:
    """The point on the other side for each of the 478."""
    lines = [line.split() for line in canonical.read_text().splitlines()]
    vertices = np.array([line[1:4] for line in lines if line[:1] == ["v"]], float)
    distance = np.linalg.norm((vertices * [-1, 1, 1])[:, None] - vertices, axis=-1)
    assert distance.min(axis=1).max() < 1e-6
    result = np.concatenate([distance.argmin(axis=1), IRIS_MIRROR])
    assert (result[result] == np.arange(478)).all()
    return result


def write(canonical: Path, path: Path) -> None:
    arrays = {
        "triangles": np.array(triangles(), np.uint16),
        "mirror": mirror(canonical).astype(np.uint16),
    }
    source = {"source": "mediapipe 0.10.21 and its canonical face model", "licence": "Apache-2.0"}
    save_file(arrays, path, metadata=source)


if __name__ == "__main__":
    write(Path(sys.argv[1]), SHIPPED)
    print(f"wrote {SHIPPED}: {SHIPPED.stat().st_size:,} bytes")
