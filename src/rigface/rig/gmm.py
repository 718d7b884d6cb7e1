"""Skinning weights as Gaussian mixtures in the rig chart, and their fit to given weights.

w_j(v) = a_j(v) / sum_i a_i(v), a_j(v) = sum_k pi_jk exp(-1/2 d^T Sigma_jk^-1 d),
d = u_v - zeta_j - mu_jk: a plain sum, evaluated in log space. pi_jk is a free amplitude.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Mixture:
    """K Gaussians per bone, means relative to the bone's chart position. Chart units."""

    log_pi: Float[np.ndarray, "bones k"]
    mu: Float[np.ndarray, "bones k 2"]
    chol: Float[np.ndarray, "bones k 3"]
    """l11, l21, l22 of the lower Cholesky factor of Sigma; l11 and l22 are positive."""


def log_amplitudes(
    points: Float[Tensor, "verts 2"],
    center: Float[Tensor, "bones k 2"],
    log_pi: Float[Tensor, "bones k"],
    chol: Float[Tensor, "bones k 3"],
) -> Float[Tensor, "verts bones"]:
    """log a_j(v) for Gaussians centred at `center` = zeta + mu."""
    d = points[:, None, None, :] - center
    first = d[..., 0] / chol[..., 0]
    second = (d[..., 1] - chol[..., 1] * first) / chol[..., 2]
    return torch.logsumexp(log_pi - 0.5 * (first**2 + second**2), dim=-1)


def mixture_weights(
    chart: Float[np.ndarray, "verts 2"], zeta: Float[np.ndarray, "bones 2"], mixture: Mixture
) -> Float[np.ndarray, "verts bones"]:
    """Normalised weights of all bones at chart points, float64."""
    as_tensor = torch.from_numpy
    amplitude = log_amplitudes(
        as_tensor(np.ascontiguousarray(chart)),
        as_tensor(zeta[:, None] + mixture.mu),
        as_tensor(mixture.log_pi),
        as_tensor(mixture.chol),
    )
    return torch.softmax(amplitude, dim=-1).numpy()
