"""Which point of the skin each texel shows, and colours for the texels that show none."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.cameras import Camera
from rigface.render.rasterise import rasterise
from rigface.rig.template import Template

_KEPT = 4
"""Layouts remembered per process."""


@dataclass(frozen=True)
class UvLayout:
    """The texels whose centres lie in the skin's UV islands."""

    size: int
    """Texels along each side of the square picture; row 0 is its top, v = 1."""
    texel: Int[Tensor, " texels"]
    """Row times size plus column."""
    face: Int[Tensor, " texels"]
    """Of the template."""
    bary: Float[Tensor, "texels 3"]

    def picture(self, values: Float[Tensor, "texels channels"]) -> Float[Tensor, "size size c"]:
        """Values of texels in their places, zeros between the islands."""
        flat = values.new_zeros(self.size * self.size, values.shape[1])
        flat[self.texel] = values
        return flat.reshape(self.size, self.size, -1)

    def covered(self) -> Bool[Tensor, "size size"]:
        """Where the islands are."""
        flat = torch.zeros(self.size * self.size, dtype=torch.bool)
        flat[self.texel] = True
        return flat.reshape(self.size, self.size)


_remembered: dict[tuple[int, int], tuple[Template, UvLayout]] = {}


def uv_layout(template: Template, size: int) -> UvLayout:
    """The skin's layout in a square texture, drawn once per template and size."""
    key = (id(template), size)
    if key in _remembered and _remembered[key][0] is template:
        return _remembered[key][1]
    layout = _draw(template, size)
    while len(_remembered) >= _KEPT:
        _remembered.pop(next(iter(_remembered)))
    _remembered[key] = (template, layout)
    return layout


def _draw(template: Template, size: int) -> UvLayout:
    """The UV plane at depth 1 before a camera whose pixels are the texels."""
    uv, corners = template.mesh.uv, template.mesh.uv_faces
    assert uv is not None and corners is not None
    flat = np.column_stack([uv[:, 0], 1.0 - uv[:, 1], np.ones(len(uv))])
    camera = Camera(
        focal=torch.full((2,), float(size), dtype=torch.float64),
        centre=torch.zeros(2, dtype=torch.float64),
        size=(size, size),
        rotation=torch.eye(3, dtype=torch.float64),
        translation=torch.zeros(3, dtype=torch.float64),
    )
    skin = torch.from_numpy(corners[template.parts["skin"].faces])
    seen = rasterise(torch.from_numpy(flat), skin, camera)
    hit = seen.face.reshape(-1) >= 0
    first = template.parts["skin"].faces.start
    return UvLayout(
        size,
        torch.nonzero(hit)[:, 0],
        seen.face.reshape(-1)[hit] + first,
        seen.bary.reshape(-1, 3)[hit],
    )


def fill_gutters(
    image: Float[Tensor, "height width 3"], covered: Bool[Tensor, "height width"]
) -> Float[Tensor, "height width 3"]:
    """The picture with every texel outside `covered` painted by the covered ones nearby.

    Pull and push over a pyramid: what a coarse level of a mip chain averages is of the islands
    only, so no level bleeds.
    """
    weight = covered.to(image)[None, None]
    return _pulled(image.permute(2, 0, 1)[None] * weight, weight)[0].permute(1, 2, 0)


def _pulled(colour: Tensor, weight: Tensor) -> Tensor:
    """`colour` is multiplied by `weight` (0 or 1) already, and is filled in place."""
    if min(colour.shape[-2:]) <= 1 or bool(weight.all()):
        total = weight.sum().clamp_min(1.0)
        mean = colour.sum(dim=(-2, -1), keepdim=True) / total
        return torch.where(weight > 0, colour, mean)
    share = _halved(weight)
    known = (share > 0).to(colour)
    coarse = _pulled(_halved(colour).div_(share.clamp_min(1.0)), known)
    fine = torch.nn.functional.interpolate(
        coarse, size=colour.shape[-2:], mode="bilinear", align_corners=False
    )
    return colour.addcmul_(fine, 1 - weight)


def _halved(planes: Tensor) -> Tensor:
    """Sums of two by two; an odd border is padded with zeros."""
    rows, columns = planes.shape[-2:]
    if rows % 2 or columns % 2:
        planes = torch.nn.functional.pad(planes, (0, columns % 2, 0, rows % 2))
    across = planes[..., ::2] + planes[..., 1::2]
    return across[..., ::2, :] + across[..., 1::2, :]
