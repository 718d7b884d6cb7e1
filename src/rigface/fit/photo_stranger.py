"""Which photo of a fit shows somebody else, by what `fit.strangers` makes of shape and skin."""

import torch
from jaxtyping import Float
from torch import Tensor

from rigface.fit.photo_fit import PhotoFit
from rigface.fit.strangers import (
    SkinLikeness,
    doubts,
    identity_evidence,
    limit,
    log_odds,
)
from rigface.fit.views_energy import ViewsEnergy


def stranger(fit: PhotoFit, x: Float[Tensor, " params"]) -> int | None:
    """The photo that most likely shows somebody else, if one does; three are needed to tell."""
    if len(fit.photos) < 3:
        return None
    doubt = doubts(same_person(fit, x), _skin_likeness(fit, x))
    worst = int(doubt.argmax())
    return worst if doubt[worst] > limit(len(doubt)) else None


def same_person(fit: PhotoFit, x: Float[Tensor, " params"]) -> Float[Tensor, " photos"]:
    """Log odds of each photo that it shows the others' person rather than anybody."""
    table, pictures = fit.views.table, fit.energy(x, contour=True).pictures
    person = torch.arange(table.size)[table.slices["identity"]]
    prior, free, said = fit.priors()[0].curvature(x.numpy()), fit.loose(x), []
    for view, terms in enumerate(pictures):
        own = fit.views.own(view)
        own[person] = False
        alone = [terms if other == view else [] for other in range(len(pictures))]
        model = ViewsEnergy(fit.views, alone, fit.priors(own.numpy())).quadratic(x)
        said.append(identity_evidence(model, person, own & free))
    return log_odds(said, torch.from_numpy(prior)[person], x[person])


def _skin_likeness(fit: PhotoFit, x: Float[Tensor, " params"]) -> SkinLikeness | None:
    # The finest texels: light that changes from photo to photo changes them least.
    size, weight, _ = fit.settings.schedule[-1]
    term = fit.skin_term(x, size, weight)
    if term is None:
        return None
    return SkinLikeness.of(term, fit.views.pixels_together(x, term.corners, term.bary))
