"""The arrays of the rig asset, step by step."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from rigface.rig.chart import on_surface
from rigface.rig.rig import MIXTURE_SIZES

from .chart import build_chart
from .fit import as_mixture, fit_mixture, split, start
from .place import place_attachments, place_bones
from .weights import initial_weights


def build_arrays(skin, steps: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Everything but the Gaussians, and the initial weights."""
    chart = build_chart(skin, steps)
    placement = place_bones(skin)
    weights = initial_weights(skin, placement)
    vertex, bone = np.nonzero(weights)
    arrays = {
        "bind_positions": placement.positions,
        "faces": skin.faces.astype(np.uint16),
        "chart": chart,
        "zeta0": on_surface(chart, skin.faces, placement.face, placement.bary),
        "anchor_face": placement.face.astype(np.uint16),
        "anchor_bary": placement.bary,
        "attachment_positions": place_attachments(skin),
        "weights0.vertex": vertex.astype(np.uint16),
        "weights0.bone": bone.astype(np.uint8),
        "weights0.value": weights[vertex, bone].astype(np.float32),
    }
    return arrays, weights


def build_mixtures(skin, arrays, weights, steps: int) -> Iterator[tuple[int, dict]]:
    """Gaussians for K = 1..5, each started from the fit before."""
    chart, zeta = arrays["chart"], arrays["zeta0"]
    everywhere = np.ones(len(skin.faces), dtype=bool)
    # inner skin counts half, the face twice
    importance = skin.vertex_areas(0.5 * everywhere + 0.5 * skin.outer_faces + skin.face_faces)
    mixture = start(weights, chart, skin.vertex_areas(everywhere))
    for k in MIXTURE_SIZES:
        mixture = split(mixture) if k > 1 else mixture
        mixture = fit_mixture(mixture, weights, chart, importance, steps)
        fit = as_mixture(mixture, zeta)
        yield k, {f"gmm{k}.log_pi": fit.log_pi, f"gmm{k}.mu": fit.mu, f"gmm{k}.chol": fit.chol}


def write_asset(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """One safetensors file, arrays in sorted order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blob = save({key: np.ascontiguousarray(arrays[key]) for key in sorted(arrays)})
    path.write_bytes(blob)
