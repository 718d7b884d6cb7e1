"""A picture of a mesh: rasterised, shaded in linear light, averaged, written as sRGB."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from rigface.cameras import Camera
from rigface.io.color import srgb_codes
from rigface.render.albedo import Albedo
from rigface.render.attributes import interpolate, smooth_normals
from rigface.render.gloss import Gloss
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
    gloss: Gloss | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """A picture of a mesh as sRGB.

    Matt surfaces unless there is a `gloss`, smooth normals that face the camera, no cast shadows.
    `samples` squared rays per pixel are averaged in linear light. `background` is linear RGB, one
    colour or a picture of the camera's size. `openness` per vertex (for example `open_share`)
    darkens what is enclosed.
    """
    width, height = camera.size
    fine = camera.scaled(float(samples)).to(vertices.dtype).to(vertices.device)
    seen = rasterise(vertices, faces, fine)
    hit = torch.nonzero(seen.face.reshape(-1) >= 0)[:, 0]
    face, bary = seen.face.reshape(-1)[hit], seen.bary.reshape(-1, 3)[hit].to(vertices)
    both = torch.cat([smooth_normals(vertices, faces), vertices - fine.position], dim=1)
    normals, rays = interpolate(both, faces, face, bary).split(3, dim=1)
    flip = torch.where((normals * rays).sum(-1, keepdim=True) > 0, -1.0, 1.0)
    normals = torch.nn.functional.normalize(normals * flip, dim=-1)
    dim = None
    if openness is not None:
        dim = interpolate(openness[:, None].to(vertices), faces, face, bary)[:, 0]
    colour = albedo.at(face, bary).to(vertices) * lighting.on(normals, dim)
    if gloss is not None:
        towards_eye = -torch.nn.functional.normalize(rays, dim=-1)
        colour = colour + gloss.on(normals, towards_eye, lighting, dim)
    behind = torch.as_tensor(background).to(vertices)
    if behind.ndim == 3:
        behind = behind.repeat_interleave(samples, 0).repeat_interleave(samples, 1)
    picture = behind.expand(height * samples, width * samples, 3).reshape(-1, 3).clone()
    picture[hit] = colour
    rows = picture.reshape(height, samples, -1).sum(dim=1)
    mean = rows.reshape(height, width, samples, 3).sum(dim=2) / samples**2
    return srgb_codes(mean.cpu().numpy())
