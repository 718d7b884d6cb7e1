"""Light from far away: second-order spherical harmonics and lamps, linear RGB.

Light and albedo are relative: a white surface that faces a lamp of colour 1 has the value 1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

_BAND_0 = math.sqrt(1 / (4 * math.pi))
_BAND_1 = math.sqrt(3 / (4 * math.pi))
_BAND_2 = math.sqrt(15 / (4 * math.pi))


@dataclass(frozen=True)
class Lighting:
    """A sky and lamps; directions in the world."""

    harmonics: Float[Tensor, "9 3"]
    """Coefficients of the reflected light of a white surface over its normal, in `harmonic_basis`:
    the cosine lobe is in them already (Ramamoorthi and Hanrahan 2001)."""
    directions: Float[Tensor, "lamps 3"]
    """Unit vectors towards the lamps."""
    colours: Float[Tensor, "lamps 3"]

    @staticmethod
    def of(
        ambient: float | Sequence[float],
        lamps: Sequence[tuple[Sequence[float], float | Sequence[float]]] = (),
    ) -> "Lighting":
        """Even light from all sides, and lamps as (direction towards the lamp, colour)."""
        harmonics = torch.zeros(9, 3)
        harmonics[0] = torch.tensor(ambient) / _BAND_0
        directions = torch.tensor([list(map(float, way)) for way, _ in lamps]).reshape(-1, 3)
        colours = torch.stack([torch.tensor(c).expand(3) for _, c in lamps] or [torch.zeros(3)])
        directions = torch.nn.functional.normalize(directions, dim=-1)
        return Lighting(harmonics, directions, colours[: len(lamps)].float())

    def tinted(self, gains: Sequence[float]) -> "Lighting":
        """Every light times a factor per channel: another exposure and white balance."""
        factors = torch.tensor(list(map(float, gains)))
        return replace(self, harmonics=self.harmonics * factors, colours=self.colours * factors)

    def on(
        self,
        normals: Float[Tensor, "*batch 3"],
        openness: Float[Tensor, "*batch"] | None = None,
    ) -> Float[Tensor, "*batch 3"]:
        """Light that a white surface reflects; never below zero.

        `openness`, the share of the sky that a place sees, dims the harmonics by itself and the
        lamps, which are narrower, by its square root.
        """
        harmonics = self.harmonics.to(normals)
        if harmonics[1:].any():
            sky = (harmonic_basis(normals) @ harmonics).clamp_min(0)
        else:  # the same from all sides
            sky = (_BAND_0 * harmonics[0]).clamp_min(0)
        cosine = (normals @ self.directions.to(normals).T).clamp_min(0)
        lamps = cosine @ self.colours.to(normals)
        if openness is None:
            return sky + lamps
        return sky * openness[..., None] + lamps * openness.clamp_min(0).sqrt()[..., None]


def harmonic_basis(normals: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 9"]:
    """Real spherical harmonics of order 0 to 2 of unit vectors, orthonormal over the sphere.

    Order: 1; y, z, x; xy, yz, 3z^2 - 1, xz, x^2 - y^2.
    """
    x, y, z = normals.unbind(-1)
    one = torch.ones_like(x)
    rows = [
        _BAND_0 * one,
        _BAND_1 * y,
        _BAND_1 * z,
        _BAND_1 * x,
        _BAND_2 * x * y,
        _BAND_2 * y * z,
        _BAND_2 / math.sqrt(12) * (3 * z * z - 1),
        _BAND_2 * x * z,
        _BAND_2 / 2 * (x * x - y * y),
    ]
    return torch.stack(rows).movedim(0, -1)


STUDIO = Lighting.of(0.35, [((-0.5, 0.7, 0.9), 0.55), ((0.9, 0.1, 0.7), 0.2)])
"""Soft light from all sides, a key lamp from above the subject's right, a fill from the left."""
