"""The photo recipe on several photos: the only place that knows how it is called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from inspect import signature
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from rigface.bench.photo_fits import RecipeModel, linear_ict
from rigface.cameras import Camera
from rigface.errors import UsageError
from rigface.evidence.face import FaceObservation
from rigface.evidence.photo import Photo
from rigface.geometry.similarity import Similarity
from rigface.rig.template import Template

TERMS = ("photometric", "contour", "landmarks", "identity")


@dataclass(frozen=True)
class Recipe:
    """One way to fit."""

    name: str
    model: RecipeModel = "asm"
    paper: bool = False
    off: str | None = None
    """One of `TERMS` that is left out."""
    calibrated: bool = False
    """The cameras are known, in metres."""
    other_expression: bool = False
    """One expression for all photos where the default has one for each, or the other way."""


DEFAULT, PAPER = Recipe("default"), Recipe("paper", paper=True)
LINEAR = Recipe("linear 3DMM", model="linear")
OTHER_EXPRESSION = Recipe("other setting of shared_expression", other_expression=True)
CALIBRATED = Recipe("calibrated", calibrated=True)
ABLATIONS = tuple(Recipe(f"no {term}", off=term) for term in TERMS)


@runtime_checkable
class FittedViews(Protocol):
    """What the bench reads of a `PhotoResult`."""

    @property
    def template(self) -> Template: ...
    @property
    def neutral(self) -> Float[np.ndarray, "verts 3"]: ...
    @property
    def ok(self) -> bool: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def warnings(self) -> Sequence[str]: ...
    @property
    def seconds(self) -> Mapping[str, float]: ...


FitViews = Callable[
    [Sequence[Photo], Sequence[FaceObservation] | None, Recipe, Sequence[Camera] | None],
    FittedViews,
]
"""`fit_views`, or what stands for it in a test."""


def fit_views(
    photos: Sequence[Photo],
    faces: Sequence[FaceObservation] | None,
    recipe: Recipe,
    cameras: Sequence[Camera] | None,
) -> FittedViews:
    """Fit; without `faces` the recipe looks for them itself. `cameras` are cam_from_world.

    Raises UsageError for a recipe that this version of `fit_photos` does not have.
    """
    from rigface.fit.photo import PhotoConfig, PhotoSettings, fit_photos

    settings: dict[str, Any] = {}
    config: dict[str, Any] = {}
    more: dict[str, Any] = {}
    if recipe.off is not None:
        settings[recipe.off] = 0.0
    if recipe.paper:
        config["recipe"] = "paper"
    if recipe.other_expression:
        config["shared_expression"] = not PhotoConfig().shared_expression
    if cameras is not None:
        if "cameras" not in signature(fit_photos).parameters:
            raise UsageError("fit_photos takes no known cameras in this version")
        more["cameras"] = list(cameras)
    if recipe.model == "linear":
        more["model"] = linear_ict()
    config["settings"] = _made(PhotoSettings, settings)
    return fit_photos(list(photos), faces, _made(PhotoConfig, config), **more)


def metric_vertices(result: FittedViews) -> Float[np.ndarray, "verts 3"]:
    """The neutral head in metres of the known cameras' world, or else of the result."""
    placed = getattr(result, "world_from_model", None)
    if placed is None:
        return result.neutral
    return Similarity(placed.scale, placed.rotation, placed.translation).apply(result.neutral)


def _made(kind: Any, values: dict[str, Any]) -> Any:
    """A settings class with these values; raises UsageError for one that it does not have."""
    missing = values.keys() - {field.name for field in fields(kind)}
    if missing:
        raise UsageError(f"{kind.__name__} has no {', '.join(sorted(missing))} in this version")
    return kind(**values)
