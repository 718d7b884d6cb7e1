"""From the solution of a photo fit to its result: the metric head, what each photo saw, sigmas."""

import math
from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rigface.fit.iris import HeadSize, gaze, head_size
from rigface.fit.known_views import KnownViews
from rigface.fit.models import FitModels, build_models
from rigface.fit.parts import Head, assemble_head, follow
from rigface.fit.photo_fit import PhotoFit
from rigface.fit.photo_gate import judge_photos
from rigface.fit.photo_result import FocalHow, PhotoResult, PhotoView
from rigface.fit.registration_result import Registration
from rigface.fit.result import FittedRig
from rigface.fit.rig_pose import fitted_rig
from rigface.geometry.similarity import Similarity
from rigface.models.asm import AsmModel
from rigface.models.identity import AsmIdentity
from rigface.models.jnr_identity import JnrIdentity
from rigface.models.linear import LinearModel
from rigface.models.posed import POSE, PosedModel
from rigface.rig.template import Template

POPULATION_SIZE_SIGMA = 0.042
"""Spread of the logarithm of an adult face's size (docs/prior_card.md)."""
SHOWN = 0.01
"""Expression weights below are left out of a photo's."""


def photo_outcome(
    fit: PhotoFit, x: Float[Tensor, " params"], asm: Float[Tensor, " asm"] | None = None
) -> PhotoResult:
    """The rigged head at the solution; `asm` are variables that the prior does not bind."""
    values = fit.views.table.unpack(x)
    registration, models = _registration(fit, values["identity"], asm)
    covariance = _covariance(fit, x)
    size = _size(fit, x, follow(fit.template, registration.vertices), covariance)
    head, rig = _head(fit.template, registration, models, size.scale)
    views = tuple(_view(fit, x, view, head, size) for view in range(len(fit.photos)))
    expressions = None if fit.views.shared else values["expression"].numpy()
    verdict = judge_photos(views, expressions, size)
    return PhotoResult(
        template=fit.template,
        model=registration.model,
        x=registration.x,
        identity=values["identity"][: fit.modes].numpy(),
        rests=values["identity"][fit.modes :].numpy(),
        variables=int(fit.box(("identity", "expression")).free.sum()),
        head=head,
        rig=rig,
        views=views,
        size=size,
        sigma=size.scale * _vertex_sigma(fit, x, covariance),
        focal_how=_focal_how(fit),
        ok=verdict.reason is None,
        reason=verdict.reason,
        warnings=(*fit.chosen.warnings, *verdict.warnings),
        settings={"model": registration.model.name, **asdict(fit.config)},
    )


def _registration(
    fit: PhotoFit, identity: Float[Tensor, " modes"], asm: Float[Tensor, " asm"] | None
) -> tuple[Registration, FitModels]:
    """The neutral head as a scan's fit would hand it back."""
    models = build_models(fit.template, "asm", 2, False)
    x = fit.model.table.zeros()
    x[fit.model.table.slices["identity"]] = identity
    if isinstance(fit.model, JnrIdentity):
        face = fit.model.jnr.without_shapes()
        inner = face.table.unpack(fit.model.own(x))
        models = replace(models, face=face)
    elif isinstance(fit.model, AsmIdentity):
        whole = fit.model.asm_parameters(x) if asm is None else asm
        bones = fit.model.asm.table.unpack(whole)
        assert isinstance(models.face, AsmModel)
        face = models.face.on(models.face.template + fit.model.rest_offset(x))
        inner = {name: bones[name] for name in face.table.slices}
    else:
        assert isinstance(fit.model, LinearModel)
        face, inner = fit.model.neutral(), {"identity": identity}
        models = replace(models, face=face, shape=face)
    posed = PosedModel.build(face)
    own = torch.cat([torch.zeros(POSE.size, dtype=identity.dtype), face.table.pack(inner)])
    return Registration(posed, own, ()), models


def _head(
    template: Template, registration: Registration, models: FitModels, scale: float
) -> tuple[Head, FittedRig]:
    rig = fitted_rig(models, registration, scale)
    return assemble_head(template, scale * registration.vertices, rig.skin_linear), rig


def _size(
    fit: PhotoFit,
    x: Float[Tensor, " params"],
    moved: Mapping[str, Similarity],
    covariance: Float[Tensor, "params params"],
) -> HeadSize:
    """The surer of irises with the population, and known cameras: these know better if they are in
    metres and far enough from each other."""
    own = _own_size(fit, x, moved)
    if not isinstance(fit.views, KnownViews) or not fit.chosen.metric_cameras:
        return own
    if len(fit.photos) < 2:  # one tells no distance
        return own
    variance = float(covariance.diagonal()[fit.views.table.slices["log_scale"]])
    return min(fit.views.head_size(x, variance), own, key=lambda size: size.log_sigma)


