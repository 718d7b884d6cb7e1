"""From a population of heads to a Gaussian over ASM's bone variables.

A PCA of fitted bone variables would mostly learn what the surface cannot see (a bone's shift that
its neighbours undo). So the PCA is taken where heads can be compared, in vertex space, and its
mean and modes are carried to tau by one regularised linear map: the least-squares inverse of ASM's
derivative at the mean, with the quadratic form of Eq. 12.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve

from rigface.geometry.similarity import align_points
from rigface.learn.population import Population, mirrored
from rigface.models.asm import AsmModel
from rigface.models.identity import AsmIdentity
from rigface.rig.skin_metric import training_metric, vertex_weights
from rigface.rig.template import Template

BONE_NUMBERS = 9


@dataclass(frozen=True)
class TrainConfig:
    """How vertex modes become bone modes."""

    rank: int = 60
    sigma: float = 1e-3
    """Metres; a head that is off by this (RMS) costs as much as all bone numbers being off by
    their sigma of the parameter table (RMS)."""
    mean_steps: int = 25
    """At most so many Gauss-Newton steps for the mean, halved where they go wrong."""
    mean_gain: float = 1e-3
    """Relative gain below which they end."""


@dataclass(frozen=True)
class VertexPca:
    """Mean and modes of one standard deviation, orthogonal under the vertex weights."""

    mean: Float[np.ndarray, "verts 3"]
    modes: Float[np.ndarray, "modes verts 3"]
    total: float
    """Weighted second moment of all heads, m^2."""
    variance: Float[np.ndarray, " modes"]
    """What each mode holds of it, m^2."""


@dataclass(frozen=True)
class TrainedPrior:
    """Bone space and vertex space side by side."""

    mean: Float[np.ndarray, "bones 9"]
    modes: Float[np.ndarray, "modes bones 9"]
    pca: VertexPca
    mean_error: float
    """RMS distance of ASM's mean face from the population's, metres."""


def vertex_pca(
    heads: Float[np.ndarray, "heads verts 3"],
    weights: Float[np.ndarray, " heads"],
    mean: Float[np.ndarray, "verts 3"],
    template: Template,
    rank: int,
) -> VertexPca:
    """Principal directions of the weighted second moment about `mean`, mirror images included.

    About the mean of adults rather than that of all heads: zero is then an adult, and how far
    children are from it counts as variance, so that they stay in reach.
    """
    metric = np.sqrt(training_metric(template))[:, None]
    both = np.concatenate([heads, mirrored(heads, template)]) - mean
    share = np.sqrt(np.tile(weights, 2) / 2)
    rows = (both * metric).reshape(len(both), -1) * share[:, None]
    value, vector = np.linalg.eigh(rows @ rows.T)
    lead = vector[:, ::-1][:, :rank]
    # Largest entry positive: eigenvectors are defined up to sign.
    lead = lead * np.sign(lead[np.abs(lead).argmax(axis=0), np.arange(lead.shape[1])])
    modes = np.tensordot((lead * share[:, None]).T, both, axes=1)
    return VertexPca(mean, modes, float(value.sum()), value[::-1][:rank].copy())


def train_prior(
    population: Population,
    asm: AsmModel,
    template: Template,
    config: TrainConfig = TrainConfig(),
) -> TrainedPrior:
    """PCA of the heads that are not held out, then mean and modes as bone variables."""
    used = ~population.held_out
    pca = vertex_pca(
        population.heads[used], population.weights[used], population.mean, template, config.rank
    )
    metric = training_metric(template)
    mean = fit_mean(asm, pca.mean, template, metric, config)
    inverse = BoneInverse.at(asm, mean, metric, config)
    modes = inverse.apply(pca.modes)
    error = _posed(asm, mean) - pca.mean
    face = template.regions["face"][template.parts["skin"].vertices]
    rms = float(np.sqrt(vertex_weights(template)[face] @ (error[face] ** 2).sum(-1)))
    return TrainedPrior(mean, modes, pca, rms)


def fit_mean(
    asm: AsmModel,
    target: Float[np.ndarray, "verts 3"],
    template: Template,
    metric: Float[np.ndarray, " verts"],
    config: TrainConfig,
) -> Float[np.ndarray, "bones 9"]:
    """Bone variables whose skin is the target: a similarity of the root, then Gauss-Newton.

    Eq. 12 pulls towards that similarity, so size costs nothing.
    """
    face = template.regions["face"][template.parts["skin"].vertices]
    rest = asm.template.numpy()
    start = root_similarity(asm, rest, target, face)
    tau, best = start, np.inf
    step = np.zeros_like(start)
    for _ in range(config.mean_steps):
        inverse = BoneInverse.at(asm, tau + step, metric, config)
        energy = inverse.energy(target, tau + step - start)
        if energy < best:
            gain, tau, best = best - energy, tau + step, energy
            if gain < config.mean_gain * energy:
                break
            step = inverse.apply(target - inverse.vertices, pull=start - tau)
        else:
            step = step / 2
    return tau


def root_similarity(
    asm: AsmModel,
    rest: Float[np.ndarray, "verts 3"],
    target: Float[np.ndarray, "verts 3"],
    face: np.ndarray,
) -> Float[np.ndarray, "bones 9"]:
    """Scale and shift of the root bone alone that bring the face to the target's size and place."""
    move = align_points(rest[face], target[face])
    (root,) = (j for j, parent in enumerate(asm.parents) if parent < 0)
    place = asm.bind0[root].numpy()
    middle = rest[face].mean(axis=0)
    tau = np.zeros((len(asm.parents), BONE_NUMBERS))
    # v' = place + t + s (v - place), and the middle of the face must land where it should.
    tau[root, 3:6] = move.apply(middle) - place - move.scale * (middle - place)
    tau[root, 6:9] = np.log(move.scale)
    return tau


