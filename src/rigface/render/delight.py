"""The light in a photo, as second-order spherical harmonics, from the skin it falls on."""

import torch
from jaxtyping import Float
from torch import Tensor

from rigface.render.lighting import harmonic_basis

_ROUNDS = 12
_OUTLIER = 0.35
"""Relative residual at which a colour starts to be no skin in this light (brow, lip, shadow)."""
_STIFFNESS = (0.0, *3 * (2e-3,), *5 * (1e-2,))
"""Ridge per coefficient, as share of the samples: one side of a head does not fix all nine."""
FLOOR = 0.3
"""Least relative light that is divided out: below it there is more noise than colour."""
_SAMPLES = 40_000


def estimate_light(
    colour: Float[Tensor, "samples 3"],
    normals: Float[Tensor, "samples 3"],
    trust: Float[Tensor, " samples"],
    openness: Float[Tensor, " samples"],
) -> Float[Tensor, "9 3"]:
    """Light on the skin relative to its mean: `harmonic_basis(n) @ light` is 1 on average.

    Least squares of linear colour against the harmonics of the normals for a skin of one albedo,
    re-weighted (Geman-McClure) so that what is no such skin drops out; `openness` multiplies the
    light, as in `Lighting.on`. Zero trust everywhere gives even light.
    """
    step = max(1, len(colour) // _SAMPLES)
    colour, normals = colour[::step].double(), normals[::step].double()
    trust, openness = trust[::step].double(), openness[::step].double()
    even = torch.zeros(9, 3, dtype=torch.float64)
    even[0] = 1 / harmonic_basis(normals.new_tensor([[0.0, 0.0, 1.0]]))[0, 0]
    if not bool(trust.sum() > 0):
        return even
    basis = harmonic_basis(normals) * openness[:, None]
    light = torch.stack([_channel(basis, c, trust) for c in colour.T], dim=1)
    mean = ((basis @ light) * trust[:, None]).sum(0) / trust.sum()
    return light / mean.clamp_min(1e-6)


def light_on(
    light: Float[Tensor, "9 3"],
    normals: Float[Tensor, "samples 3"],
    openness: Float[Tensor, " samples"],
) -> Float[Tensor, "samples 3"]:
    """The light to divide by, never below `FLOOR`."""
    reached = (harmonic_basis(normals) @ light.to(normals)) * openness[:, None].to(normals)
    return reached.clamp_min(FLOOR)


def _channel(basis: Tensor, colour: Tensor, trust: Tensor) -> Tensor:
    ridge = torch.tensor(_STIFFNESS, dtype=basis.dtype)
    level = ((colour * trust).sum() / trust.sum()).clamp_min(1e-6)
    weight, light = trust, basis.new_zeros(9)
    for _ in range(_ROUNDS):
        weighted = basis * weight[:, None]
        system = weighted.T @ basis + torch.diag(ridge * weight.sum() + 1e-9 * trust.sum())
        light = torch.linalg.solve(system, weighted.T @ colour)
        expected = (basis @ light).clamp_min(0.1 * level)
        relative = (colour - basis @ light) / (_OUTLIER * expected)
        weight = trust / (1 + relative**2) ** 2
    return light
