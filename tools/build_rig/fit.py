"""Fit K Gaussians per bone to the initial weights; left and right share their parameters."""

import numpy as np
import torch

from rigface.rig.gmm import Mixture, log_amplitudes
from rigface.rig.skeleton import BONE_NAMES, mirror_indices, opposite_name

_LEFT = [i for i, name in enumerate(BONE_NAMES) if name.endswith(".L")]
_MID = [i for i, name in enumerate(BONE_NAMES) if opposite_name(name) == name]
_SIGMA = (0.03, 0.8)


class SymmetricMixture:
    """Parameters of left and midline bones; midline components are pairs, plus one on the axis.

    Centres are absolute chart positions: a row per component of (log_pi, u, v, log l11, l21,
    log l22).
    """

    def __init__(self, left: torch.Tensor, pairs: torch.Tensor, axis: torch.Tensor):
        self.left, self.pairs, self.axis = left, pairs, axis

    @property
    def parts(self) -> list[torch.Tensor]:
        """Free tensors."""
        return [part for part in (self.left, self.pairs, self.axis) if part.numel()]

    def full(self) -> torch.Tensor:
        """(bones, k, 6) for all bones."""
        flip = self.left.new_tensor([1, -1, 1, 1, -1, 1])
        on_axis = self.left.new_tensor([1, 0, 1, 1, 0, 1])
        k = self.left.shape[1]
        out = self.left.new_zeros(len(BONE_NAMES), k, 6)
        mirror = mirror_indices(BONE_NAMES)
        out[_LEFT] = self.left
        out[[int(mirror[i]) for i in _LEFT]] = self.left * flip
        middle = torch.cat([self.pairs, self.pairs * flip, self.axis * on_axis], dim=1)
        out[_MID] = middle
        return out


def start(weights: np.ndarray, chart: np.ndarray, area: np.ndarray) -> SymmetricMixture:
    """K = 1 from the first two chart moments of each bone's weights."""
    rows = np.zeros((len(BONE_NAMES), 1, 6))
    for bone in range(len(BONE_NAMES)):
        share = weights[:, bone] ** 2 * area
        share = share / share.sum()
        center = share @ chart
        offset = chart - center
        cov = np.einsum("v,vi,vj->ij", share, offset, offset) + 1e-3 * np.eye(2)
        factor = np.linalg.cholesky(cov)
        rows[bone, 0] = [
            0, *center, np.log(factor[0, 0]), factor[1, 0], np.log(factor[1, 1]),
        ]  # fmt: skip
    rows = torch.tensor(rows)
    return SymmetricMixture(rows[_LEFT], rows[_MID][:, :0], rows[_MID])


def split(mixture: SymmetricMixture) -> SymmetricMixture:
    """One more component everywhere: the heaviest is cut in two along its long axis."""
    left = torch.stack([_append(rows) for rows in mixture.left])
    if mixture.axis.shape[1]:
        one = mixture.axis.clone()
        one[..., 0] -= np.log(2)
        one[..., 1] = 0.5 * torch.exp(one[..., 3])
        one[..., 4] = 0
        pairs = torch.cat([mixture.pairs, one], dim=1)
        return SymmetricMixture(left, pairs, mixture.axis[:, :0])
    axis = mixture.pairs[:, :1].clone()
    axis[..., 0] -= 1.0
    axis[..., 1] = 0
    axis[..., 4] = 0
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
    points, goal = torch.tensor(chart[half]), torch.tensor(weights[half])
    share = torch.tensor(importance[half] / importance[half].sum())
    parts = [part.detach().clone().requires_grad_() for part in mixture.parts]
    trial = _assemble(mixture, parts)
    optimiser = torch.optim.Adam(parts, lr=0.03)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.03, steps, pct_start=0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        rows = trial.full()
        log_pi, center, chol = unpack(rows)
        fitted = torch.softmax(log_amplitudes(points, center, log_pi, chol), dim=-1)
        loss = (share[:, None] * (fitted - goal) ** 2).sum() + 1e-3 * _bounds(log_pi, chol)
        loss.backward()
        optimiser.step()
        schedule.step()
    return _assemble(mixture, [part.detach() for part in parts])


def as_mixture(mixture: SymmetricMixture, zeta: np.ndarray) -> Mixture:
    """Means relative to the bones; amplitudes with mean log zero (the gauge)."""
    log_pi, center, chol = unpack(mixture.full())
    log_pi = log_pi - log_pi.mean()
    return Mixture(log_pi.numpy(), center.numpy() - zeta[:, None], chol.numpy())


def unpack(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """log_pi, centres, Cholesky rows of (bones, k, 6) parameters."""
    chol = torch.stack([rows[..., 3].exp(), rows[..., 4], rows[..., 5].exp()], dim=-1)
    return rows[..., 0], rows[..., 1:3], chol


def _bounds(log_pi: torch.Tensor, chol: torch.Tensor) -> torch.Tensor:
    """Keeps standard deviations inside limits and amplitudes within e^+-6 of each other."""
    l11, l21, l22 = chol.unbind(-1)
    trace = l11**2 + l21**2 + l22**2
    gap = torch.sqrt((l11**2 - l21**2 - l22**2) ** 2 + 4 * (l11 * l21) ** 2 + 1e-12)
    large, small = torch.sqrt(0.5 * (trace + gap)), l11 * l22 / torch.sqrt(0.5 * (trace + gap))
    low, high = _SIGMA
    outside = torch.relu(torch.log(low / small)) ** 2 + torch.relu(torch.log(large / high)) ** 2
    return (outside + 0.1 * torch.relu((log_pi - log_pi.mean()).abs() - 6) ** 2).sum()


def _append(rows: torch.Tensor) -> torch.Tensor:
    heaviest = int((rows[:, 0] + rows[:, 3] + rows[:, 5]).argmax())
    base = rows[heaviest]
    factor = base.new_tensor([[base[3].exp(), 0], [base[4], base[5].exp()]])
    value, vector = torch.linalg.eigh(factor @ factor.T)
    offset = 0.6 * value[1].sqrt() * vector[:, 1]
    first, second = base.clone(), base.clone()
    first[1:3] += offset
    second[1:3] -= offset
    first[0] -= np.log(2)
    second[0] -= np.log(2)
    out = torch.cat([rows, second[None]])
    out[heaviest] = first
    return out


def _assemble(like: SymmetricMixture, parts: list[torch.Tensor]) -> SymmetricMixture:
    queue = list(parts)
    return SymmetricMixture(
        *(queue.pop(0) if part.numel() else part for part in (like.left, like.pairs, like.axis))
    )
