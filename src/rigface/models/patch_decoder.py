"""The shipped decoder: a code to a field on the skin, patch by patch (after section 4.4).

The paper's last layer gives 8,990 weights through groups that share one matrix. On our weights
that loses two thirds of what the code is for (docs/jnr.md), since such groups cannot know which
outputs are neighbours. Here the groups are patches of the skin, each with a matrix and hidden units
of its own. The fixed half, `WeightField`, turns the field into weight residuals.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.models.skinning_decoder import swish_slope
from rigface.models.weight_field import WeightField


@dataclass(frozen=True)
class PatchDecoder:
    """Fully connected without biases, swish, then each patch from its own units."""

    hidden: Float[Tensor, "codes units"]
    """Units of the first patch first."""
    outputs: tuple[Float[Tensor, "_ _"], ...]
    """Of each patch: its units to three numbers (millimetres) per vertex, vertices in order."""
    patch: Int[Tensor, " half"]
    """Patch of every vertex of the left half."""

    @property
    def codes(self) -> int:
        """Length of Z."""
        return self.hidden.shape[0]

    @property
    def floats(self) -> int:
        """Size of the network; which vertex is in which patch is an index, as faces are."""
        return self.hidden.numel() + sum(output.numel() for output in self.outputs)

    def bound(self, field: WeightField) -> "FieldDecoder":
        """Ready for a model, in the field's dtype and on its device."""
        counts = [len(output) for output in self.outputs]
        sizes = [output.shape[1] for output in self.outputs]
        hidden = self.hidden.new_zeros(len(counts), self.codes, max(counts))
        outputs = self.hidden.new_zeros(len(counts), max(counts), max(sizes))
        for index, own in enumerate(self.hidden.split(counts, dim=1)):
            hidden[index, :, : counts[index]] = own
            outputs[index, : counts[index], : sizes[index]] = self.outputs[index]
        order = self.patch.argsort(stable=True)
        verts = torch.tensor(sizes, device=order.device) // 3
        within = torch.arange(len(order), device=order.device)
        within = within - (verts.cumsum(0) - verts).repeat_interleave(verts)
        place = torch.empty_like(order)
        place[order] = self.patch[order] * (max(sizes) // 3) + within
        return FieldDecoder(
            hidden.to(field.arms), outputs.to(field.arms), place.to(field.arms.device), field
        )

    def to(self, *args, **kwargs) -> "PatchDecoder":
        """On another device or in another floating dtype."""
        hidden = self.hidden.to(*args, **kwargs)
        outputs = tuple(output.to(*args, **kwargs) for output in self.outputs)
        return PatchDecoder(hidden, outputs, self.patch.to(hidden.device))


@dataclass(frozen=True)
class FieldDecoder:
    """The same network with its patches padded to one size, and the field that it feeds."""

    hidden: Float[Tensor, "patches codes most_units"]
    outputs: Float[Tensor, "patches most_units most_numbers"]
    place: Int[Tensor, " half"]
    """Of every vertex among the padded ones."""
    field: WeightField

    @property
    def codes(self) -> int:
        """Length of Z."""
        return self.hidden.shape[1]

    def __call__(self, code: Float[Tensor, "*batch codes"]) -> Float[Tensor, "*batch free"]:
        """Weight residuals."""
        return self.field.residuals(self.shift(code))

    def shift(self, code: Float[Tensor, "*batch codes"]) -> Float[Tensor, "*batch half 3"]:
        """The field (millimetres)."""
        units = torch.nn.functional.silu(code.reshape(-1, self.codes) @ self.hidden)
        made = self._placed(units @ self.outputs)
        return made.reshape(*code.shape[:-1], *made.shape[1:])

    def pulled(
        self,
        code: Float[Tensor, "*batch codes"],
        slots: Int[Tensor, "verts influences"],
        pull: Float[Tensor, "*batch verts influences 3"],
    ) -> Float[Tensor, "*batch codes verts 3"]:
        """sum_i dr_i / dZ pull_i over the influences of each vertex.

        r_i = P_i f, so the sum is (sum_i pull_i P_i) df / dZ: three by three per vertex.
        """
        field = self.field
        matrix = pull.transpose(-1, -2) @ field.at_slots(slots)
        # the lowest slot of a vertex is none only if it has no influence at all
        home = torch.cat([field.vertex, field.vertex[:1]])[slots.amin(dim=1)]
        slope = self.slope(code)[..., home, :].transpose(-3, -2)
        return (slope @ matrix.transpose(-1, -2)).transpose(-3, -2)

    def slope(self, code: Float[Tensor, "*batch codes"]) -> Float[Tensor, "*batch codes half 3"]:
        """d field / d Z by the chain rule."""
        y = code.reshape(-1, self.codes) @ self.hidden
        slope = self.hidden[:, None] * swish_slope(y)[:, :, None]
        made = self._placed((slope @ self.outputs[:, None]).flatten(1, 2))
        return made.reshape(*code.shape, *made.shape[1:])

    def _placed(self, padded: Tensor) -> Tensor:
        """From (patches, rows, numbers) to (rows, half, 3)."""
        rows = padded.unflatten(-1, (-1, 3)).transpose(0, 1).flatten(1, 2)
        return rows[:, self.place]

    def to(self, *args, **kwargs) -> "FieldDecoder":
        """On another device or in another floating dtype."""
        field = self.field.to(*args, **kwargs)
        place = self.place.to(field.arms.device)
        return FieldDecoder(
            self.hidden.to(*args, **kwargs), self.outputs.to(*args, **kwargs), place, field
        )
