"""Which few joints each vertex may follow.

Non-negative weights keep a vertex inside the hull of where its joints would take it, so which
joints it follows limits what any weights can reach. The four that explain the training heads best
with common weights come first; the rest of the budget goes to further joints nearby, which common
weights hardly need and weights of a person's own do.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.geometry.adjacency import adjacency
from rigface.geometry.mesh import unique_edges
from rigface.learn.weight_fit import joint_grams, simplex_least_squares, thin_out
from rigface.models.jnr import JnrModel
from rigface.rig.jnr_skeleton import JNR_NAMES, JNR_PARENTS, mirror_joints
from rigface.rig.jnr_weights import SymmetricWeights

Say = Callable[[str], None]
LINEAR_FLOATS = 25_000
"""Rest vertices and free weights together: the paper's 24.7K, rounded."""
FLOOR = 1e-4
"""Weight that an influence gets before it is learned."""


@dataclass(frozen=True)
class SupportConfig:
    """How the influences are chosen."""

    candidates: int = 10
    """Joints near a vertex that are looked at."""
    explained: int = 4
    """Of these, how many the training heads choose."""
    most: int = 6
    """Influences of a vertex in the end."""
    rings: int = 6
    """How far initial weights are spread to find what is near."""
    parents: float = 0.3
    """What a parent gets of its children's spread weights."""
    ridge: float = 0.02
    """Square millimetres per head that a weight off by one from the initial one costs."""


def weight_budget(verts: int) -> int:
    """Free weights that leave a linear model, with its levers, at 25K floats; a multiple of the
    decoder's groups."""
    return (LINEAR_FLOATS - 3 * verts - 3 * len(JNR_NAMES)) // 10 * 10


def nearness(
    weights: SymmetricWeights, faces: Int[np.ndarray, "faces 3"], config: SupportConfig
) -> Float[np.ndarray, "verts joints"]:
    """Symmetric: initial weights spread over the surface and up to parents."""
    mirror, wide = weights.mirror, weights.dense()
    verts = len(mirror)
    graph = adjacency(unique_edges(faces), verts) + sp.identity(verts, format="csr")
    graph = sp.diags(1 / np.asarray(graph.sum(axis=1)).ravel()) @ graph
    for _ in range(config.rings):
        wide = graph @ wide
    above = np.zeros((len(JNR_PARENTS),) * 2)
    for joint, parent in enumerate(JNR_PARENTS):
        if parent >= 0:
            above[joint, parent] = config.parents
    wide = wide + wide @ above
    wide = wide + wide @ above
    return 0.5 * (wide + wide[mirror][:, mirror_joints()])


def choose_support(
    model: JnrModel,
    weights: SymmetricWeights,
    targets: Float[Tensor, "heads half 3"],
    x: Float[Tensor, "heads params"],
    half: Int[Tensor, " half"],
    config: SupportConfig = SupportConfig(),
) -> SymmetricWeights:
    """Weights of the chosen influences; those that common weights do not need are tiny.

    `model` is the half model with the initial `weights`, `x` its fitted joints.
    """
    mirror, rows = weights.mirror, half.numpy()
    near = nearness(weights, model.faces.numpy(), config)
    candidates = np.argsort(-near, axis=1, kind="stable")[rows, : config.candidates]
    possible = np.take_along_axis(near[rows], candidates, axis=1) > 1e-9
    gram = joint_grams(model, targets, x, torch.from_numpy(candidates)).double()
    ridge = config.ridge * len(x)
    gram = gram + ridge * torch.eye(config.candidates, dtype=torch.float64)
    before = torch.from_numpy(np.take_along_axis(weights.dense()[rows], candidates, axis=1))
    start = torch.from_numpy(possible)
    chosen, _ = thin_out(gram, ridge * before, (config.explained,), start)[config.explained]
    value = simplex_least_squares(gram, ridge * before, chosen).numpy()
    dense = np.zeros((len(mirror), len(JNR_NAMES)))
    scattered = np.zeros((len(rows), len(JNR_NAMES)))
    np.put_along_axis(scattered, candidates, np.where(chosen.numpy(), value, 0.0), axis=1)
    dense[mirror[rows]] = scattered[:, mirror_joints()]
    dense[rows] = scattered
    return _filled(dense, near, mirror, config)


def _filled(
    dense: np.ndarray, near: np.ndarray, mirror: np.ndarray, config: SupportConfig
) -> SymmetricWeights:
    """Add the nearest joints up to `most` per vertex, dearest first, while the budget lasts."""
    middle = mirror == np.arange(len(mirror))
    dense[middle] = 0.5 * (dense[middle] + dense[middle][:, mirror_joints()])
    rank = np.argsort(np.argsort(-(near + 10 * (dense > 0)), axis=1, kind="stable"), axis=1)
    wanted = (rank < config.most) & (near > 1e-6) & (dense == 0)
    wanted |= wanted[mirror][:, mirror_joints()]
    extra = SymmetricWeights.of(np.where(wanted & (dense == 0), near, 0.0), mirror)
    held = len(SymmetricWeights.of(dense, mirror))
    kept = np.argsort(-extra.value, kind="stable")[: max(0, weight_budget(len(mirror)) - held)]
    value = np.zeros(len(extra))
    value[kept] = FLOOR
    dense = np.maximum(dense, extra.dense(value))
    return SymmetricWeights.of(dense / dense.sum(axis=1, keepdims=True), mirror)
