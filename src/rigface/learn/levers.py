"""Levers of the joints: what weights of a person's own can push against (not in the paper).

At rest all joints hold a vertex in one place, and a change of weights does nothing. With levers o_j
of some centimetres, in different directions where joints meet, it does nearly the same for
everybody, whatever their joints do; a code can then say what a person's weights are for.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from rigface.rig.jnr_skeleton import mirror_joints
from rigface.rig.jnr_weights import SymmetricWeights


@dataclass(frozen=True)
class LeverConfig:
    """How long, and how common weights make room."""

    length: float = 0.045
    """Metres, of the longest."""
    even: float = 0.1
    """Share of every vertex's weight that is dealt evenly to its joints: what is zero cannot give
    way."""
    steps: int = 400
    rate: float = 0.03
    seed: int = 0


def evened(weights: SymmetricWeights, share: float) -> SymmetricWeights:
    """Part of each row dealt evenly to its influences."""
    used = weights.dense() > 0
    even = used / used.sum(axis=1, keepdims=True)
    dense = (1 - share) * weights.dense() + share * even
    return replace(weights, value=dense[weights.vertex, weights.joint])


def choose_levers(
    weights: SymmetricWeights, config: LeverConfig = LeverConfig()
) -> Float[np.ndarray, "joints 3"]:
    """Mirror-symmetric levers that let the weights of every vertex push all ways at least cost.

    The cost of a push f of vertex v is the least sum of (dw_i)^2 / w_i that moves it by f, which is
    f^T C_v^-1 f with the weighted covariance C_v of its levers; its mean over directions and
    vertices is descended. On the midline nothing goes sideways.
    """
    dense = torch.from_numpy(weights.dense()).float()
    middle = torch.from_numpy(weights.mirror == np.arange(len(weights.mirror)))
    twin = torch.from_numpy(mirror_joints())
    flip = torch.tensor([-1.0, 1.0, 1.0])
    generator = torch.Generator().manual_seed(config.seed)
    raw = (0.5 * torch.randn(len(twin), 3, generator=generator)).requires_grad_()
    optimiser = torch.optim.Adam([raw], lr=config.rate)
    sideways = torch.zeros(3, 3)
    sideways[0, :] = sideways[:, 0] = 1.0

    def levers() -> torch.Tensor:
        even = 0.5 * (raw + raw[twin] * flip)
        return even / (1 + even.square().sum(-1, keepdim=True)).sqrt()

    for _ in range(config.steps):
        arm = levers()
        mean = dense @ arm
        second = (dense @ (arm[:, :, None] * arm[:, None, :]).flatten(1)).unflatten(-1, (3, 3))
        spread = second - mean[:, :, None] * mean[:, None, :] + 0.02 * torch.eye(3)
        fixed = middle[:, None, None] * sideways
        spread = spread * (1 - fixed) + fixed * torch.eye(3)
        cost = torch.linalg.inv(spread).diagonal(dim1=-2, dim2=-1).sum(-1).mean()
        optimiser.zero_grad()
        torch.autograd.backward(cost)
        optimiser.step()
    return config.length * levers().detach().double().numpy()
