"""The light in a photo, as second-order spherical harmonics, from the skin it falls on."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rigface.render.lighting import harmonic_basis

_ROUNDS = 12
_OUTLIER = 0.35
"""Relative residual at which a colour starts to be no skin in this light (brow, lip, shadow)."""
_STIFFNESS = (0.0, *3 * (1e-3,), *5 * (6e-3,))
"""Ridge per coefficient, as share of the samples: one side of a head does not fix all nine."""
_GREYNESS = 5e-3
"""The same for the differences between the colours of the light, from the first order on."""
FLOOR = 0.3
"""Least relative light that is divided out: below it there is more noise than colour."""
_RANGE = (0.02, 0.98)
"""Quantiles of the light on the samples; beyond them it would be extrapolated."""
_SAMPLES = 40_000


@dataclass(frozen=True)
class SkinLight:
    """Light relative to its mean over the skin that it was estimated from."""

    harmonics: Float[Tensor, "9 3"]
    """In `harmonic_basis`, over normals in model space."""
    lowest: Float[Tensor, "3"]
    highest: Float[Tensor, "3"]
    """What the skin received; no more and no less is divided out."""

    def on(
        self, normals: Float[Tensor, "samples 3"], openness: Float[Tensor, " samples"]
    ) -> Float[Tensor, "samples 3"]:
        """The light to divide by."""
        light = (harmonic_basis(normals) @ self.harmonics.to(normals)) * openness[:, None]
        return light.maximum(self.lowest.to(light)).minimum(self.highest.to(light))


def estimate_light(
    colour: Float[Tensor, "samples 3"],
    normals: Float[Tensor, "samples 3"],
    trust: Float[Tensor, " samples"],
    openness: Float[Tensor, " samples"],
) -> SkinLight:
    """Light on skin of one albedo.

    Least squares of linear colour against the harmonics of the normals (Ramamoorthi and Hanrahan
    2001), first of grey, then of what each channel differs from it; re-weighted (Geman-McClure) so
    that brows, lips and shadows drop out. `openness` multiplies the light, as in `Lighting.on`.
    Without trust anywhere the light is even.
    """
    step = max(1, len(colour) // _SAMPLES)
    colour, normals = colour[::step].double(), normals[::step].double()
    trust, openness = trust[::step].double(), openness[::step].double()
    basis = harmonic_basis(normals) * openness[:, None]
    if not bool(trust.sum() > 0):
        even = torch.zeros(9, 3, dtype=torch.float64)
        even[0] = 1 / harmonic_basis(torch.eye(3, dtype=torch.float64))[0, 0]
        return SkinLight(even, torch.ones(3).double(), torch.ones(3).double())
    level = (colour * trust[:, None]).sum(0) / trust.sum()
    relative = colour / level.clamp_min(1e-6)
    grey, weight = _grey(basis, relative.mean(dim=1), trust)
    differs = relative - (basis @ grey)[:, None]
    ridge = torch.full((9,), _GREYNESS, dtype=basis.dtype)
    ridge[0] = 0.0
    harmonics = grey[:, None] + _ridge(basis, differs, weight, ridge)
    light = basis @ harmonics
    mean = (light * trust[:, None]).sum(0) / trust.sum()
    harmonics, light = harmonics / mean.clamp_min(1e-6), light / mean.clamp_min(1e-6)
    low, high = light[trust > 0.5 * trust.max()].quantile(light.new_tensor(_RANGE), dim=0)
    return SkinLight(harmonics, low.clamp_min(FLOOR), high.clamp_min(FLOOR))


def _grey(basis: Tensor, values: Tensor, trust: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients for values of mean 1, and the weights that were found with them."""
    ridge = torch.tensor(_STIFFNESS, dtype=basis.dtype)
    weight, light = trust, basis.new_zeros(9)
    for _ in range(_ROUNDS):
        light = _ridge(basis, values[:, None], weight, ridge)[:, 0]
        expected = (basis @ light).clamp_min(0.1)
        weight = trust / (1 + ((values - expected) / (_OUTLIER * expected)) ** 2) ** 2
    return light, weight


def _ridge(basis: Tensor, values: Tensor, weight: Tensor, ridge: Tensor) -> Tensor:
    weighted = basis * weight[:, None]
    system = weighted.T @ basis + torch.diag((ridge + 1e-9) * weight.sum())
    return torch.linalg.solve(system, weighted.T @ values)
