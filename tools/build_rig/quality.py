"""How well the Gaussians reproduce the initial weights, and what pruning to 4 influences costs."""

import numpy as np

from rigface.rig.gmm import Mixture, mixture_weights


def mixture_quality(skin, chart, zeta, mixture: Mixture, weights: np.ndarray) -> dict[str, float]:
    """Residual and pruning figures over the outer skin, weighted by area."""
    fitted = mixture_weights(chart, zeta, mixture)
    outer = skin.outer_verts
    area = np.bincount(
        skin.faces.ravel(), np.repeat(skin.areas * skin.outer_faces / 3, 3), len(chart)
    )
    area = area / area.sum()
    error = fitted - weights
    pruned = top(fitted, 4)
    moves = np.random.default_rng(0).normal(size=(20, fitted.shape[1], 3)) * 3 / np.sqrt(3)
    shift = np.linalg.norm(np.einsum("vb,mbd->mvd", pruned - fitted, moves), axis=-1)
    low = np.sort(fitted, axis=1)[:, :-4].sum(axis=1)
    return {
        "rms": float(np.sqrt((area[:, None] * error**2).sum())),
        "max": float(np.abs(error[outer]).max()),
        "tail": float(area @ low),
        "tail_max": float(low[outer].max()),
        "prune_mean_mm": float((shift @ area).mean()),
        "prune_max_mm": float(shift[:, outer].max()),
    }


def top(weights: np.ndarray, count: int) -> np.ndarray:
    """Only the largest `count` weights per row, renormalised."""
    limit = np.sort(weights, axis=1)[:, -count][:, None]
    kept = np.where(weights >= limit, weights, 0)
    return kept / kept.sum(axis=1, keepdims=True)
