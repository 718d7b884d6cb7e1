"""Fit K Gaussians per bone to the initial weights; left and right share their parameters."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rigface.rig.gmm import Mixture
from rigface.rig.skeleton import BONE_NAMES, mirror_indices, opposite_name

_LEFT = [i for i, name in enumerate(BONE_NAMES) if name.endswith(".L")]
_MID = [i for i, name in enumerate(BONE_NAMES) if opposite_name(name) == name]
# Limits of a standard deviation in chart units (decimetres on the face), soft.
_SIGMA = (0.03, 0.8)
# Steps of one unit in these mean about the same change of the weights.
_SCALE = torch.tensor([1.0, 0.1, 0.1, 0.3, 0.1, 0.3], dtype=torch.float64)


@dataclass(frozen=True)
class SymmetricMixture:
    """Free components, rows of (log_pi, u, v, log l11, l21, log l22); centres are absolute.

    A midline bone holds mirrored pairs and, for odd K, one component on the axis.
    """

    left: Tensor
    pairs: Tensor
    axis: Tensor

    def full(self) -> Tensor:
        """(bones, k, 6) for all bones."""
        flip = self.left.new_tensor([1, -1, 1, 1, -1, 1])
        on_axis = self.left.new_tensor([1, 0, 1, 1, 0, 1])
        out = self.left.new_zeros(len(BONE_NAMES), self.left.shape[1], 6)
        mirror = mirror_indices(BONE_NAMES)
        out[_LEFT] = self.left
        out[mirror[_LEFT]] = self.left * flip
        out[_MID] = torch.cat([self.pairs, self.pairs * flip, self.axis * on_axis], dim=1)
        return out


def start(weights: np.ndarray, chart: np.ndarray, area: np.ndarray) -> SymmetricMixture:
    """K = 1 from the first two chart moments of each bone's weights."""
    rows = torch.zeros(len(BONE_NAMES), 1, 6, dtype=torch.float64)
    for bone in range(len(BONE_NAMES)):
        share = weights[:, bone] ** 2 * area
        share = share / share.sum()
        center = share @ chart
        offset = chart - center
        cov = np.einsum("v,vi,vj->ij", share, offset, offset) + 1e-3 * np.eye(2)
        (l11, _), (l21, l22) = np.linalg.cholesky(cov)
        rows[bone, 0] = torch.tensor([0, *center, np.log(l11), l21, np.log(l22)])
    return SymmetricMixture(rows[_LEFT], rows[_MID][:, :0], rows[_MID])


def split(mixture: SymmetricMixture) -> SymmetricMixture:
    """One more component everywhere: the heaviest is cut in two along its long axis."""
    left = torch.stack([_cut_heaviest(rows) for rows in mixture.left])
    if mixture.axis.shape[1]:
        half = mixture.axis.clone()
        half[..., 0] -= np.log(2)
        half[..., 1] = 0.5 * torch.exp(half[..., 3])
        half[..., 4] = 0
        return SymmetricMixture(left, torch.cat([mixture.pairs, half], dim=1), half[:, :0])
    axis = mixture.pairs[:, :1].clone()
    axis[..., 0] -= 1.0
    axis[..., [1, 4]] = 0
    return SymmetricMixture(left, mixture.pairs, axis)


def fit_mixture(
    mixture: SymmetricMixture,
    weights: np.ndarray,
    chart: np.ndarray,
    importance: np.ndarray,
    steps: int,
) -> SymmetricMixture:
    """Least squares on the weights of the left half, which stands for the whole by symmetry."""
    half = np.flatnonzero(chart[:, 0] >= -1e-9)
    basis, goal = _quadratic_basis(torch.tensor(chart[half])), torch.tensor(weights[half])
    share = torch.tensor(importance[half] / importance[half].sum())[:, None]
    sizes = [mixture.left, mixture.pairs, mixture.axis]
    free = [(part / _SCALE).requires_grad_() for part in sizes]
    optimiser = torch.optim.LBFGS(
        free, max_iter=steps, max_eval=2 * steps, history_size=40, tolerance_grad=1e-9,
        tolerance_change=1e-13, line_search_fn="strong_wolfe",
    )  # fmt: skip

    def loss() -> Tensor:
        optimiser.zero_grad()
        log_pi, center, chol = _unpack(SymmetricMixture(*(part * _SCALE for part in free)).full())
        error = _softmax_weights(basis, center, log_pi, chol) - goal
        total = (share * error**2).sum() + 1e-3 * _bounds(log_pi, chol)
        total.backward()
        return total

    optimiser.step(loss)
    return SymmetricMixture(*((part * _SCALE).detach() for part in free))