@dataclass(frozen=True)
class BoneInverse:
    """Vertex displacements to bone variables, linearised at some tau."""

    vertices: Float[np.ndarray, "verts 3"]
    jacobian: Float[np.ndarray, "coordinates numbers"]
    metric: Float[np.ndarray, " coordinates"]
    factor: tuple[np.ndarray, bool]
    prior: Float[np.ndarray, " numbers"]

    @staticmethod
    def at(
        asm: AsmModel,
        tau: Float[np.ndarray, "bones 9"],
        metric: Float[np.ndarray, " verts"],
        config: TrainConfig,
    ) -> "BoneInverse":
        """Factor J^T W J / sigma^2 + P once, with W and P of unit trace."""
        numbers = tau.size
        every = torch.eye(numbers, dtype=torch.float64).reshape(numbers, *tau.shape)
        free = AsmIdentity.of(_neutral(asm), torch.from_numpy(tau), every)
        ids = np.arange(len(metric))[:, None]
        x = free.table.zeros()
        vertices, jacobian = free.points(x, ids, np.ones((len(ids), 1)))
        flat = jacobian.numpy().reshape(-1, numbers)
        weight = np.repeat(metric / metric.sum(), 3) / config.sigma**2
        sigma = np.concatenate(
            [np.full(3, asm.table[name].sigma) for name in ("rotation", "translation", "log_scale")]
        )
        prior = np.tile(1 / sigma**2, len(tau)) / numbers
        normal = flat.T @ (weight[:, None] * flat) + np.diag(prior)
        return BoneInverse(vertices.numpy(), flat, weight, cho_factor(normal), prior)

    def energy(
        self, target: Float[np.ndarray, "verts 3"], change: Float[np.ndarray, "bones 9"]
    ) -> float:
        """What the steps minimise."""
        miss = (self.vertices - target).ravel()
        return float(self.metric @ miss**2 + self.prior @ change.ravel() ** 2) / 2

    def apply(
        self,
        displacement: Float[np.ndarray, "*batch verts 3"],
        pull: Float[np.ndarray, "bones 9"] | None = None,
    ) -> Float[np.ndarray, "*batch bones 9"]:
        """Bone steps whose skin motion is nearest; `pull` is where Eq. 12 wants to step."""
        batch = displacement.shape[:-2]
        rows = displacement.reshape(-1, len(self.metric)) * self.metric
        right = rows @ self.jacobian
        if pull is not None:
            right = right + self.prior * pull.ravel()
        return cho_solve(self.factor, right.T).T.reshape(*batch, -1, BONE_NUMBERS)


def _neutral(asm: AsmModel) -> AsmModel:
    """The model without expressions."""
    return replace(asm, shapes=asm.shapes[:0], memory={})


def _posed(asm: AsmModel, tau: Float[np.ndarray, "bones 9"]) -> Float[np.ndarray, "verts 3"]:
    empty = torch.zeros(0, *tau.shape, dtype=torch.float64)
    mean = AsmIdentity.of(_neutral(asm), torch.from_numpy(tau), empty)
    return mean.vertices(mean.table.zeros()).numpy()
