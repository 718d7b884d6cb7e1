"""Learned linear skinning (section 3.1): one sparse symmetric weight matrix for all heads.

Joints and weights take turns. The weights' turn is exact: given the joints it is a bounded sparse
least-squares problem, vertex by vertex, with a pull towards the neighbours' and the last weights.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rigface.geometry.adjacency import adjacency
from rigface.geometry.mesh import unique_edges
from rigface.learn.head_fit import HeadFit, fit_heads, vertex_errors
from rigface.learn.support import Say, SupportConfig, choose_support
from rigface.learn.weight_fit import joint_grams, simplex_least_squares
from rigface.models.jnr import JnrModel, held_by
from rigface.models.weight_field import half_of
from rigface.rig.jnr_weights import SymmetricWeights


@dataclass(frozen=True)
class LinearConfig:
    """The alternation."""

    cycles: int = 5
    first_steps: int = 8
    steps: int = 3
    """Levenberg-Marquardt steps of the joints with the initial weights and in each cycle."""
    ridge: float = 0.02
    """Square millimetres per head that a weight off by one from the last one costs."""
    smooth: float = 0.02
    """The same for a weight off from the mean of the neighbours'."""
    support: SupportConfig = SupportConfig()


@dataclass(frozen=True)
class LinearSkinning:
    """What section 3.1 learns."""

    rest: Float[np.ndarray, "verts 3"]
    """Mean training head."""
    weights: SymmetricWeights
    x: Float[np.ndarray, "heads params"]
    """Variables of the training heads."""
    errors: tuple[float, ...]
    """Mean distance over the training heads after each cycle, millimetres."""


def symmetric_variables(model: JnrModel) -> Bool[Tensor, " params"]:
    """Variables that keep a symmetric head symmetric: the root may also turn and shift sideways."""
    free = torch.ones(model.table.size, dtype=torch.bool)
    for name, axes in (("Root.rotation", "yz"), ("Root.translation", "x")):
        if name in model.table:
            start = model.table.slices[name].start
            free[[start + model.table[name].meaning.index(axis) for axis in axes]] = False
    return free


def learn_linear(
    heads: Float[np.ndarray, "heads verts 3"],
    model: JnrModel,
    initial: SymmetricWeights,
    config: LinearConfig = LinearConfig(),
    say: Say = lambda text: None,
) -> LinearSkinning:
    """From symmetric heads and the initial weights of `model`, whose rest becomes their mean."""
    half = half_of(initial.mirror)
    rest = heads.mean(axis=0)
    targets = torch.from_numpy(heads)[:, half].float()
    faces = model.faces.numpy()
    free = symmetric_variables(model)

    def halved(weights: SymmetricWeights) -> JnrModel:
        return with_weights(model, weights, rest).at(half).to(torch.float32)

    x = halved(initial).table.zeros(len(targets)).float()
    x = fit_heads(halved(initial), targets, x, HeadFit(config.first_steps), free)
    say(f"initial weights: {_error(halved(initial), targets, x):.3f} mm over the training heads")
    weights = choose_support(halved(initial), initial, targets, x, half, config.support)
    neighbours = _neighbours(faces, len(initial.mirror))
    errors = []
    for cycle in range(config.cycles):
        x = fit_heads(halved(weights), targets, x, HeadFit(config.steps), free)
        weights = _solve_weights(halved(weights), weights, targets, x, half, neighbours, config)
        errors.append(_error(halved(weights), targets, x))
        say(f"cycle {cycle + 1}: {errors[-1]:.3f} mm over the training heads")
    x = fit_heads(halved(weights), targets, x, HeadFit(config.steps), free)
    return LinearSkinning(rest, weights, x.double().numpy(), tuple(errors))


def with_weights(
    model: JnrModel,
    weights: SymmetricWeights,
    rest: Float[np.ndarray, "verts 3"] | None = None,
    lever: Float[np.ndarray, "joints 3"] | None = None,
) -> JnrModel:
    """The model with other linear weights and levers, and perhaps another rest shape."""
    joints, slots = weights.slots()
    return replace(
        model,
        arms=torch.from_numpy(held_by(weights, lever)).to(model.rest),
        influences=torch.from_numpy(joints),
        slots=torch.from_numpy(slots),
        free=torch.from_numpy(weights.value).to(model.rest),
        rest=model.rest if rest is None else torch.from_numpy(rest).to(model.rest),
    )


def _solve_weights(
    model: JnrModel,
    weights: SymmetricWeights,
    targets: Tensor,
    x: Tensor,
    half: Tensor,
    neighbours: sp.csr_matrix,
    config: LinearConfig,
) -> SymmetricWeights:
    used = (model.slots < len(weights)).double()
    gram = joint_grams(model, targets, x, model.influences).double()
    dense = weights.dense()
    joints = model.influences.numpy()

    def at_influences(matrix: np.ndarray) -> Tensor:
        return torch.from_numpy(np.take_along_axis(matrix[half.numpy()], joints, axis=1)) * used

    ridge, smooth = config.ridge * len(x), config.smooth * len(x)
    pull = ridge * at_influences(dense) + smooth * at_influences(neighbours @ dense)
    eye = torch.eye(joints.shape[1], dtype=torch.float64)
    w = simplex_least_squares(gram + (ridge + smooth) * eye, pull, used.bool())
    flat = model.slots.flatten()
    total = torch.zeros(len(weights) + 1, dtype=torch.float64).index_add_(0, flat, w.flatten())
    count = torch.bincount(flat, minlength=len(weights) + 1).clamp_min(1)
    return replace(weights, value=(total / count)[:-1].numpy())


def _neighbours(faces: np.ndarray, verts: int) -> sp.csr_matrix:
    graph = adjacency(unique_edges(faces), verts)
    return sp.diags(1 / np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1)) @ graph


def _error(model: JnrModel, targets: Tensor, x: Tensor) -> float:
    return float(vertex_errors(model, targets, x).mean())
