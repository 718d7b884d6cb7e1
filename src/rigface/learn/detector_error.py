"""The detector's error learned from renders of known heads, by expectation maximisation.

Model. In view n the landmark l is seen beside the picture of its place by, to first order,

    e_nl = J_nl (mean_l + modes_l c_n) + P_nl a_n + noise_nl,      c_n ~ N(0, I),
                                                      noise_nl ~ N(0, sigma_l^2 I_2).

J_nl is the derivative of the picture with respect to the place, in model space. P_nl a_n is what
another pose or focal length would do: a fit never knows them either, so the model must not explain
by the detector what the camera explains. a_n has a wide Gaussian prior. Everything in the picture
is divided by the largest |J_nl| of the view, pixels per metre: errors and sigmas are in metres.

E-step. The posterior of x_n = (c_n, a_n) is Gaussian, with A_nl = (J_nl modes_l, P_nl) and D the
precision of the priors:

    C_n = (D + sum_l A_nl^T A_nl / sigma_l^2)^-1,   E x_n = C_n sum_l A_nl^T (e_nl - J_nl mean_l) /
                                                                                       sigma_l^2.

M-step. W_l = (mean_l, modes_l) is the least-squares solution of J_nl W_l f_n = e_nl - P_nl a_n in
expectation, with f_n = (1, c_n) and a ridge for landmarks that are seldom seen; sigma_l^2 is what
is left, in expectation, with the weight of a few pseudo-observations. Then c is rescaled to zero
mean and unit covariance over the views (parameter expansion; Liu, Rubin and Wu 1998, Biometrika
85): where the noise is small, the scale of the modes would hardly move otherwise.
"""

from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rigface.fit.views import CENTRE
from rigface.geometry.rotations import skew
from rigface.learn.detector_views import DetectedView

TURN, SHIFT, ZOOM = 0.1, 0.01, 0.1
"""Units of the nuisances: radians, metres, and relative focal length."""
POSE_COUNT = 7
POSE_PRECISION = 1e-2
"""Of the nuisances, in these units: ten of them are one standard deviation."""
_CHUNK = 64
"""Views that are worked on at once: bounds the memory."""


@dataclass(frozen=True)
class ErrorRows:
    """The linearised observations; see the module. Metres in the picture."""

    error: Float[Tensor, "views marks 2"]
    slope: Float[Tensor, "views marks 2 3"]
    """J."""
    pose: Float[Tensor, "views marks 2 7"]
    """P: three rotations, three translations, focal length."""
    visible: Bool[Tensor, "views marks"]

    def only(self, views: Tensor | slice) -> "ErrorRows":
        """Of some views: their numbers, a mask or a slice."""
        return ErrorRows(
            self.error[views], self.slope[views], self.pose[views], self.visible[views]
        )

    def seen(self, visible: Bool[Tensor, "views marks"]) -> "ErrorRows":
        """With other landmarks taken for visible."""
        return replace(self, visible=visible)


@dataclass(frozen=True)
class ErrorModel:
    """mean + modes c, and the noise; metres, model space."""

    mean: Float[Tensor, "marks 3"]
    modes: Float[Tensor, "marks 3 modes"]
    sigma: Float[Tensor, " marks"]


@dataclass(frozen=True)
class EmConfig:
    """What the learned model depends on, beside the data."""

    rank: int = 30
    iterations: int = 20
    ridge: float = 5e-4
    """Of the modes, as share of the views."""
    mean_ridge: float = 1e-3
    """Of the mean: also settles what a pose could explain as well."""
    sigma_guess: float = 1e-3
    """Metres, worth `sigma_views` observations."""
    sigma_views: float = 20.0
    sigma_floor: float = 3e-4
    seed: int = 0
    """Of the first modes."""


@dataclass(frozen=True)
class Posterior:
    """Of x = (c, a) in some views."""

    mean: Float[Tensor, "views unknowns"]
    covariance: Float[Tensor, "views unknowns unknowns"]
    log_likelihood: Float[Tensor, " views"]
    """Of the visible landmarks, everything unknown integrated out."""