def _own_size(
    fit: PhotoFit, x: Float[Tensor, " params"], moved: Mapping[str, Similarity]
) -> HeadSize:
    """Each photo's irises give one answer, the population's counts once."""
    centres, radii = _eyeballs(fit.template, moved)
    answers = [
        head_size(face, centres, radii, fit.views.camera(x, view), POPULATION_SIZE_SIGMA)
        for view, face in enumerate(fit.faces)
    ]
    seen = [answer for answer in answers if answer.from_iris is not None]
    if not seen:
        return answers[0]
    return sorted(seen, key=lambda answer: answer.scale)[len(seen) // 2]


def _view(
    fit: PhotoFit, x: Float[Tensor, " params"], view: int, head: Head, size: HeadSize
) -> PhotoView:
    face, points = fit.faces[view], fit.rows[view].plain
    camera = fit.views.camera(x, view)
    camera = camera.moved(camera.rotation, size.scale * camera.translation)
    weights = fit.views.head(x, view)[fit.model.table["identity"].size :].tolist()
    names = fit.template.expressions.names
    miss = np.linalg.norm(fit.views.pixels(x, view, points).numpy() - points.pixels, axis=1)
    centres, radii = _eyeballs(fit.template, head.moved)
    looks = {
        side: gaze(centres[row], float(radii[row]), face.iris[row, 0], camera)
        for row, side in enumerate("RL")
        if face.iris_seen[row]
    }
    forward = -(camera.rotation @ torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
    return PhotoView(
        photo=fit.photos[view],
        face=face,
        camera=camera,
        expression={n: w for n, w in zip(names, weights, strict=True) if w > SHOWN},
        gaze=looks,
        reprojection_percent=100 * float(np.median(miss)) / face.interocular,
        yaw=math.atan2(-float(forward[0]), float(forward[2])),
    )


def _eyeballs(
    template: Template, parts: Mapping[str, Similarity]
) -> tuple[Float[np.ndarray, "2 3"], Float[np.ndarray, "2"]]:
    """Centres and radii, right eye first."""
    balls = [(parts[f"eyeball.{side}"], template.eyeballs[side]) for side in "RL"]
    centres = np.array([moved.apply(ball.centre) for moved, ball in balls])
    return centres, np.array([moved.scale * ball.radius for moved, ball in balls])


def _focal_how(fit: PhotoFit) -> FocalHow:
    if isinstance(fit.views, KnownViews):
        return "cameras"
    told = all(photo.focal_px is not None for photo in fit.photos)
    return "from the file" if told else "estimated"


def _covariance(fit: PhotoFit, x: Float[Tensor, " params"]) -> Float[Tensor, "params params"]:
    """Posterior of all parameters: the inverse of the solver's Hessian; zero where held."""
    free = fit.loose(x)
    hessian = fit.energy(x, contour=True).quadratic(x, free).hessian[free][:, free]
    out = torch.zeros(len(x), len(x), dtype=x.dtype)
    where = torch.nonzero(free)[:, 0]
    floor = 1e-9 * torch.eye(len(hessian), dtype=x.dtype)
    out[where[:, None], where] = torch.linalg.inv(hessian + floor)
    return out


def _vertex_sigma(
    fit: PhotoFit, x: Float[Tensor, " params"], covariance: Float[Tensor, "params params"]
) -> Float[np.ndarray, " skin"]:
    """Posterior spread of the neutral skin.

    Poses, lenses and expressions are marginalised; the head as a whole may move and grow.
    """
    table = fit.views.table
    modes = fit.model.table["identity"].size
    run = table.slices["identity"]
    where = torch.nonzero(covariance.diagonal()[run] > 0)[:, 0]
    shared = covariance[run, run][where][:, where]
    root = torch.linalg.cholesky(shared + 1e-12 * torch.eye(len(where), dtype=x.dtype))
    rest = fit.model.table.zeros()
    rest[:modes] = table.unpack(x)["identity"]
    everything = np.arange(fit.template.parts["skin"].vertices.stop)[:, None]
    _, motion = fit.model.points(rest, everything, np.ones(everything.shape))
    spread = motion[..., where] @ root
    return spread.square().sum(dim=(1, 2)).sqrt().numpy()
