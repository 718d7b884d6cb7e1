"""`train_detector_error`: heads in, a file of the detector's error and its model card out."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rigface.datasets.ict import load_ict
from rigface.errors import InputError
from rigface.learn.detector_card import detector_card
from rigface.learn.detector_error import EmConfig, ErrorModel, error_rows, fit_detector_error
from rigface.learn.detector_figures import Explained, explained
from rigface.learn.detector_views import DetectedView, ViewsConfig, detect_views
from rigface.learn.ict_heads import carry_ict
from rigface.learn.population import LICENCES, Population, PopulationConfig, sample_population
from rigface.perception import FaceDetector, load_detector
from rigface.progress import NullProgress, Progress
from rigface.rig.detector_error import DetectorError, write_detector_error
from rigface.rig.template_io import load_template
from rigface.solve.threads import one_thread


@dataclass(frozen=True)
class DetectorRecipe:
    """Everything that decides the file, beside the data and the detector."""

    population: PopulationConfig = PopulationConfig(ict_heads=160, anny_per_group=8, seed=5)
    """Its share of held-out heads is for the figures only: the model that ships has seen all."""
    views: ViewsConfig = ViewsConfig()
    em: EmConfig = EmConfig()


def train_detector_error(
    ict: Path,
    out: Path,
    recipe: DetectorRecipe = DetectorRecipe(),
    progress: Progress | None = None,
    detector: FaceDetector | None = None,
) -> DetectorError:
    """Learn a detector's error and write `out` (safetensors) and `out` with suffix .md.

    `detector` is mediapipe's by default. The same data, recipe and machine give the same bytes.

    Raises InputError if the data or the package `anny` is missing or the detector finds no face,
    and MissingExtraError if the detector is not installed.
    """
    watch = NullProgress() if progress is None else progress
    detector = load_detector("mediapipe") if detector is None else detector
    template = load_template()
    with watch.stage("population"), one_thread():
        # The faces that are registered are those of the identity prior, whatever the seed here.
        population = sample_population(
            carry_ict(load_ict(ict), template, recipe.population.registered),
            template,
            recipe.population,
        )
    with watch.stage("views"), one_thread():
        views = detect_views(population.heads, template, detector, recipe.views, watch)
    with watch.stage("train"), one_thread():
        error = learn_from_views(views, population, recipe)
    with watch.stage("write"):
        write_detector_error(out, error)
        out.with_suffix(".md").write_text(detector_card(error), encoding="utf-8")
    return error


def learn_from_views(
    views: list[DetectedView], population: Population, recipe: DetectorRecipe = DetectorRecipe()
) -> DetectorError:
    """The model of all views, with the figures of one that has not seen the held-out heads.

    Raises InputError if there are no views, or none of them shows a head that is held out.
    """
    head = np.array([view.head for view in views], dtype=np.int64)
    held_out = torch.from_numpy(population.held_out[head])
    unseen = int(held_out.sum())
    if unseen in (0, len(views)):
        raise InputError(
            f"the detector found {len(views)} faces, {unseen} of them on heads that are held out "
            "for the figures; both kinds are needed. Draw more heads or larger pictures."
        )
    rows = error_rows(views)
    judge, _ = fit_detector_error(rows.only(~held_out), recipe.em)
    kinds = np.array(population.groups)[head[held_out.numpy()]]
    groups = {"all": np.ones(len(kinds), dtype=bool)}
    groups |= {str(kind): kinds == kind for kind in dict.fromkeys(population.groups)}
    figures = explained(rows.only(held_out), judge, groups)
    model, history = fit_detector_error(rows, recipe.em)
    facts = _facts(views, population, recipe, model, history, figures)
    return DetectorError(model.mean.numpy(), model.modes.numpy(), model.sigma.numpy(), facts)


def _facts(
    views: list[DetectedView],
    population: Population,
    recipe: DetectorRecipe,
    model: ErrorModel,
    history: list[float],
    figures: list[Explained],
) -> dict[str, Any]:
    groups = np.array(population.groups)
    return {
        "recipe": asdict(recipe),
        "detector": views[0].source,
        "rank": model.modes.shape[-1],
        "heads": {g: int((groups == g).sum()) for g in dict.fromkeys(population.groups)},
        "held_out": int(population.held_out.sum()),
        "views": len(views),
        "pictures": recipe.views.per_head * len(groups),
        "log_posterior": [round(value) for value in history],
        "mean_mm": _rms_mm(model.mean.square().sum(-1)),
        "modes_mm": _rms_mm(model.modes.square().sum((1, 2))),
        "sigma_mm": _rms_mm(model.sigma.square()),
        "explained": [row.facts() for row in figures],
        "licences": {**LICENCES, "MediaPipe": "Apache-2.0"},
    }


def _rms_mm(squares: Float[Tensor, " marks"]) -> float:
    return round(1e3 * float(squares.mean().sqrt()), 3)
