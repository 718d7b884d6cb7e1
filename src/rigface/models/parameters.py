"""One table per model drives packing, free/fixed masks, bounds, priors, sliders and files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Parameter:
    """A named block of model parameters; zero is always the rest state."""

    name: str
    shape: tuple[int, ...]
    unit: str
    sigma: float
    """Typical size of a change, in `unit`: whitens the solver's steps and scales priors."""
    lower: float = -float("inf")
    upper: float = float("inf")
    max_step: float = float("inf")
    """Largest change that one solver step may make to an entry."""
    meaning: str = ""

    @property
    def size(self) -> int:
        return prod(self.shape)


class ParameterTable:
    """The parameters of a model in packing order."""

    def __init__(self, parameters: Iterable[Parameter]):
        self.parameters = tuple(parameters)
        self.slices: dict[str, slice] = {}
        start = 0
        for parameter in self.parameters:
            self.slices[parameter.name] = slice(start, start + parameter.size)
            start += parameter.size
        self.size = start

    def __contains__(self, name: str) -> bool:
        return name in self.slices

    def __getitem__(self, name: str) -> Parameter:
        return self.parameters[list(self.slices).index(name)]

    def pack(self, values: Mapping[str, Tensor]) -> Float[Tensor, "*batch size"]:
        """Flat vector from named tensors of shape (*batch, *shape); names must match the table."""
        if set(values) != set(self.slices):
            raise KeyError(f"parameters {sorted(values)} given, expected {sorted(self.slices)}")
        flat = []
        for parameter in self.parameters:
            value = values[parameter.name]
            batch = value.shape[: value.dim() - len(parameter.shape)]
            flat.append(value.reshape(*batch, parameter.size))
        return torch.cat(flat, dim=-1)

    def unpack(self, x: Float[Tensor, "*batch size"]) -> dict[str, Tensor]:
        """Named views of a flat vector."""
        if x.shape[-1] != self.size:
            raise ValueError(f"got {x.shape[-1]} parameter values, expected {self.size}")
        return {
            p.name: x[..., self.slices[p.name]].reshape(*x.shape[:-1], *p.shape)
            for p in self.parameters
        }

    def zeros(self, *batch: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """The rest state."""
        return torch.zeros(*batch, self.size, dtype=dtype)

    def mask(self, names: Iterable[str]) -> Bool[Tensor, " size"]:
        """True where a named block is; raises KeyError naming what is available."""
        out = torch.zeros(self.size, dtype=torch.bool)
        for name in names:
            if name not in self.slices:
                raise KeyError(f"no parameter {name!r}; available: {', '.join(self.slices)}")
            out[self.slices[name]] = True
        return out

    def column(self, field: str) -> Float[Tensor, " size"]:
        """A table column ("sigma", "lower", "upper", "max_step") spread over the flat vector."""
        kind = torch.float64
        return torch.cat(
            [torch.full((p.size,), getattr(p, field), dtype=kind) for p in self.parameters]
        )

    @staticmethod
    def join(*tables: "ParameterTable") -> "ParameterTable":
        """One table after the other."""
        return ParameterTable(p for table in tables for p in table.parameters)
