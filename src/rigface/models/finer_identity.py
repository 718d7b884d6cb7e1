"""Identity beyond the modes of the prior: further directions of tau, for evidence that shows more.

The modes leave something of every head: over the face 0.7 mm of a held-out one
(docs/prior_card.md). That has no few principal directions of its own, so the bones' give them. With
J the derivative of the face by tau and S the sigmas of ASM's table, the motions U D of

    (1 - Q Q^T) J S = U D V^T,   Q: the modes and the similarities of the face,

are those that the bones make and the modes cannot, the largest first. Held-out heads tell how far
they go: the variance of what is left along U_k is `LEFT` times D_k, from the largest to the
smallest (`learn.left_over`). So tau = mean + z . modes + y . finer with standard normal z and y is
one Gaussian prior, and what the photos show decides how much of y there is.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rigface.geometry.mesh import face_areas
from rigface.models.identity import AsmIdentity
from rigface.rig.template import Template

LEFT = 3.0e-6
"""Metres: variance that the modes leave along a direction, over its D."""
UNSEEN = ("inner", "scalp", "ears", "neck")
"""Regions by which no direction is judged."""


@dataclass(frozen=True)
class FinerDirections:
    """Motions of the face that the modes cannot make, the largest first."""

    tau: Float[Tensor, "count bones 9"]
    """S V_k."""
    size: Float[Tensor, " count"]
    """D_k: what that moves the face by, metres RMS."""
    motion: Float[Tensor, "coordinates count"]
    """U_k, of the vertices `where`, each times the root of its weight."""
    where: Bool[np.ndarray, " verts"]
    weight: Float[np.ndarray, " some"]


def finer_identity(model: AsmIdentity, template: Template, count: int) -> AsmIdentity:
    """The same model with `count` more identity coefficients behind those of the modes."""
    finer = finer_directions(model, template, count)
    scaled = finer.tau * (LEFT / finer.size).sqrt()[:, None, None]
    return AsmIdentity.of(model.asm, model.mean, torch.cat([model.modes, scaled.to(model.modes)]))


def finer_directions(model: AsmIdentity, template: Template, count: int) -> FinerDirections:
    """The largest `count` of them at the mean head."""
    where, weight = face_metric(template)
    root = torch.from_numpy(np.repeat(np.sqrt(weight), 3))[:, None]
    place, motion = _bone_motion(model, where)
    sigma = torch.tensor([model.asm.table[name].sigma for name in _NUMBERS], dtype=torch.float64)
    scale = sigma.repeat_interleave(3).repeat(len(model.asm.parents))
    modes = model.modes.double().flatten(1)
    known, rows = root * (motion @ modes.T), root * (motion * scale)
    basis, _ = torch.linalg.qr(torch.cat([root * _similarities(place), known], dim=1))
    left = rows - basis @ (basis.T @ rows)
    value, vector = torch.linalg.eigh(left.T @ left)
    size, vector = value.flip(0)[:count].sqrt(), vector.flip(1)[:, :count].T
    # Largest entry positive: eigenvectors are defined up to sign.
    largest = vector.abs().argmax(dim=1, keepdim=True)
    vector = vector * vector.gather(1, largest).sign()
    # A direction is to move the face as the modes do not.
    share = torch.linalg.lstsq(known, rows @ vector.T).solution
    tau = (vector * scale - share.T @ modes).unflatten(1, (-1, 9))
    return FinerDirections(tau, size, left @ vector.T / size, where, weight)


def face_metric(
    template: Template,
) -> tuple[Bool[np.ndarray, " verts"], Float[np.ndarray, " some"]]:
    """Skin vertices that a photo of the face shows, and their weights, half by area and half by
    vertex; the weights sum to one."""
    skin = template.parts["skin"]
    unseen = np.any([template.regions[name] for name in UNSEEN], axis=0)
    where = (template.regions["face"] & ~unseen)[skin.vertices]
    vertices, faces = template.mesh.vertices[skin.vertices], template.mesh.faces[skin.faces]
    corner = np.repeat(face_areas(vertices, faces) / 3, 3)
    area = np.bincount(faces.ravel(), corner, minlength=len(vertices))[where]
    return where, area / area.sum() / 2 + 0.5 / len(area)


_NUMBERS = ("rotation", "translation", "log_scale")


def _bone_motion(
    model: AsmIdentity, where: Bool[np.ndarray, " verts"]
) -> tuple[Float[Tensor, "some 3"], Float[Tensor, "coordinates numbers"]]:
    """Vertices of the mean head and their derivative by every number of tau."""
    numbers = model.mean.numel()
    every = torch.eye(numbers, dtype=torch.float64).unflatten(1, model.mean.shape)
    free = AsmIdentity.of(model.asm, model.mean.double(), every)
    ids = np.flatnonzero(where)[:, None]
    place, motion = free.points(free.table.zeros(), ids, np.ones(ids.shape))
    return place, motion[..., :numbers].flatten(0, 1)


def _similarities(place: Float[Tensor, "some 3"]) -> Float[Tensor, "coordinates 7"]:
    """Motions of points under small shifts, turns and growth."""
    centred = place - place.mean(dim=0)
    axes = torch.eye(3, dtype=place.dtype)
    shifts = axes.expand(len(place), 3, 3)
    turns = torch.stack([torch.linalg.cross(axis.expand_as(centred), centred) for axis in axes], -1)
    return torch.cat([shifts, turns, centred[..., None]], dim=-1).flatten(0, 1)
