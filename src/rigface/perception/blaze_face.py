"""Decoding BlazeFace (short range): anchors, boxes and eyes, weighted non-maximum suppression.

Bazarevsky et al. 2019, arXiv:1907.05047; the numbers are those of MediaPipe's graph: a 16 x 16
grid with two anchors per cell and an 8 x 8 grid with six, all of the size of the picture.
"""

import math

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from rigface.perception.networks import Proposal

SIDE = 128
"""Pixels of the network's picture, and the unit of its offsets."""

_OVERLAP = 0.3


def anchor_centers() -> Float[np.ndarray, "896 2"]:
    """x, y of each anchor in fractions of the picture."""
    grids = []
    for cells, repeats in ((16, 2), (8, 6)):
        y, x = np.meshgrid(*2 * [(np.arange(cells) + 0.5) / cells], indexing="ij")
        grids.append(np.repeat(np.column_stack([x.ravel(), y.ravel()]), repeats, axis=0))
    return np.concatenate(grids)


def decode(
    regressors: Float[np.ndarray, "896 16"],
    logits: Float[np.ndarray, "896"],
    threshold: float,
) -> list[Proposal]:
    """Proposals in fractions of the picture, surest first.

    A row of regressors is the centre, width, height, then x, y of six points (right eye, left
    eye, nose, mouth, ears), all relative to the anchor, in pixels.
    """
    scores = expit(logits.astype(np.float64))
    kept = scores >= threshold
    rows, scores = regressors[kept] / SIDE, scores[kept]
    anchors = anchor_centers()[kept]
    rows[:, 0:2] += anchors
    rows[:, 4:] += np.tile(anchors, 6)
    order = np.argsort(-scores, kind="stable")
    return _suppressed(rows[order], scores[order])


def _suppressed(
    rows: Float[np.ndarray, "found 16"], scores: Float[np.ndarray, " found"]
) -> list[Proposal]:
    """Boxes that overlap the surest one are averaged with it, weighted by their scores."""
    proposals = []
    while len(rows):
        overlap = _overlap(rows[0], rows) > _OVERLAP
        overlap[0] = True
        mean = np.average(rows[overlap], axis=0, weights=scores[overlap])
        right_x, right_y, left_x, left_y = mean[4:8].tolist()
        proposals.append(
            Proposal(
                center=(float(mean[0]), float(mean[1])),
                size=float(mean[2:4].max()),
                roll=math.atan2(left_y - right_y, left_x - right_x),
                score=float(scores[0]),
            )
        )
        rows, scores = rows[~overlap], scores[~overlap]
    return proposals


def _overlap(
    one: Float[np.ndarray, "16"], others: Float[np.ndarray, "found 16"]
) -> Float[np.ndarray, " found"]:
    """Intersection over union of boxes."""
    low = np.maximum(one[:2] - one[2:4] / 2, others[:, :2] - others[:, 2:4] / 2)
    high = np.minimum(one[:2] + one[2:4] / 2, others[:, :2] + others[:, 2:4] / 2)
    common = np.prod(np.clip(high - low, 0.0, None), axis=1)
    union = np.prod(one[2:4]) + np.prod(others[:, 2:4], axis=1) - common
    return common / np.maximum(union, 1e-12)
