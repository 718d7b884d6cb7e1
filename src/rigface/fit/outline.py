"""The outline of a face against the background, where a person mask shows it.

The mesh's oval is a ring in space, not what the eye sees as the outline. So each contour path of
the template (`rig.landmark_embedding`) gives the point that lies farthest out in this view, and
the mask says where the person ends near it: a step from person to background along the outward
direction. Where hair, neck or clothes continue the person there is no step, and no pair.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import map_coordinates

from rigface.cameras import Camera
from rigface.evidence.face import FaceMasks, FaceObservation
from rigface.rig.landmark_embedding import LandmarkEmbedding
from rigface.terms.image_points import ImagePoints
from rigface.terms.robust import GemanMcClure

_REACH = 0.06
"""Of the face size: how far from the model's outline the person's may be."""
_SIGMA = 0.012
"""Of the face size: the mask's edge."""
_STEPS = 41
_INSIDE, _OUTSIDE = 190.0, 60.0
"""Mask values that the two ends of the search must pass."""


def outline_pairs(
    embedding: LandmarkEmbedding,
    vertices: Float[np.ndarray, "verts 3"],
    camera: Camera,
    face: FaceObservation,
) -> ImagePoints | None:
    """Outline points of a head and their places on the person's outline; None without any.

    `vertices` are all of the template's, in model space.
    """
    if face.masks is None or face.masks.person is None:
        return None
    found = embedding.contour_points(vertices, camera)
    pixels, _ = camera.project(torch.from_numpy(found.position))
    at = pixels.numpy()
    out = at - at.mean(axis=0)
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
    shift = np.linspace(-_REACH, _REACH, _STEPS) * face.size
    value = _mask_at(face.masks, at[:, None] + shift[:, None] * out[:, None])
    falls = (value[:, :-1] >= 128) & (value[:, 1:] < 128)
    nearest = np.where(falls, np.abs(shift[:-1]), np.inf).argmin(axis=1)
    good = found.on_outline & falls.any(axis=1)
    good &= (value[:, 0] > _INSIDE) & (value[:, -1] < _OUTSIDE)
    if not good.any():
        return None
    row = np.arange(len(at))
    before, after = value[row, nearest], value[row, nearest + 1]
    share = (before - 128) / np.maximum(before - after, 1e-6)
    place = shift[nearest] + share * (shift[1] - shift[0])
    return ImagePoints(
        corners=embedding.faces[found.face[good]],
        bary=found.bary[good],
        pixels=(at + place[:, None] * out)[good],
        sigma=np.full(int(good.sum()), _SIGMA * face.size),
        normals=out[good],
        kernel=GemanMcClure(2.0),
    )


def _mask_at(
    masks: FaceMasks, pixels: Float[np.ndarray, "points steps 2"]
) -> Float[np.ndarray, "points steps"]:
    assert masks.person is not None
    cells = (pixels - np.array(masks.box[:2])) / masks.cell - 0.5
    where = [cells[..., 1], cells[..., 0]]
    return map_coordinates(masks.person.astype(np.float64), where, order=1, mode="nearest")
