"""Skin looks the same in every photo: supplement Eq. 14-15, and the same as least squares.

Texels of a UV layout are points of the skin. Each view gives every texel the brightness at its
pixel; a patch is 3 x 3 texels. With a the nine values less their mean, divided by their length,

    1 - NCC(i, j) = |a_i - a_j|^2 / 2

By default they are freed of their mean and of their slope (the plane through them) first: light
that comes from elsewhere adds a slope, so what is left of the skin stays the same in any light.
    E = sum over pairs i < j of c_ij sum over patches of s_i s_j rho(|a_i - a_j|^2) / 2

where s is how well a view sees a patch. With L the Laplacian of a patch's pairs (weights
c s s rho'), the sum over pairs is a quadratic form of the views' own patches, so views come in
once each: dE/da = L a, and the Gauss-Newton matrix of a patch is L times the views' products.
Without a kernel and with all c alike it is the spread about the mean,
E = c/2 sum s sum s |a - mean|^2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.render.image_pyramid import ImagePyramid
from rigface.terms.robust import Kernel, LeastSquares
from rigface.terms.term import PixelModel

CENTRE = 4
"""Of the nine texels of a patch."""
_STEPS = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64) / 6**0.5
MEAN = torch.full((9, 1), 1 / 3, dtype=torch.float64)
PLANE = torch.cat([MEAN, _STEPS.repeat_interleave(3)[:, None], _STEPS.repeat(3)[:, None]], dim=1)
"""What the nine values of a patch are freed of, as orthonormal columns."""
_TINY = 1e-9
"""Length of a patch below which it has no direction."""


@dataclass(frozen=True)
class PhotometricPatches:
    """Frozen texels, patches and photos: what is visible, at which scale, with which weight."""

    corners: Int[np.ndarray, "texels corners"]
    """Skin vertices whose weighted mean each texel is."""
    bary: Float[np.ndarray, "texels corners"]
    patches: Int[Tensor, "patches 9"]
    """Texels of each 3 x 3 neighbourhood, the centre in the middle. A texel is the centre of at
    most one."""
    pictures: Sequence[ImagePyramid]
    taps: Float[Tensor, "views taps texels 2"]
    """Pixels from a texel's centre to the places that its brightness is the mean of: its own area
    as the view sees it, so that every view blurs the skin alike."""
    levels: Float[Tensor, "views texels"]
    """Scale at which each view is sampled at the taps."""
    share: Float[Tensor, "views patches"]
    """V of Eq. 14: 0 where a view does not see a whole patch, up to 1."""
    pairs: Float[Tensor, "views views"]
    """c_ij, symmetric with a zero diagonal: weight and normalisation of each pair of views."""
    floor: Float[Tensor, " views"]
    """Contrast (length of a patch's values once freed) below which it fades; 0: exact NCC."""
    kernel: Kernel = field(default_factory=LeastSquares)
    """Of |a_i - a_j|^2 = 2 (1 - NCC), in [0, 4]."""
    freed_of: Float[Tensor, "9 columns"] = field(default_factory=lambda: PLANE)
    """`PLANE`, or `MEAN` alone (Eq. 14)."""

    def energy(self, pixels: Float[Tensor, "views texels 2"]) -> float:
        """E with the texels at these pixels."""
        unit, _ = self._unit(self._sampled(pixels)[0])
        square = _squares(unit)
        rho = torch.from_numpy(self.kernel.rho(square.numpy()))
        return 0.25 * float((self._weights() * rho).sum())

    def pixel_model(self, pixels: Float[Tensor, "views texels 2"]) -> PixelModel:
        """E, its exact gradient by the pixels, and J^T W J of each patch about its centre.

        The matrix takes a patch to move as its centre does, which is true but for the change of
        the motion over two texels: nine rows become two.
        """
        values, slopes = self._sampled(pixels)
        unit, length = self._unit(values)
        square = _squares(unit).numpy()
        weights = self._weights()
        energy = 0.25 * float((weights * torch.from_numpy(self.kernel.rho(square))).sum())
        weights = weights * torch.from_numpy(self.kernel.weight(square))
        laplacian = torch.diag_embed(weights.sum(dim=-1)) - weights
        pull = self._tangent((laplacian @ unit)[..., None], unit, length)[..., 0]
        slope = slopes[:, self.patches].transpose(0, 1)  # patches views 9 2
        moves = self._tangent(slope, unit, length)
        gradient = torch.zeros_like(values)
        for view in range(len(values)):
            gradient[view].index_add_(0, self.patches.flatten(), pull[:, view].flatten())
        return PixelModel(
            energy,
            gradient[..., None] * slopes,
            self.patches[:, CENTRE],
            moves.transpose(-1, -2),
            laplacian,
        )

    def similarity(
        self, pixels: Float[Tensor, "views texels 2"]
    ) -> Float[Tensor, "patches views views"]:
        """NCC of every patch between every two views (with the floor: at most that)."""
        unit, _ = self._unit(self._sampled(pixels)[0])
        return unit @ unit.transpose(-1, -2)

    def _sampled(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Brightness of texels (views, texels) and its slope by the pixels (views, texels, 2)."""
        parts = [
            _mean_of_taps(picture, at + taps, level)
            for picture, at, taps, level in zip(
                self.pictures, pixels, self.taps, self.levels, strict=True
            )
        ]
        return torch.stack([value for value, _ in parts]), torch.stack([way for _, way in parts])

    def _unit(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Patches (patches, views, 9), freed and at unit length, and the lengths."""
        nine = values[:, self.patches].transpose(0, 1) @ self._free.to(values)
        floor = self.floor.to(values)[:, None].clamp_min(_TINY)
        length = (nine.square().sum(dim=-1, keepdim=True) + floor**2).sqrt()
        return nine / length, length

    @cached_property
    def _free(self) -> Float[Tensor, "9 9"]:
        """The projection that frees nine values."""
        return torch.eye(9, dtype=torch.float64) - self.freed_of @ self.freed_of.T

    def _tangent(self, vectors: Tensor, unit: Tensor, length: Tensor) -> Tensor:
        """d a / d values times the columns of `vectors` (patches, views, 9, n); symmetric."""
        free = self._free.to(vectors) @ vectors
        along = (unit[..., None] * free).sum(dim=-2, keepdim=True)
        return (free - unit[..., None] * along) / length[..., None]

    def _weights(self) -> Float[Tensor, "patches views views"]:
        """c_ij s_i s_j."""
        share = self.share.T
        return self.pairs * share[:, :, None] * share[:, None, :]


def _mean_of_taps(
    picture: ImagePyramid, pixels: Float[Tensor, "taps texels 2"], level: Tensor
) -> tuple[Float[Tensor, " texels"], Float[Tensor, "texels 2"]]:
    count = len(pixels)
    value, slope = picture.sample(pixels.flatten(0, 1), level.repeat(count))
    return value.unflatten(0, (count, -1)).mean(0), slope.unflatten(0, (count, -1)).mean(0)


def _squares(unit: Tensor) -> Float[Tensor, "patches views views"]:
    """|a_i - a_j|^2."""
    products = unit @ unit.transpose(-1, -2)
    own = products.diagonal(dim1=-2, dim2=-1)
    return (own[..., :, None] + own[..., None, :] - 2 * products).clamp_min(0)
