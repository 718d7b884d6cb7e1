"""`python -m tools.build_landmarks CANONICAL.obj [OUT]`: derive the shipped landmark asset.

CANONICAL is mediapipe's `canonical_face_model.obj` (Apache-2.0, not in its wheel). The detector is
mediapipe 0.10.21's face mesh. The same machine and seed give the same bytes.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from rigface.rig.template_io import hashes, load_template

from .check import closed_loop
from .embed import LIPS_INNER, LIPS_OUTER, canonical, embed, first_guess, symmetrise
from .figures import draw
from .hits import MARKS, collect, robust_mean
from .paths import contour_paths, iris_rings
from .views import Detector, views

SHIPPED = Path(__file__).parents[2] / "src/rigface/assets/landmarks.safetensors"
FIGURES = Path(__file__).parents[2] / "docs/figures"
BUILD_HEADS, BUILD_SEED = 12, 0
HELD_OUT_HEADS, HELD_OUT_SEED = 5, 2000
_IRIS_SIGMA = 0.5e-3


def build(path: Path, obj: Path) -> None:
    """Write the asset and say how good it is."""
    template, detector = load_template(), Detector()
    mesh, mirror = canonical(obj)
    hits = collect(template, list(views(template, BUILD_HEADS, BUILD_SEED, True)), detector)
    lips = np.array(LIPS_INNER), np.array(LIPS_OUTER)
    guess = first_guess(template, mesh, robust_mean(hits, *lips)[0])
    mean, spread, count = robust_mean(hits, *lips, guess)
    print(f"{len(hits.jaw)} pictures with a face; view spread {np.median(spread) * 1e3:.2f} mm")
    target, spread, count, asymmetry = symmetrise(mean, spread, count, mirror)
    result = embed(template, mesh, mirror, target, spread, count)
    print(f"asymmetry {asymmetry * 1e3:.2f} mm, target residual {result.residual * 1e3:.2f} mm")
    write(path, result.face, result.bary, result.sigma)


def write(path: Path, face: np.ndarray, bary: np.ndarray, sigma: np.ndarray) -> None:
    """The asset of 468 embedded points: irises and outline follow from them and the template."""
    template = load_template()
    bary = bary.astype(np.float32)
    corners = template.mesh.vertices[template.mesh.faces[face]]
    positions = np.einsum("nc,ncd->nd", bary.astype(np.float64), corners)
    ring_face, ring_bary = iris_rings(template)
    contour_face, contour_bary = contour_paths(template, positions)
    arrays = {
        "face": face.astype(np.uint16),
        "bary": bary,
        "sigma": np.append(sigma[:MARKS], np.full(10, _IRIS_SIGMA)).astype(np.float32),
        "ring_face": ring_face.astype(np.uint16),
        "ring_bary": ring_bary.astype(np.float32),
        "contour_face": contour_face.astype(np.uint16),
        "contour_bary": contour_bary.astype(np.float32),
    }
    header = {
        "source": "mediapipe 0.10.21 face mesh on renders of the shipped template",
        "canonical": "google-ai-edge/mediapipe canonical_face_model.obj",
        "licence": "Apache-2.0",
        "heads": BUILD_HEADS,
        "seed": BUILD_SEED,
        "hashes": hashes(arrays),
    }
    save_file(arrays, path, metadata={"rigface": json.dumps(header, sort_keys=True)})
    path.chmod(0o644)


def report() -> None:
    """The closed loop on held-out heads, and the figure."""
    from rigface.rig.landmark_embedding import load_landmark_embedding

    template, embedding = load_template(), load_landmark_embedding()
    pictures = list(views(template, HELD_OUT_HEADS, HELD_OUT_SEED, False))
    for name, (shut, open_) in closed_loop(embedding, template, pictures, Detector()).items():
        print(f"| {name} | {shut:.1f} | {open_:.1f} |")
    draw(template, embedding, FIGURES)


if __name__ == "__main__":
    start = time.perf_counter()
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else SHIPPED
    build(out, Path(sys.argv[1]))
    if out == SHIPPED:
        report()
    print(f"wrote {out}: {out.stat().st_size / 1e3:.0f} kB in {time.perf_counter() - start:.0f} s")
