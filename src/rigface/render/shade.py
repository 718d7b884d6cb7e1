"""A picture of a mesh: rasterised, shaded in linear light, averaged, written as sRGB."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from rigface.cameras import Camera
from rigface.io.color import srgb_from_linear
from rigface.render.albedo import Albedo
from rigface.render.attributes import interpolate, smooth_normals
from rigface.render.lighting import STUDIO, Lighting
from rigface.render.rasterise import rasterise


def render(
    vertices: Float[Tensor, "verts 3"],
    faces: Int[Tensor, "faces 3"],
    camera: Camera,
    albedo: Albedo,
    lighting: Lighting = STUDIO,
    background: Sequence[float] | Float[Tensor, "height width 3"] = (0.5, 0.5, 0.5),
    samples: int = 2,
    openness: Float[Tensor, " verts"] | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """A picture of a mesh as sRGB.

    Matt surfaces, smooth normals that face the camera, no cast shadows. `samples` squared rays per
    pixel are averaged in linear light. `background` is linear RGB, one colour or a picture of the
    camera's size. `openness` per vertex (for example `open_share`) darkens what is enclosed.
    """
    width, height = camera.size
    fine = camera.scaled(float(samples)).to(vertices.dtype).to(vertices.device)
    seen = rasterise(vertices, faces, fine)
    hit = seen.face >= 0
    face, bary = seen.face[hit], seen.bary[hit].to(vertices)
    normals = interpolate(smooth_normals(vertices, faces), faces, face, bary)
    rays = fine.rays(fine.pixel_centres()[hit])
    flip = torch.where((normals * rays).sum(-1, keepdim=True) > 0, -1.0, 1.0)
    normals = torch.nn.functional.normalize(normals * flip, dim=-1)
    dim = None
    if openness is not None:
        dim = interpolate(openness[:, None].to(vertices), faces, face, bary)[:, 0]
    colour = albedo.at(face, bary).to(vertices) * lighting.on(normals, dim)
    behind = torch.as_tensor(background).to(vertices)
    if behind.ndim == 3:
        behind = behind.repeat_interleave(samples, 0).repeat_interleave(samples, 1)
    picture = behind.expand(height * samples, width * samples, 3).clone()
    picture[hit] = colour
    mean = picture.reshape(height, samples, width, samples, 3).mean(dim=(1, 3))
    code = srgb_from_linear(mean.clamp(0, 1).double().cpu().numpy())
    return np.round(255 * code).astype(np.uint8)
