"""The networks that only training needs: the encoder and the critic (section 4.4)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from rigface.models.skinning_decoder import SkinningDecoder


def _stack(widths: tuple[int, ...]) -> nn.Sequential:
    """Fully connected layers with biases and swish between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def encoder(rank: int, codes: int) -> nn.Sequential:
    """Halves its width down to the code.

    It starts at the `rank` principal coefficients of the weights, not at all 8,990 of them: the
    paper's first layers are replaced by the projection, which is what a linear layer could learn.
    """
    widths = [rank]
    while widths[-1] // 2 > codes:
        widths.append(widths[-1] // 2)
    return _stack((*widths, codes))


def critic(inputs: int = 50) -> nn.Sequential:
    """Up to 256 in four layers and down to one in four.

    The text maps the critic from 50, Eq. 8 feeds it weights: it gets the first 50 principal
    coefficients of the weights, which agrees with both.
    """
    return _stack((inputs, 100, 150, 200, 256, 128, 64, 16, 1))


class TrainableDecoder(nn.Module):
    """The decoder's matrices as parameters."""

    def __init__(self, start: SkinningDecoder):
        super().__init__()
        self.free = start.free
        self.matrices = nn.ParameterList([nn.Parameter(m.clone()) for m in start.matrices])

    def forward(self, code: Tensor) -> Tensor:
        """Weight residuals."""
        return SkinningDecoder(tuple(self.matrices), self.free)(code)

    def frozen(self) -> SkinningDecoder:
        """A copy without gradients."""
        return SkinningDecoder(tuple(m.detach().clone() for m in self.matrices), self.free)


def scaled_coefficients(coefficients: Tensor) -> Tensor:
    """Coefficients in units of their largest spread: what encoder and critic see."""
    return coefficients / coefficients.std(dim=0)[0].clamp_min(torch.finfo(torch.float32).tiny)
