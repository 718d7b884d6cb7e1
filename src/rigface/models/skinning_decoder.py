"""The decoder of JNR's neural skinning weights (section 4.4): a code Z to weight residuals."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

_GROUPS = 10
"""Of the last layer."""


@runtime_checkable
class Decoder(Protocol):
    """A code to weight residuals; zero to zero."""

    @property
    def codes(self) -> int:
        """Length of Z."""
        ...

    def __call__(self, code: Float[Tensor, "*batch codes"]) -> Float[Tensor, "*batch free"]:
        """Weight residuals."""
        ...

    def pulled(
        self,
        code: Float[Tensor, "*batch codes"],
        slots: Int[Tensor, "verts influences"],
        pull: Float[Tensor, "*batch verts influences 3"],
    ) -> Float[Tensor, "*batch codes verts 3"]:
        """sum_i dr_i / dZ pull_i over the influences of each vertex; slots name their residuals."""
        ...

    def to(self, *args, **kwargs) -> "Decoder":
        """On another device or in another floating dtype."""
        ...


@dataclass(frozen=True)
class Layer:
    """Widths and groups of one layer; each group of inputs meets the same matrix."""

    inputs: int
    outputs: int
    groups: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """Of the one matrix that all groups share."""
        return self.inputs // self.groups, self.outputs // self.groups

    @property
    def floats(self) -> int:
        """inputs * outputs / groups^2."""
        return prod(self.shape)


def decoder_layers(free: int, codes: int = 50) -> tuple[Layer, ...]:
    """Six layers: 50 -> 64 -> 80 -> 250, then groups of 2, 5, 10 over 500 and 900 to the weights.

    The paper gives 250, 500, 1100 and 8,990 outputs and 200.7K floats in all. Our template has more
    weights, so its last layer is larger; 900 and narrower first layers keep the whole below that.
    """
    wide = -(-free // _GROUPS) * _GROUPS
    return (
        Layer(codes, 64),
        Layer(64, 80),
        Layer(80, 250),
        Layer(250, 500, 2),
        Layer(500, 900, 5),
        Layer(900, wide, _GROUPS),
    )


def at_slots(
    free: Float[Tensor, "*batch free"], slots: Int[Tensor, "verts influences"]
) -> Float[Tensor, "*batch verts influences"]:
    """Numbers of the free weights at every influence; slot `free` is none, and zero."""
    return torch.cat([free, torch.zeros_like(free[..., :1])], dim=-1)[..., slots]


def swish_slope(y: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Derivative of y sigmoid(y)."""
    share = torch.sigmoid(y)
    return share * (1 + y * (1 - share))


def group_linear(
    x: Float[Tensor, "*batch inputs"], matrix: Float[Tensor, "inputs_n outputs_n"]
) -> Float[Tensor, "*batch outputs"]:
    """The same matrix on every group of inputs (the paper's group-wise fully connected layer)."""
    groups = x.shape[-1] // matrix.shape[0]
    return (x.unflatten(-1, (groups, matrix.shape[0])) @ matrix).flatten(-2)


def undealt(
    residuals: Float[Tensor, "*batch free"],
) -> Float[Tensor, "*batch outputs"]:
    """What a last layer has to put out, so that these weight residuals are dealt from it."""
    missing = -residuals.shape[-1] % _GROUPS
    padded = torch.nn.functional.pad(residuals, (0, missing))
    return padded.unflatten(-1, (-1, _GROUPS)).transpose(-1, -2).flatten(-2)


@dataclass(frozen=True)
class SkinningDecoder:
    """Fully connected layers without biases, swish between them: Z = 0 gives exactly zero.

    Output k is entry k // n of group k % n: neighbours in the list of weights lie in different
    groups, which share their matrix, so that the list should be sorted by place.
    """

    matrices: tuple[Float[Tensor, "_ _"], ...]
    free: int
    """Weights made; a few outputs of the last layer may be unused."""

    @property
    def codes(self) -> int:
        """Length of Z."""
        return self.matrices[0].shape[0]

    @property
    def floats(self) -> int:
        """Size of the network."""
        return sum(matrix.numel() for matrix in self.matrices)

    @staticmethod
    def random(layers: Sequence[Layer], free: int, generator: torch.Generator) -> "SkinningDecoder":
        """Normal numbers scaled so that the signal keeps its size through swish near zero."""
        matrices = []
        for layer in layers:
            spread = torch.randn(layer.shape, generator=generator)
            matrices.append(spread * (2.0 / layer.shape[0] ** 0.5))
        matrices[-1] = matrices[-1] * 0.05
        return SkinningDecoder(tuple(matrices), free)

    def __call__(self, code: Float[Tensor, "*batch codes"]) -> Float[Tensor, "*batch free"]:
        """Weight residuals."""
        x = code
        for matrix in self.matrices[:-1]:
            x = torch.nn.functional.silu(group_linear(x, matrix))
        return self._dealt(group_linear(x, self.matrices[-1]))

    def jacobian(self, code: Float[Tensor, "*batch codes"]) -> Float[Tensor, "*batch codes free"]:
        """d residuals / d Z by the chain rule, forward."""
        eye = torch.eye(self.codes, dtype=code.dtype, device=code.device)
        x, slope = code, eye.expand(*code.shape[:-1], -1, -1)
        for matrix in self.matrices[:-1]:
            y = group_linear(x, matrix)
            slope = group_linear(slope, matrix) * swish_slope(y)[..., None, :]
            x = torch.nn.functional.silu(y)
        return self._dealt(group_linear(slope, self.matrices[-1]))

    def pulled(
        self,
        code: Float[Tensor, "*batch codes"],
        slots: Int[Tensor, "verts influences"],
        pull: Float[Tensor, "*batch verts influences 3"],
    ) -> Float[Tensor, "*batch codes verts 3"]:
        """sum_i dr_i / dZ pull_i over the influences of each vertex."""
        slope = at_slots(self.jacobian(code), slots).transpose(-3, -2)
        return (slope @ pull).transpose(-3, -2)

    def _dealt(self, out: Tensor) -> Tensor:
        dealt = out.unflatten(-1, (_GROUPS, -1)).transpose(-1, -2).flatten(-2)
        return dealt[..., : self.free]

    def to(self, *args, **kwargs) -> "SkinningDecoder":
        """The network on another device or in another floating dtype."""
        return SkinningDecoder(tuple(m.to(*args, **kwargs) for m in self.matrices), self.free)
