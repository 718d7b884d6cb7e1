"""The colour of a surface wherever a pixel meets it, linear RGB."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.render.attributes import interpolate


@runtime_checkable
class Albedo(Protocol):
    """The colour of a surface wherever a pixel meets it."""

    def at(
        self, face: Int[Tensor, " pixels"], bary: Float[Tensor, "pixels 3"]
    ) -> Float[Tensor, "pixels 3"]:
        """Linear RGB at points on faces."""
        ...


@dataclass(frozen=True)
class VertexColours:
    """One colour per vertex, blended over the faces."""

    colours: Float[Tensor, "verts 3"]
    """Linear RGB."""
    faces: Int[Tensor, "faces 3"]

    def at(
        self, face: Int[Tensor, " pixels"], bary: Float[Tensor, "pixels 3"]
    ) -> Float[Tensor, "pixels 3"]:
        """Linear RGB at points on faces."""
        return interpolate(self.colours, self.faces, face, bary)


@dataclass(frozen=True)
class Texture:
    """A UV-mapped image, sampled bilinearly and clamped at its border; use supersampling."""

    image: Float[Tensor, "height width 3"]
    """Linear RGB, first row on top."""
    uv: Float[Tensor, "uvs 2"]
    """Origin in the lower left corner."""
    uv_faces: Int[Tensor, "faces 3"]

    def at(
        self, face: Int[Tensor, " pixels"], bary: Float[Tensor, "pixels 3"]
    ) -> Float[Tensor, "pixels 3"]:
        """Linear RGB at points on faces."""
        uv = interpolate(self.uv, self.uv_faces, face, bary)
        grid = torch.stack([2 * uv[:, 0] - 1, 1 - 2 * uv[:, 1]], dim=-1)
        sampled = torch.nn.functional.grid_sample(
            self.image.to(grid).permute(2, 0, 1)[None],
            grid[None, None],
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )
        return sampled[0, :, 0].T