def error_rows(views: list[DetectedView]) -> ErrorRows:
    """The observations of the views, linearised about the true heads and cameras."""
    parts = [_rows_of(view) for view in views]
    return ErrorRows(*(torch.stack(column) for column in zip(*parts, strict=True)))


def posterior(rows: ErrorRows, model: ErrorModel) -> Posterior:
    """The E-step for some views."""
    rank = model.modes.shape[-1]
    a = torch.cat([rows.slope @ model.modes, rows.pose], dim=-1)
    left = rows.error - (rows.slope @ model.mean[..., None])[..., 0]
    root = rows.visible / model.sigma
    a, left = (a * root[..., None, None]).flatten(1, 2), (left * root[..., None]).flatten(1)
    prior = torch.ones(rank + POSE_COUNT, dtype=a.dtype)
    prior[rank:] = POSE_PRECISION
    factor = torch.linalg.cholesky(a.mT @ a + torch.diag(prior))
    right = (a.mT @ left[..., None])[..., 0]
    mean = torch.cholesky_solve(right[..., None], factor)[..., 0]
    log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1) - prior.log().sum()
    noise = 2 * (rows.visible * (2 * torch.pi * model.sigma**2).log()).sum(-1)
    power = (left**2).sum(-1) - (right * mean).sum(-1)
    return Posterior(mean, torch.cholesky_inverse(factor), -(noise + power + log_det) / 2)


def fit_detector_error(
    rows: ErrorRows, config: EmConfig = EmConfig()
) -> tuple[ErrorModel, list[float]]:
    """The model, its modes orthogonal and the largest first, and the log posterior per iteration.

    The log posterior (likelihood and the priors that ridge and pseudo-observations stand for)
    never decreases. A landmark that is never visible has no error and the sigma of the guess.
    """
    marks = rows.visible.shape[1]
    rng = np.random.default_rng(config.seed)
    modes = torch.from_numpy(rng.normal(size=(marks, 3, config.rank)) * 1e-3).to(rows.error)
    model = ErrorModel(
        modes.new_zeros(marks, 3), modes, 2 * config.sigma_guess + 0 * modes[:, 0, 0]
    )
    ridge = _ridge(len(rows.error), config).to(modes)
    history = []
    for _ in range(config.iterations):
        moments = _moments(rows, model)
        history.append(moments.log_likelihood + _log_prior(model, ridge, config))
        model = _maximise(moments, ridge, config)
    return _principal(model), history


@dataclass(frozen=True)
class _Moments:
    """Sums over the views that see a landmark, in expectation; W as 3 x (1 + modes), flat."""

    seen: Float[Tensor, " marks"]
    codes: Float[Tensor, "one_and_modes one_and_modes"]
    """f f^T; its corner counts the views."""
    gram: Float[Tensor, "marks weights weights"]
    """J^T J (x) f f^T."""
    cross: Float[Tensor, "marks weights"]
    """J^T (e - P a) f^T."""
    power: Float[Tensor, " marks"]
    """|e - P a|^2."""
    log_likelihood: float

    def __add__(self, other: "_Moments") -> "_Moments":
        return _Moments(
            self.seen + other.seen,
            self.codes + other.codes,
            self.gram + other.gram,
            self.cross + other.cross,
            self.power + other.power,
            self.log_likelihood + other.log_likelihood,
        )


def _moments(rows: ErrorRows, model: ErrorModel) -> _Moments:
    chunks = [
        _chunk_moments(part, posterior(part, model))
        for start in range(0, len(rows.error), _CHUNK)
        for part in [rows.only(slice(start, start + _CHUNK))]
    ]
    return reduce(add, chunks)


