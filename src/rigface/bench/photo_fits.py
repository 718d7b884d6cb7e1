"""What is measured of one head: every recipe on every picture of it, and faces without a fit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from rigface.bench.photo_data import SCORED_REGIONS, PhotoHead
from rigface.bench.photo_pictures import Picture, Shot
from rigface.bench.registration_data import data_dir
from rigface.datasets.ict import load_ict, outside_surface
from rigface.errors import RigfaceError
from rigface.evidence.face import FaceObservation
from rigface.evidence.photo import Photo
from rigface.geometry.similarity import align_points
from rigface.learn.ict_heads import carry_ict
from rigface.metrics.now import NowErrors, PredictedFace, aligned_errors, now_errors
from rigface.metrics.outer import outer_surface
from rigface.metrics.spread import vertex_spread
from rigface.models.linear import LinearModel
from rigface.perception import FaceDetector
from rigface.rig.template import Template
from rigface.rig.template_io import load_template

RecipeModel = Literal["asm", "linear"]
NAN = float("nan")


@runtime_checkable
class FittedPhoto(Protocol):
    """What the bench reads of a `PhotoResult`."""

    @property
    def template(self) -> Template: ...
    @property
    def neutral(self) -> Float[np.ndarray, "verts 3"]: ...
    @property
    def reprojection_percent(self) -> float: ...
    @property
    def ok(self) -> bool: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def seconds(self) -> Mapping[str, float]: ...


Fit = Callable[[Photo, FaceObservation, RecipeModel], FittedPhoto]


def fit_picture(photo: Photo, face: FaceObservation, model: RecipeModel) -> FittedPhoto:
    """The photo recipe on one picture; the only place that knows how it is called."""
    from rigface.fit.photo import fit_photos

    space = linear_ict() if model == "linear" else None
    return fit_photos([photo], observations=[face], model=space)


@cache
def linear_ict() -> LinearModel:
    """ICT-FaceKit's identities on the template's skin, with the template's expressions."""
    template = load_template()
    carried = carry_ict(load_ict(data_dir(None) / "ict_facekit"), template)
    skin = template.parts["skin"]
    shapes = template.expressions.dense(len(template.mesh.vertices))[:, skin.vertices]
    faces = template.mesh.faces[skin.faces]
    ours = template.regions["face"][skin.vertices]
    here = align_points(carried.mean[ours], template.mesh.vertices[skin.vertices][ours])
    modes = np.array([here.scale * here.rotate(mode) for mode in carried.modes])
    return LinearModel.build("ICT 3DMM", here.apply(carried.mean), faces, modes, shapes)


@dataclass(frozen=True)
class Score:
    """One predicted face against one head, millimetres."""

    now: NowErrors
    metric: NowErrors
    regions: Mapping[str, float]
    """Mean distance after an alignment of its own, by `SCORED_REGIONS`."""


def score(head: PhotoHead, face: PredictedFace) -> Score:
    """The NoW protocol, its metric variant, and the regions one by one."""
    errors = now_errors(head.truth, face)
    regions = {
        name: aligned_errors(head.points_of(name), face, errors.scan_from_prediction).mean
        for name in SCORED_REGIONS
    }
    return Score(errors, now_errors(head.truth, face, with_scale=False), regions)


def predicted(template: Template, vertices: Float[np.ndarray, "verts 3"]) -> PredictedFace:
    """Outer skin and eyeballs of a head in the template's topology."""
    marks = template.landmarks.positions(vertices, template.mesh.faces)
    return PredictedFace(vertices, outer_surface(template).faces, marks)


def mean_faces(data: Path) -> dict[str, PredictedFace]:
    """The faces that look at no picture: bare template, the mean of ICT-FaceKit."""
    template = load_template()
    ict = load_ict(data / "ict_facekit")
    mesh, _ = outside_surface(ict, ict.mean)
    return {
        "template": predicted(template, template.mesh.vertices),
        "ICT mean": PredictedFace(mesh.vertices, mesh.faces, ict.mean[ict.landmarks68]),
    }


