"""The networks that only training needs: the encoder and the critic (section 4.4)."""

from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from rigface.models.jnr import JnrModel
from rigface.models.patch_decoder import FieldDecoder, PatchDecoder
from rigface.models.skinning_decoder import SkinningDecoder
from rigface.models.weight_field import WeightField


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
    """The matrices of the paper's decoder as parameters."""

    def __init__(self, start: SkinningDecoder):
        super().__init__()
        self.free = start.free
        self.matrices = nn.ParameterList([nn.Parameter(m.clone()) for m in start.matrices])

    def forward(self, code: Tensor) -> Tensor:
        """Weight residuals."""
        return SkinningDecoder(tuple(self.matrices), self.free)(code)

    def added(self, code: Tensor, part: JnrModel, verts: Tensor) -> Tensor:
        """Residuals of every influence of some vertices; `part` is the model of these."""
        return part.at_slots(self(code))

    @property
    def codes(self) -> int:
        """Length of Z."""
        return self.matrices[0].shape[0]

    def absorb(self, factor: Tensor) -> None:
        """From now on the code is what `factor.T` brings to the old one."""
        self.matrices[0].copy_(factor.T @ self.matrices[0])

    def frozen(self) -> SkinningDecoder:
        """A copy without gradients."""
        return SkinningDecoder(tuple(m.detach().clone() for m in self.matrices), self.free)


class TrainablePatches(nn.Module):
    """A patch decoder's matrices as parameters, balanced so that one rate suits them all.

    What pads them to one size is zero, and so is its gradient.
    """

    def __init__(self, start: PatchDecoder, field: WeightField):
        super().__init__()
        self.gain = float(start.hidden.square().mean().sqrt())
        self.start, self.bound = start, start.bound(field)
        self.hidden = nn.Parameter(self.bound.hidden / self.gain)
        self.outputs = nn.Parameter(self.bound.outputs * self.gain)

    @property
    def codes(self) -> int:
        """Length of Z."""
        return self.start.codes

    def forward(self, code: Tensor) -> Tensor:
        """Weight residuals."""
        return self._now()(code)

    def added(self, code: Tensor, part: JnrModel, verts: Tensor) -> Tensor:
        """Residuals of every influence of some half vertices; `part` is the model of these."""
        shift = self._now().shift(code)[..., verts, :]
        return (shift[..., None, :] * self.bound.field.at_slots(part.slots)).sum(-1)

    def _now(self) -> FieldDecoder:
        hidden, outputs = self.gain * self.hidden, self.outputs / self.gain
        return replace(self.bound, hidden=hidden, outputs=outputs)

    def frozen(self) -> PatchDecoder:
        """A copy without gradients."""
        now, start = self._now(), self.start
        hidden = [own[:, : len(old)] for own, old in zip(now.hidden, start.outputs, strict=True)]
        outputs = tuple(
            own[: old.shape[0], : old.shape[1]].detach().clone()
            for own, old in zip(now.outputs, start.outputs, strict=True)
        )
        return PatchDecoder(torch.cat(hidden, dim=1).detach(), outputs, start.patch)


def scaled_coefficients(coefficients: Tensor) -> Tensor:
    """Coefficients in units of their largest spread: what encoder and critic see."""
    return coefficients / coefficients.std(dim=0)[0].clamp_min(torch.finfo(torch.float32).tiny)
