"""The contour of a face in a view, paired with the photo's: the edge term of supplement Eq. 13.

Candidates are exact contour samples (`render.silhouette`): edges between front and back, seen by
the camera, on the face, before the background or the neck. Ears and scalp are left out, because
hair and hats hide them; so is where a cheek ends before its own ear.
The paper takes the visible vertices whose normal is within 10 degrees of perpendicular to the view
(`edge_vertices`): a band inside the contour, up to 1 - cos(10 deg) = 1.5 % of the radius inwards.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float

from rigface.cameras import Camera
from rigface.geometry.mesh import vertex_normals
from rigface.render.silhouette import contour_samples
from rigface.render.visibility import visible_vertices
from rigface.rig.template import Template
from rigface.terms.edge import EdgeScale, ImageContour, SkinContour, edge_pairs
from rigface.terms.image_points import ImagePoints

REACH = 0.06
"""Of the face size: how far from the model's outline the person's may be."""
SIGMA = 0.012
"""Of the face size: the mask's edge."""
CORRELATION = 0.09
"""Of the face size: contour that counts as one measurement."""
_SPACING = 0.02
"""Of the face size: between samples."""
FACE = ("face",)
"""Regions of the template. With "scalp" bald heads are fitted better, and others grow into their
hair."""
PAPER_ANGLE = math.radians(10)


def outline_pairs(
    template: Template,
    skin: Float[np.ndarray, "skin 3"],
    camera: Camera,
    contour: ImageContour,
    size: float,
    regions: Sequence[str] = FACE,
) -> ImagePoints | None:
    """The head's contour and its places in the photo; None without any.

    `skin` are the template's skin vertices in the camera's world, metres; `size` is the face size
    in pixels; `regions` are those of the template that may be seen against the background.
    """
    found = contour_points(template, skin, camera, _SPACING * size, regions)
    return edge_pairs(found, contour, edge_scale(size))


def edge_scale(size: float) -> EdgeScale:
    """What a pair may be and what it weighs, by the face size in pixels."""
    return EdgeScale(REACH * size, SIGMA * size, CORRELATION * size)


def contour_points(
    template: Template,
    skin: Float[np.ndarray, "skin 3"],
    camera: Camera,
    spacing: float,
    regions: Sequence[str] = FACE,
) -> SkinContour:
    """The face's contour before background and neck, sampled every `spacing` pixels."""
    part = template.parts["skin"]
    faces = template.mesh.faces[part.faces]
    samples = contour_samples(
        torch.from_numpy(skin), torch.from_numpy(faces), camera.to(torch.float64), spacing
    )
    samples = samples.select(samples.visible & ~samples.boundary)
    neck = template.regions["neck"][part.vertices]
    edge, behind = samples.edge.numpy(), samples.behind.numpy()
    kept = _wanted(template, regions)[edge].all(axis=1)
    occluding = behind >= 0
    kept &= ~occluding | neck[faces[behind]].all(axis=1)
    share = samples.share.numpy()[kept]
    return SkinContour(
        corners=edge[kept],
        bary=np.column_stack([1 - share, share]),
        pixels=samples.pixels.numpy()[kept],
        normals=samples.normals.numpy()[kept],
        occluding=occluding[kept],
        length=samples.length.numpy()[kept],
    )


def edge_vertices(
    template: Template,
    skin: Float[np.ndarray, "skin 3"],
    camera: Camera,
    within: float = PAPER_ANGLE,
) -> SkinContour:
    """Eq. 13 with its erratum: visible vertices of the face whose normal makes less than
    `within` (radians) with the plane across the view ray.

    Each stands for one pixel of contour, and none is known to lie before the neck.
    """
    part = template.parts["skin"]
    faces = template.mesh.faces[part.faces]
    normals = vertex_normals(skin, faces)
    ray = skin - camera.position.double().numpy()
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    grazing = np.abs((normals * ray).sum(axis=1)) < math.sin(within)
    seen = visible_vertices(
        torch.from_numpy(skin),
        torch.from_numpy(faces),
        camera.to(torch.float64),
        least_cosine=-math.sin(within),
    )
    kept = np.flatnonzero(grazing & seen.numpy() & _wanted(template, FACE))
    local = torch.from_numpy(skin[kept])
    slope = camera.to(torch.float64).project_jacobian(local).numpy()
    across = np.einsum("pcd,pd->pc", slope, normals[kept])
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-300)
    pixels = camera.to(torch.float64).project(local)[0].numpy()
    return SkinContour(
        corners=kept[:, None],
        bary=np.ones((len(kept), 1)),
        pixels=pixels,
        normals=across,
        occluding=np.zeros(len(kept), dtype=bool),
        length=np.ones(len(kept)),
    )


def _wanted(template: Template, regions: Sequence[str]) -> Bool[np.ndarray, " skin"]:
    mask = np.any([template.regions[name] for name in regions], axis=0)
    return mask[template.parts["skin"].vertices]