@dataclass(frozen=True)
class Attempt:
    """One recipe on one picture."""

    shot: Shot
    score: Score | None
    """None: no face was found, or the fit failed; `reason` says which."""
    neutral: Float[np.ndarray, "verts 3"] | None = field(default=None, repr=False)
    reprojection: float = NAN
    """Percent of the inter-ocular distance."""
    seconds: float = NAN
    reason: str | None = None


@dataclass(frozen=True)
class Attempts:
    """One recipe on all pictures of one head."""

    head: str
    tries: tuple[Attempt, ...]
    face: np.ndarray = field(repr=False)
    """Vertices whose spread is measured."""

    @cached_property
    def good(self) -> tuple[Attempt, ...]:
        return tuple(one for one in self.tries if one.score is not None)

    def distances(self, metric: bool = False) -> Float[np.ndarray, " points"]:
        """All distances of all pictures, as NoW pools them; none without a fit."""
        scores = [one.score for one in self.good if one.score is not None]
        pooled = [(one.metric if metric else one.now).mm for one in scores]
        return np.concatenate(pooled) if pooled else np.zeros(0)

    def median(self, metric: bool = False) -> float:
        """Over all distances; NaN without a fit."""
        mm = self.distances(metric)
        return float(np.median(mm)) if len(mm) else NAN

    def region(self, name: str) -> float:
        """Mean over the pictures; NaN without a fit."""
        values = [one.score.regions[name] for one in self.good if one.score is not None]
        return float(np.mean(values)) if values else NAN

    def size_error(self) -> float:
        """Mean of |true size / predicted size - 1| in percent, by NoW's scale."""
        scores = [one.score for one in self.good if one.score is not None]
        ratios = [one.now.scan_from_prediction.scale for one in scores]
        return 100 * float(np.mean(np.abs(np.array(ratios) - 1))) if ratios else NAN

    def spread(self, with_scale: bool = False) -> float:
        """Mean spread of the neutral face's vertices over the pictures, mm; NaN below two."""
        shapes = [one.neutral for one in self.good if one.neutral is not None]
        if len(shapes) < 2:
            return NAN
        return float(vertex_spread(np.stack(shapes), self.face, with_scale).mean())


def attempt(
    head: PhotoHead,
    picture: Picture,
    face: FaceObservation | None,
    model: RecipeModel,
    fit: Fit = fit_picture,
) -> Attempt:
    """Fit and score; what a user can be told becomes the reason of a failure."""
    if face is None:
        return Attempt(picture.shot, None, reason="no face found")
    try:
        result = fit(picture.photo, face, model)
    except RigfaceError as error:
        return Attempt(picture.shot, None, reason=str(error))
    if not result.ok:
        return Attempt(picture.shot, None, reason=result.reason or "failed its quality gate")
    return Attempt(
        picture.shot,
        score(head, predicted(result.template, result.neutral)),
        result.neutral,
        result.reprojection_percent,
        float(result.seconds.get("fit", NAN)),
    )


def gather(head: str, tries: list[Attempt], template: Template) -> Attempts:
    """All attempts of one recipe on one head."""
    return Attempts(head, tuple(tries), template.regions["face"])


def first_face(detector: FaceDetector, photo: Photo) -> FaceObservation | None:
    """The face that the command would take."""
    found = detector.detect(photo)
    return found[0] if found else None


@dataclass(frozen=True)
class HeadScores:
    """Everything about one head."""

    head: str
    unfitted: Mapping[str, Score]
    """Faces that look at no picture."""
    recipes: Mapping[str, Attempts]

    def medians(self) -> dict[str, float]:
        """By face and recipe, mm."""
        figures = {name: one.now.median for name, one in self.unfitted.items()}
        return figures | {name: one.median() for name, one in self.recipes.items()}
