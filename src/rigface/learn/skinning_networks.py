"""The networks that only training needs: the encoder and the critic (section 4.4)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from rigface.models.jnr import JnrModel
from rigface.models.level_decoder import LevelDecoder
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


class TrainableLevels(nn.Module):
    """A level decoder's matrices as parameters, balanced so that one rate suits them all."""

    def __init__(self, start: LevelDecoder, field: WeightField):
        super().__init__()
        self.gain = float(start.hidden.square().mean().sqrt())
        self.field = field
        self.hidden = nn.Parameter(start.hidden / self.gain)
        self.levels = nn.ParameterList([nn.Parameter(m * self.gain) for m in start.levels])
        self._rows: Tensor | None = None
        """The last layer multiplied out, for as long as nothing here is trained."""

    def _compact(self) -> LevelDecoder:
        levels = tuple(level / self.gain for level in self.levels)
        return LevelDecoder(self.gain * self.hidden, levels)

    @property
    def codes(self) -> int:
        """Length of Z."""
        return self.hidden.shape[0]

    def forward(self, code: Tensor) -> Tensor:
        """Weight residuals."""
        if not self.hidden.requires_grad:
            compact = self._compact()
            if self._rows is None:
                self._rows = compact.rows(self.field)
            return nn.functional.silu(code @ compact.hidden) @ self._rows
        self._rows = None
        return self.field.residuals(self._field(code, slice(None)))

    def added(self, code: Tensor, part: JnrModel, verts: Tensor) -> Tensor:
        """Residuals of every influence of some half vertices; `part` is the model of these."""
        arms = torch.cat([self.field.arms, torch.zeros_like(self.field.arms[:1])])[part.slots]
        return (self._field(code, verts)[..., None, :] * arms).sum(-1)

    def _field(self, code: Tensor, verts: Tensor | slice) -> Tensor:
        compact = self._compact()
        units = nn.functional.silu(code @ compact.hidden)
        slices = units.split([len(level) for level in compact.levels], dim=-1)
        total = torch.zeros(())
        for index, (level, own) in enumerate(zip(compact.levels, slices, strict=True)):
            total = total + self.field.field(index, own @ level, verts)
        return total

    def frozen(self) -> LevelDecoder:
        """A copy without gradients."""
        compact = self._compact()
        levels = tuple(level.detach().clone() for level in compact.levels)
        return LevelDecoder(compact.hidden.detach().clone(), levels)


def scaled_coefficients(coefficients: Tensor) -> Tensor:
    """Coefficients in units of their largest spread: what encoder and critic see."""
    return coefficients / coefficients.std(dim=0)[0].clamp_min(torch.finfo(torch.float32).tiny)
