"""Pictures of a whole painted head, in one call."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from rigface.cameras import Camera
from rigface.render.head_paint import HeadPaint, Palette
from rigface.render.lighting import STUDIO, Lighting
from rigface.render.openness import open_share
from rigface.render.shade import render
from rigface.rig.template import Template

_OPEN_EYE = 0.8
"""An eyeball's few vertices lie behind the lids: their own openness would blacken its corners."""


def head_openness(
    template: Template, vertices: Float[Tensor, "verts 3"]
) -> Float[Tensor, " verts"]:
    """`open_share` of a head with the template's topology, the eyeballs kept light."""
    share = open_share(vertices, torch.from_numpy(template.mesh.faces))
    for side in "LR":
        share[template.parts[f"eyeball.{side}"].vertices] = _OPEN_EYE
    return share


def render_head(
    template: Template,
    vertices: Float[Tensor, "verts 3"],
    camera: Camera,
    palette: Palette | None = None,
    lighting: Lighting = STUDIO,
    background: Sequence[float] | Float[Tensor, "height width 3"] = (0.5, 0.5, 0.5),
    samples: int = 2,
    openness: Float[Tensor, " verts"] | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """An sRGB picture of a painted head: all parts of the template, at other positions.

    `vertices` are in model space, metres. Give `openness` (`head_openness`) where several pictures
    show one head: it takes longer than the picture.
    """
    faces = torch.from_numpy(template.mesh.faces)
    if openness is None:
        openness = head_openness(template, vertices)
    paint = HeadPaint.of_template(template, palette)
    return render(vertices, faces, camera, paint, lighting, background, samples, openness)
