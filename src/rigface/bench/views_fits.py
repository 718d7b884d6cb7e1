"""The photo recipe on several photos: the only place that knows how it is called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from rigface.bench.photo_fits import RecipeModel, linear_ict
from rigface.cameras import Camera
from rigface.evidence.face import FaceObservation
from rigface.evidence.photo import Photo
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
    """Fit; without `faces` the recipe looks for them itself. `cameras` are cam_from_world."""
    from rigface.fit.photo import PhotoConfig, PhotoSettings, fit_photos

    off: dict[str, Any] = {} if recipe.off is None else {recipe.off: 0.0}
    shared = PhotoConfig().shared_expression
    config = PhotoConfig(
        shared_expression=not shared if recipe.other_expression else shared,
        recipe="paper" if recipe.paper else "default",
        settings=PhotoSettings(**off),
    )
    model = linear_ict() if recipe.model == "linear" else None
    return fit_photos(photos, faces, config, model=model, cameras=cameras)
