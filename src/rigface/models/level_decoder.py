"""The shipped decoder: a code to a field on the skin, level by level (in place of 4.4's groups).

The paper's last layer gives 8,990 weights through groups that share one matrix. On our weights
that loses two thirds of what the code is for, since groups cannot know which outputs are
neighbours (docs/jnr.md). Here coarse levels get many directions and fine levels few. The fixed
half, `WeightField`, turns the field into weight residuals.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rigface.models.skinning_decoder import SkinningDecoder, undealt
from rigface.models.weight_field import WeightField


@dataclass(frozen=True)
class LevelDecoder:
    """Fully connected without biases, swish, then each level from its own slice of units."""

    hidden: Float[Tensor, "codes units"]
    levels: tuple[Float[Tensor, "_ _"], ...]
    """Their units add up to those of `hidden`."""

    @property
    def codes(self) -> int:
        """Length of Z."""
        return self.hidden.shape[0]

    @property
    def floats(self) -> int:
        """Size of the network."""
        return self.hidden.numel() + sum(level.numel() for level in self.levels)

    def rows(self, field: WeightField) -> Float[Tensor, "units free"]:
        """Weight residuals of every unit alone."""
        parts = [field.field(index, level) for index, level in enumerate(self.levels)]
        return field.residuals(torch.cat(parts))

    def expanded(self, field: WeightField) -> SkinningDecoder:
        """The same network with its last layer multiplied out, ready for a model."""
        rows = self.rows(field)
        return SkinningDecoder((self.hidden, undealt(rows)), rows.shape[-1])

    def to(self, *args, **kwargs) -> "LevelDecoder":
        """On another device or in another floating dtype."""
        return LevelDecoder(
            self.hidden.to(*args, **kwargs),
            tuple(level.to(*args, **kwargs) for level in self.levels),
        )
