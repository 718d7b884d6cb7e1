"""Which of several photos shows somebody else: evidence for one identity against another.

Linearised at the joint solution z*, a photo's energy in the identity z is a quadratic after its own
camera, expression and detector error are minimised out (Schur complement):

    E_v(z) = (z - z*)^T L_v (z - z*) / 2 + h_v^T (z - z*)

With Gaussian beliefs N(m, P^-1) about z the probability of the photo is a Gaussian integral. Two
beliefs compete: what all other photos say together with the prior (the same person), and the prior
alone (anybody). A photo that anybody explains better is a stranger's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.solve.problem import Quadratic


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

    `prior` is the precision of every coefficient, `z` the joint solution. Below zero the photo is
    more likely somebody else's.
    """
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


def _log_likelihood(photo: IdentityEvidence, precision: Tensor, drive: Tensor) -> Tensor:
    """Log of the integral of exp(-E_v) under N(P^-1 drive, P^-1), plus a constant."""
    both, total = precision + photo.precision, drive - photo.gradient
    fit = total @ torch.linalg.solve(both, total) - drive @ torch.linalg.solve(precision, drive)
    return (torch.linalg.slogdet(precision)[1] - torch.linalg.slogdet(both)[1] + fit) / 2
