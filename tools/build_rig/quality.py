"""Figures of a rig: Gaussian residuals, cost of 4 influences, leaks across lips and lids."""

import numpy as np

from rigface.rig.gmm import Mixture, mixture_weights
from rigface.rig.skeleton import BONE_NAMES

_UPPER_LIP = ("lip_upper_side.L", "lip_upper_mid", "lip_upper_side.R")
_LOWER_LIP = ("lip_lower_side.L", "lip_lower_mid", "lip_lower_side.R")
_UPPER_LID = ("eye_inner_upper", "eye_outer_upper", "eyelid_outer", "eyelid_middle", "eyelid_inner")
_LOWER_LID = ("eye_inner_lower", "eye_outer_lower", "eye_hole")
# Both margins meet in the corner and must move together there.
_CORNER = 0.004


def mixture_quality(skin, chart, zeta, mixture: Mixture, weights: np.ndarray) -> dict[str, float]:
    """Residuals and pruning over the outer skin by area; leaks across the slits.

    Pruning: 100 random poses, every bone translated by 3 mm (RMS) in its own direction, full
    weights against the largest four renormalised.
    """
    fitted = mixture_weights(chart, zeta, mixture)
    outer, area = skin.outer_verts, skin.vertex_areas(skin.outer_faces)
    area = area / area.sum()
    error = fitted - weights
    moves = np.random.default_rng(0).normal(size=(100, fitted.shape[1], 3)) * 3 / np.sqrt(3)
    shift = np.einsum("vb,mbd->mvd", top(fitted, 4) - fitted, moves)
    shift = np.linalg.norm(shift, axis=-1)
    tail = np.sort(fitted, axis=1)[:, :-4].sum(axis=1)
    largest, share = margin_leak(skin, fitted)
    return {
        "rms": float(np.sqrt((area[:, None] * error**2).sum())),
        "max": float(np.abs(error[outer]).max()),
        "tail": float(area @ tail),
        "prune_mean_mm": float((shift @ area).mean()),
        "prune_max_mm": float(shift[:, outer].max()),
        "leak_max": largest,
        "leak_share": share,
    }


def top(weights: np.ndarray, count: int) -> np.ndarray:
    """Only the largest `count` weights per row, renormalised."""
    limit = np.sort(weights, axis=1)[:, -count][:, None]
    kept = np.where(weights >= limit, weights, 0)
    return kept / kept.sum(axis=1, keepdims=True)


def margin_leak(skin, weights: np.ndarray) -> tuple[float, float]:
    """Worst weight of a lip or lid bone on the opposite margin, worst share of its total weight.

    The margins are the contact lines; 4 mm around the shared corners are left out of both.
    """
    largest, share = 0.0, 0.0
    for bones, ring in _slits(skin):
        ends = skin.vertices[ring[[0, -1]]]
        gap = np.linalg.norm(skin.vertices[ring][:, None] - ends, axis=-1).min(axis=1)
        far = ring[gap > _CORNER]
        for name in bones:
            column = weights[:, BONE_NAMES.index(name)]
            largest = max(largest, float(column[far].max()))
            share = max(share, float(column[far].sum() / column.sum()))
    return largest, share


def _slits(skin):
    """(bones, opposite contact line) of both lips and all four lids."""
    yield _UPPER_LIP, skin.loops["lip.lower"]
    yield _LOWER_LIP, skin.loops["lip.upper"]
    for side in ("L", "R"):
        yield [f"{name}.{side}" for name in _UPPER_LID], skin.loops[f"lid.lower.{side}"]
        yield [f"{name}.{side}" for name in _LOWER_LID], skin.loops[f"lid.upper.{side}"]
