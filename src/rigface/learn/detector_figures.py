"""How much of the detector's error a learned model explains, on heads that it has not seen.

Half of a view's landmarks, at random, tell the pose and the modes; the error is what is left of the
other half, and then the halves change places. So a model with many modes gains nothing from
following the noise of the points that it is shown.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rigface.learn.detector_error import ErrorModel, ErrorRows, posterior

_SEED = 0


@dataclass(frozen=True)
class Explained:
    """Root mean square distances in millimetres of landmarks that had no part in the fit."""

    group: str
    views: int
    pose_mm: float
    """The camera alone is fitted: all landmarks are where the embedding has them."""
    mean_mm: float
    """Camera, with the model's mean."""
    modes_mm: float
    """Camera and modes."""
    z: float
    """RMS of the last over the standard deviation that the model predicts: 1 if it is honest."""

    @property
    def share(self) -> float:
        """Of the squared error that is left by the camera alone, what the model explains."""
        return 1 - (self.modes_mm / self.pose_mm) ** 2

    def facts(self) -> dict[str, str | int | float]:
        """Rounded, with the share, for the header of a file."""
        row = {**asdict(self), "share": self.share}
        return {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}


def explained(
    rows: ErrorRows, model: ErrorModel, groups: Mapping[str, Bool[np.ndarray, " views"]]
) -> list[Explained]:
    """One row for each group of views that is not empty."""
    total = (model.sigma**2 + (model.modes**2).sum((1, 2)) / 3).sqrt()
    places = ErrorModel(0 * model.mean, model.modes[..., :0], torch.full_like(total, 1.0))
    mean = replace(model, modes=model.modes[..., :0], sigma=total)
    left = [_left_over(rows, one)[0] for one in (places, mean)]
    left_by_modes, variance = _left_over(rows, model)
    out = []
    for name, views in groups.items():
        if not views.any():
            continue
        mine = rows.visible & torch.from_numpy(views)[:, None]
        pose_mm, mean_mm, modes_mm = (_rms_mm(one, mine) for one in (*left, left_by_modes))
        z = float((left_by_modes**2 / variance)[mine].mean().sqrt())
        out.append(Explained(name, int(views.sum()), pose_mm, mean_mm, modes_mm, z))
    return out


def _left_over(
    rows: ErrorRows, model: ErrorModel
) -> tuple[Float[Tensor, "views marks 2"], Float[Tensor, "views marks 2"]]:
    """What each half leaves of the other, metres, and its variance under the model."""
    first = torch.from_numpy(np.random.default_rng(_SEED).random(rows.visible.shape) < 0.5)
    left, variance = torch.zeros_like(rows.error), torch.ones_like(rows.error)
    design = torch.cat([rows.slope @ model.modes, rows.pose], dim=-1)
    about_mean = rows.error - (rows.slope @ model.mean[..., None])[..., 0]
    for shown in (first, ~first):
        found = posterior(rows.seen(rows.visible & shown), model)
        rest = about_mean - (design @ found.mean[:, None, :, None])[..., 0]
        spread = ((design @ found.covariance[:, None]) * design).sum(-1)
        left[~shown] = rest[~shown]
        variance[~shown] = (spread + model.sigma[:, None] ** 2)[~shown]
    return left, variance


def _rms_mm(left: Float[Tensor, "views marks 2"], mine: Bool[Tensor, "views marks"]) -> float:
    return 1e3 * float((left[mine] ** 2).sum(-1).mean().sqrt())