def _chunk_moments(rows: ErrorRows, found: Posterior) -> _Moments:
    views, marks = rows.visible.shape
    rank = found.mean.shape[1] - POSE_COUNT
    c, a = found.mean[:, :rank], found.mean[:, rank:]
    f = torch.cat([torch.ones_like(c[:, :1]), c], dim=1)
    ff = f[:, :, None] * f[:, None, :]
    ff[:, 1:, 1:] += found.covariance[:, :rank, :rank]
    shared, own = found.covariance[:, rank:, :rank], found.covariance[:, rank:, rank:]
    visible = rows.visible[..., None, None].to(f)
    pose, slope = rows.pose * visible, rows.slope * visible
    left = (rows.error - (rows.pose @ a[:, None, :, None])[..., 0]) * visible[..., 0]

    jj = (slope.mT @ slope).reshape(views, marks * 9)
    gram = (jj.T @ ff.reshape(views, -1)).reshape(marks, 3, 3, rank + 1, rank + 1)
    cross = (slope.mT @ left[..., None]).reshape(views, marks * 3).T @ f
    # E[a c^T] is not E[a] E[c]^T: what the pose may take over from the modes in this view
    jp = (slope.mT @ pose).permute(1, 2, 0, 3).reshape(marks * 3, views * POSE_COUNT)
    cross[:, 1:] -= jp @ shared.reshape(views * POSE_COUNT, rank)
    power = (left**2).sum((0, 2)) + ((pose @ own[:, None]) * pose).sum((0, 2, 3))
    return _Moments(
        visible.sum((0, 2, 3)),
        ff.sum(0),
        gram.transpose(2, 3).reshape(marks, 3 * (rank + 1), 3 * (rank + 1)),
        cross.reshape(marks, 3 * (rank + 1)),
        power,
        float(found.log_likelihood.sum()),
    )


def _maximise(moments: _Moments, ridge: Tensor, config: EmConfig) -> ErrorModel:
    gram = moments.gram + torch.diag(ridge)
    w = torch.linalg.solve(gram, moments.cross)
    left = moments.power - (w * moments.cross).sum(-1)  # with the ridge's part of the energy
    weight = 2 * (moments.seen + config.sigma_views)
    guess = 2 * config.sigma_views * config.sigma_guess**2
    sigma = ((left.clamp_min(0) + guess) / weight).sqrt().clamp_min(config.sigma_floor)
    # Parameter expansion: f = L f', with c' of zero mean and unit covariance over the views.
    w = w.reshape(len(w), 3, -1) @ torch.linalg.cholesky(moments.codes / moments.codes[0, 0])
    return ErrorModel(w[..., 0], w[..., 1:], sigma)


def _ridge(views: int, config: EmConfig) -> Float[Tensor, " weights"]:
    own = torch.full((3, config.rank + 1), config.ridge * views / 3, dtype=torch.float64)
    own[:, 0] = config.mean_ridge * views
    return own.flatten()


def _log_prior(model: ErrorModel, ridge: Tensor, config: EmConfig) -> float:
    """Of the priors that make `_maximise` the exact maximum, up to a constant."""
    w = torch.cat([model.mean[..., None], model.modes], dim=-1).flatten(1)
    cost = (ridge * w**2).sum(-1) + 2 * config.sigma_views * config.sigma_guess**2
    each = -cost / (2 * model.sigma**2) - 2 * config.sigma_views * model.sigma.log()
    return float(each.sum())


def _principal(model: ErrorModel) -> ErrorModel:
    """The same distribution with orthogonal modes, the largest first, their largest number > 0."""
    flat = model.modes.flatten(0, 1)
    left, size, _ = torch.linalg.svd(flat, full_matrices=False)
    modes = (left * size)[:, : flat.shape[1]]
    top = modes.gather(0, modes.abs().argmax(0, keepdim=True))
    return replace(
        model, modes=(modes * torch.where(top < 0, -1.0, 1.0)).reshape(model.modes.shape)
    )


def _rows_of(view: DetectedView) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    camera, place = view.camera.to(torch.float64), torch.from_numpy(view.place)
    pixels, _ = camera.project(place)
    slope = camera.project_jacobian(place)
    unit = slope.abs().max()  # pixels per metre, about
    arm = place - torch.tensor(CENTRE, dtype=place.dtype)
    # A rotation vector r moves a place by r x arm = -skew(arm) r.
    turn = slope @ skew(-arm) * TURN
    zoom = (pixels - camera.centre)[..., None] * ZOOM
    pose = torch.cat([turn, slope * SHIFT, zoom], dim=-1)
    visible = torch.from_numpy(view.visible)
    seen = torch.where(visible[:, None], torch.from_numpy(view.seen), pixels)  # no NaN beyond here
    return (seen - pixels) / unit, slope / unit, pose / unit, visible