def as_mixture(mixture: SymmetricMixture, zeta: np.ndarray) -> Mixture:
    """Means relative to the bones; amplitudes with mean log zero (the gauge)."""
    log_pi, center, chol = _unpack(mixture.full())
    log_pi = log_pi - log_pi.mean()
    return Mixture(log_pi.numpy(), center.numpy() - zeta[:, None], chol.numpy())


def _unpack(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    chol = torch.stack([rows[..., 3].exp(), rows[..., 4], rows[..., 5].exp()], dim=-1)
    return rows[..., 0], rows[..., 1:3], chol


def _quadratic_basis(points: Tensor) -> Tensor:
    u, v = points.unbind(-1)
    return torch.stack([torch.ones_like(u), u, v, u * u, u * v, v * v], dim=-1)


def _softmax_weights(basis: Tensor, center: Tensor, log_pi: Tensor, chol: Tensor) -> Tensor:
    """`mixture_weights` as one matrix product: log Gaussians are quadratics of the chart point."""
    l11, l21, l22 = chol.unbind(-1)
    a, b, c = 1 / l11, -l21 / (l11 * l22), 1 / l22
    xx, xy, yy = a * a + b * b, b * c, c * c
    u, v = center.unbind(-1)
    constant = log_pi - 0.5 * (xx * u * u + 2 * xy * u * v + yy * v * v)
    rows = [constant, xx * u + xy * v, xy * u + yy * v, -0.5 * xx, -xy, -0.5 * yy]
    shares = torch.softmax(basis @ torch.stack(rows).reshape(6, -1), dim=-1)
    return shares.reshape(len(basis), *log_pi.shape).sum(-1)


def _bounds(log_pi: Tensor, chol: Tensor) -> Tensor:
    """Keeps standard deviations inside their limits and amplitudes within e^+-6 of the mean."""
    l11, l21, l22 = chol.unbind(-1)
    trace = l11**2 + l21**2 + l22**2
    gap = torch.sqrt((l11**2 - l21**2 - l22**2) ** 2 + 4 * (l11 * l21) ** 2 + 1e-12)
    large = torch.sqrt(0.5 * (trace + gap))
    small = l11 * l22 / large
    low, high = _SIGMA
    outside = torch.relu(torch.log(low / small)) ** 2 + torch.relu(torch.log(large / high)) ** 2
    # the weak pull settles the common drift of amplitudes over the face
    spread = (log_pi - log_pi.mean()).abs()
    return (outside + 0.1 * torch.relu(spread - 6) ** 2).sum() + 3e-3 * (spread**2).mean()


def _cut_heaviest(rows: Tensor) -> Tensor:
    heaviest = int((rows[:, 0] + rows[:, 3] + rows[:, 5]).argmax())
    base = rows[heaviest]
    factor = base.new_tensor([[base[3].exp(), 0], [base[4], base[5].exp()]])
    value, vector = torch.linalg.eigh(factor @ factor.T)
    offset = 0.6 * value[1].sqrt() * vector[:, 1]
    # eigh leaves the sign open; the order of the two halves must not depend on it
    offset = offset if offset[int(offset.abs().argmax())] > 0 else -offset
    first, second = base.clone(), base.clone()
    first[1:3] += offset
    second[1:3] -= offset
    out = torch.cat([rows, second[None]])
    out[heaviest] = first
    out[[heaviest, -1], 0] -= np.log(2)
    return out
