"""Which of several photos shows somebody else: by its shape, and by its skin.

**Shape.** Linearised at the joint solution z*, a photo's energy in the identity z is a quadratic
after its own camera, expression and detector error are minimised out (Schur complement):

    E_v(z) = (z - z*)^T L_v (z - z*) / 2 + h_v^T (z - z*)

With Gaussian beliefs N(m, P^-1) about z the probability of the photo is a Gaussian integral. Two
beliefs compete: what all other photos say together with the prior (the same person), and the prior
alone (anybody). Their log odds tell how well a photo fits the others.

**Skin.** Freckles, pores and brows of two people do not lie alike: a stranger's photo is less like
the others (NCC of photometric consistency) than they are like each other.

Both are added up, each against what the other photos have of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.solve.problem import Quadratic
from rigface.terms.photometric import PhotometricPatches

SHAPE = 16.0
"""Log odds that a photo lacks against the others' median, for one unit of doubt."""
SKIN = 0.2
"""Logarithm of the others' median likeness over a photo's, for one unit of doubt; the others'
median deviation from it comes on top, in squares."""
UNLIKE = 0.02
"""Likeness below which there is none."""
STRANGER = 1.7
"""Doubt above which one of five photos is left out (docs/views.md: honest and spoiled sets)."""


@dataclass(frozen=True)
class IdentityEvidence:
    """What one photo says of the identity, about the joint solution."""

    precision: Float[Tensor, "modes modes"]
    gradient: Float[Tensor, " modes"]


def identity_evidence(
    energy: Quadratic, modes: Int[Tensor, " modes"], own: Bool[Tensor, " params"]
) -> IdentityEvidence:
    """A photo's energy with its own free parameters minimised out; `modes` tell the person."""
    nuisance = torch.nonzero(own)[:, 0]
    block = energy.hessian[nuisance][:, nuisance]
    block = block + 1e-9 * block.diagonal().mean() * torch.eye(len(block), dtype=block.dtype)
    mixed = energy.hessian[nuisance][:, modes]
    right = torch.cat([mixed, energy.gradient[nuisance][:, None]], dim=1)
    solved = torch.linalg.solve(block, right)
    precision = energy.hessian[modes][:, modes] - mixed.T @ solved[:, :-1]
    gradient = energy.gradient[modes] - mixed.T @ solved[:, -1]
    return IdentityEvidence((precision + precision.T) / 2, gradient)


def log_odds(
    photos: Sequence[IdentityEvidence],
    prior: Float[Tensor, " modes"],
    z: Float[Tensor, " modes"],
) -> Float[Tensor, " photos"]:
    """log p(photo | the others' person) - log p(photo | anybody), for each photo.

    `prior` is the precision of every coefficient (where a fit has none, a unit Gaussian says who
    anybody is), `z` the joint solution. Below zero the photo is more likely somebody else's.
    """
    prior = torch.where(prior > 0, prior, 1.0)
    anybody = torch.diag(prior)
    pull = -prior * z
    precision = anybody + sum(photo.precision for photo in photos)
    drive = pull - sum(photo.gradient for photo in photos)
    out = [
        _log_likelihood(photo, precision - photo.precision, drive + photo.gradient)
        - _log_likelihood(photo, anybody, pull)
        for photo in photos
    ]
    return torch.stack(out)


@dataclass(frozen=True)
class SkinLikeness:
    """NCC of the skin between every two photos, over what both see."""

    total: Float[Tensor, "photos photos"]
    """Sum over patches, each by its joint visibility; symmetric with a zero diagonal."""
    share: Float[Tensor, "photos photos"]
    """Sum of the joint visibility."""

    @staticmethod
    def of(term: PhotometricPatches, pixels: Float[Tensor, "photos texels 2"]) -> "SkinLikeness":
        """With the texels at these pixels."""
        both = term.share.T[:, :, None] * term.share.T[:, None, :] * (term.pairs > 0)
        return SkinLikeness((both * term.similarity(pixels)).sum(dim=0), both.sum(dim=0))

    def of_photos(self) -> Float[Tensor, " photos"]:
        """Mean of each photo's pairs; NaN for one that shares nothing."""
        return self.total.sum(dim=1) / self.share.sum(dim=1)


def doubts(odds: Float[Tensor, " photos"], skin: SkinLikeness | None) -> Float[Tensor, " photos"]:
    """How much speaks for somebody else in each photo; above `limit` too much.

    Photos are compared with each other, so whatever makes all of them fit badly does not count.
    """
    doubt = (_median(_others(odds)) - odds) / SHAPE
    if skin is not None:
        like = skin.of_photos().clamp_min(UNLIKE).log()
        others = _others(like)
        middle = _median(others)
        # Light that changes from photo to photo makes honest photos differ unevenly.
        spread = _median((others - middle[:, None]).abs())
        doubt = doubt + ((middle - like) / spread.hypot(like.new_tensor(SKIN))).nan_to_num(0.0)
    return doubt


def limit(photos: int) -> float:
    """Doubt above which one of so many photos is left out.

    The largest doubt of honest photos grows with their number as the largest of as many normal
    variables does (Blom's approximation of its mean).
    """
    return STRANGER * max(_largest(photos) / _largest(5), 1.0)


def _largest(count: int) -> float:
    return NormalDist().inv_cdf((count - 0.375) / (count + 0.25))


def _others(values: Float[Tensor, " photos"]) -> Float[Tensor, "photos rest"]:
    """The other photos' values, for each photo."""
    count = len(values)
    return values.repeat(count, 1)[~torch.eye(count, dtype=torch.bool)].reshape(count, count - 1)


def _median(values: Float[Tensor, "photos rest"]) -> Float[Tensor, " photos"]:
    return values.nanquantile(0.5, dim=1)


def _log_likelihood(photo: IdentityEvidence, precision: Tensor, drive: Tensor) -> Tensor:
    """Log of the integral of exp(-E_v) under N(P^-1 drive, P^-1), plus a constant."""
    both, total = precision + photo.precision, drive - photo.gradient
    fit = total @ torch.linalg.solve(both, total) - drive @ torch.linalg.solve(precision, drive)
    return (torch.linalg.slogdet(precision)[1] - torch.linalg.slogdet(both)[1] + fit) / 2
