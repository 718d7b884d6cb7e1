"""How well a prior reaches heads that it was not learned from, with known correspondence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from rigface.geometry.similarity import align_points
from rigface.learn.population import Population
from rigface.models.face_model import FaceModel
from rigface.models.linear import LinearModel
from rigface.models.posed import POSE, PosedModel
from rigface.rig.skin_metric import face_weights
from rigface.rig.template import Template

NOISE = 1e-3
"""Metres per vertex: how far a head is trusted against z ~ N(0, I)."""
_STEPS = 8


@dataclass(frozen=True)
class Reach:
    """Errors of one group of heads."""

    group: str
    heads: int
    mean_mm: float
    """RMS distance over the face of the prior's mean, after rigid + scale alignment."""
    fit_mm: float
    """The same with the modes at their most probable values."""
    pca_mm: float
    """The same for a vertex PCA of equal rank from the same heads."""
    size: float
    """RMS of the coefficients found; 1 is an ordinary member of the population."""


def fit_modes(
    model: FaceModel,
    head: Float[np.ndarray, "verts 3"],
    ids: Int[np.ndarray, " face"],
    weight: Float[np.ndarray, " face"],
) -> tuple[Float[np.ndarray, "verts 3"], Float[np.ndarray, " modes"]]:
    """Most probable identity (within its limits) and pose for a head in correspondence.

    `weight` sums to one. Returns the fitted skin in the head's place and the coefficients.
    """
    posed = PosedModel.build(model)
    table = posed.table
    x = table.zeros()
    free = np.r_[0 : POSE.size, np.arange(table.size)[table.slices["identity"]]]
    start = posed.vertices(x).numpy()
    x[: POSE.size] = _pose_vector(posed, start[ids], head[ids], weight)
    spread = np.repeat(weight * len(ids), 3) / NOISE**2
    prior = np.concatenate([np.zeros(POSE.size), np.ones(len(free) - POSE.size)])
    lower, upper = (table.column(name).numpy()[free] for name in ("lower", "upper"))
    for _ in range(_STEPS):
        state = posed.linearize(x)
        rows = state.rows(ids).numpy()[..., free].reshape(-1, len(free))
        miss = (head[ids] - state.vertices.numpy()[ids]).ravel()
        value = x.numpy()[free]
        normal = rows.T @ (spread[:, None] * rows) + np.diag(prior)
        step = np.linalg.solve(normal, rows.T @ (spread * miss) - prior * value)
        x[free] = torch.from_numpy(np.clip(value + step, lower, upper))
    return posed.vertices(x).numpy(), x[table.slices["identity"]].numpy()


def reach(
    model: FaceModel, pca: LinearModel, population: Population, template: Template
) -> list[Reach]:
    """Held-out heads by group: ICT, then Anny by age and by ancestry."""
    ids, weight = face_weights(template)
    held = np.flatnonzero(population.held_out)
    heads = population.heads[held]
    fits = [fit_modes(model, head, ids, weight) for head in heads]
    plain = [fit_modes(pca, head, ids, weight)[0] for head in heads]
    mean = model.vertices(model.table.zeros()).numpy()
    columns = {
        "mean": [aligned_rms(mean, head, ids, weight) for head in heads],
        "fit": [aligned_rms(f, h, ids, weight) for (f, _), h in zip(fits, heads, strict=True)],
        "pca": [aligned_rms(f, h, ids, weight) for f, h in zip(plain, heads, strict=True)],
        "size": [float((z**2).mean()) for _, z in fits],
    }
    kinds = [population.groups[i] for i in held], [population.ancestries[i] for i in held]
    rows = []
    for labels in kinds:
        for name in dict.fromkeys(label for label in labels if label):
            rows.append(_row(name, labels, columns))
    return rows


def _row(name: str, labels: Sequence[str], columns: dict[str, list[float]]) -> Reach:
    own = [i for i, label in enumerate(labels) if label == name]
    mean, fit, pca, size = (float(np.mean([c[i] for i in own])) for c in columns.values())
    return Reach(name, len(own), mean, fit, pca, size**0.5)


def aligned_rms(
    fitted: Float[np.ndarray, "verts 3"],
    head: Float[np.ndarray, "verts 3"],
    ids: Int[np.ndarray, " face"],
    weight: Float[np.ndarray, " face"],
) -> float:
    """Millimetres over the face after rigid + scale alignment."""
    moved = align_points(fitted[ids], head[ids], weight).apply(fitted[ids])
    return 1e3 * float(np.sqrt(weight @ ((moved - head[ids]) ** 2).sum(-1)))


def _pose_vector(
    posed: PosedModel, source: np.ndarray, destination: np.ndarray, weight: np.ndarray
) -> torch.Tensor:
    """Shift and size only: heads of a population are upright."""
    move = align_points(source, destination, weight)
    centre = posed.centre.numpy()
    shift = move.scale * centre + destination.T @ weight - move.scale * (source.T @ weight) - centre
    out = torch.zeros(POSE.size, dtype=torch.float64)
    out[POSE.slices["pose_translation"]] = torch.from_numpy(shift)
    out[POSE.slices["pose_log_scale"]] = float(np.log(move.scale))
    return out
