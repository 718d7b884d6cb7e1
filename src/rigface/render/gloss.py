"""Highlights: a Blinn-Phong lobe of the lamps, for skin that is not quite matt.

The lobe is scaled by (n + 8) / 8, so that it reflects about the same energy whatever its exponent
n (Akenine-Moller et al., "Real-Time Rendering"), and by Schlick's reflectance of a dielectric.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rigface.render.lighting import Lighting


@dataclass(frozen=True)
class Gloss:
    """A clear layer over the colour of a surface."""

    exponent: float = 24.0
    """Larger: smaller and brighter highlights."""
    reflectance: float = 0.028
    """Of light that falls in along the normal; 0.028 is skin's (refractive index 1.4)."""

    def on(
        self,
        normals: Float[Tensor, "pixels 3"],
        towards_eye: Float[Tensor, "pixels 3"],
        lighting: Lighting,
        openness: Float[Tensor, " pixels"] | None = None,
    ) -> Float[Tensor, "pixels 3"]:
        """Linear RGB to add to the matt colour; unit vectors, lamps dimmed as in `Lighting.on`."""
        total = torch.zeros_like(normals)
        for way, colour in zip(lighting.directions.to(normals), lighting.colours, strict=True):
            half = torch.nn.functional.normalize(towards_eye + way, dim=-1)
            grazing = 1 - (half * way).sum(-1).clamp(0, 1)
            fresnel = self.reflectance + (1 - self.reflectance) * grazing**5
            lobe = (normals * half).sum(-1).clamp_min(0) ** self.exponent
            strength = fresnel * lobe * (normals @ way).clamp_min(0) * (self.exponent + 8) / 8
            total = total + strength[:, None] * colour.to(normals)
        if openness is not None:
            total = total * openness.clamp_min(0).sqrt()[:, None]
        return total
