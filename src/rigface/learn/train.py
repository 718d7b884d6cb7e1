"""`train_identity_prior`: data in, a prior file and its model card out."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rigface.datasets.ict import load_ict
from rigface.errors import InputError
from rigface.learn.evaluate import reach
from rigface.learn.model_card import model_card
from rigface.learn.population import ICT, LICENCES, Population, PopulationConfig, build_population
from rigface.learn.prior import TrainConfig, TrainedPrior, train_prior
from rigface.models.asm import AsmModel
from rigface.models.identity import AsmIdentity
from rigface.models.identity_prior import IdentityPrior, write_prior
from rigface.models.linear import LinearModel
from rigface.progress import NullProgress, Progress
from rigface.rig.rig import load_rig
from rigface.rig.template import Template
from rigface.rig.template_io import load_template
from rigface.solve.threads import one_thread

MOST_FLOATS = 50_000
GAUSSIANS = 2


@dataclass(frozen=True)
class PriorRecipe:
    """Everything that decides the file, beside the data."""

    population: PopulationConfig = PopulationConfig()
    training: TrainConfig = TrainConfig()


def train_identity_prior(
    ict: Path,
    out: Path,
    recipe: PriorRecipe = PriorRecipe(),
    progress: Progress | None = None,
) -> IdentityPrior:
    """Learn an identity prior and write `out` (safetensors) and `out` with suffix .md.

    The same data, recipe, machine and thread count give the same bytes.

    Raises InputError if the data or the package `anny` is missing, or the rank is too large.
    """
    watch = NullProgress() if progress is None else progress
    template, asm = load_template(), AsmModel.build(load_template(), load_rig(k=GAUSSIANS))
    floats = (recipe.training.rank + 1) * 9 * len(asm.parents)
    if floats > MOST_FLOATS:
        raise InputError(
            f"rank {recipe.training.rank} makes a prior of {floats:,} numbers; at most "
            f"{MOST_FLOATS:,} are meant to ship. Ask for a smaller rank."
        )
    with watch.stage("population"), one_thread():
        population = build_population(load_ict(ict), template, recipe.population)
    with watch.stage("train"), one_thread():
        trained = train_prior(population, asm, template, recipe.training)
    with watch.stage("evaluate"), one_thread():
        facts = _facts(population, trained, asm, template, recipe)
    prior = IdentityPrior(trained.mean, trained.modes, GAUSSIANS, facts)
    with watch.stage("write"):
        write_prior(out, prior)
        out.with_suffix(".md").write_text(model_card(prior), encoding="utf-8")
    return prior


def _facts(
    population: Population,
    trained: TrainedPrior,
    asm: AsmModel,
    template: Template,
    recipe: PriorRecipe,
) -> dict[str, Any]:
    model = AsmIdentity.of(
        replace(asm, memory={}), torch.from_numpy(trained.mean), torch.from_numpy(trained.modes)
    )
    faces = template.mesh.faces[template.parts["skin"].faces]
    pca = LinearModel.build("pca", trained.pca.mean, faces, trained.pca.modes)
    groups = np.array(population.groups)
    sizes = {g: population.log_scale[groups == g] for g in dict.fromkeys(population.groups)}
    return {
        "recipe": asdict(recipe),
        "rank": len(trained.modes),
        "floats": int(trained.mean.size + trained.modes.size),
        "heads": {g: int((groups == g).sum()) for g in sizes},
        "held_out": int(population.held_out.sum()),
        "explained": _rounded(np.cumsum(trained.pca.variance) / trained.pca.total, 4),
        "mean_error_mm": round(1e3 * trained.mean_error, 3),
        "log_scale_sigma": round(float(sizes[ICT].std()), 4),
        "log_scale": {
            g: [round(float(v.mean()), 3), round(float(v.std()), 3)] for g, v in sizes.items()
        },
        "reach": [
            {k: v if isinstance(v, str | int) else round(v, 3) for k, v in asdict(row).items()}
            for row in reach(model, pca, population, template)
        ],
        "licences": dict(LICENCES),
    }


def _rounded(values: np.ndarray, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]
