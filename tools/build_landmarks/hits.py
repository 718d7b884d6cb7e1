"""From pixels to the template: the outer skin under each landmark, averaged over the pictures."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from rigface.geometry.mesh import vertex_normals
from rigface.render.rasterise import rasterise
from rigface.rig.template import Template

from .views import Detector, View

MARKS = 468
FINE = 2
"""Pixels of the id picture per pixel of the detector's."""
_SNAP = 8 * FINE
"""A landmark on an eyeball, a tooth or the background belongs to skin at most so far away."""
_LEAST_COSINE = 0.35
_OUTLIER = 8e-3
"""Metres from the median."""
_HIDDEN = 15e-3
"""Metres from the aligned canonical face, which is right to 4 mm inside and 10 mm at the oval."""
_OPEN = 0.2
_OPEN_SHARE = 0.25


@dataclass(frozen=True)
class Hits:
    """One row per picture."""

    points: np.ndarray
    """(pictures, 468, 3) on the neutral template, metres; NaN without a hit."""
    weight: np.ndarray
    """(pictures, 468): squared cosine between normal and view ray."""
    jaw: np.ndarray


def collect(template: Template, pictures: list[View], detector: Detector) -> Hits:
    """The place on the template of every landmark in every picture."""
    found = [(view, detector(view.picture)) for view in pictures]
    rows = [(view, _hit(template, view, pixels)) for view, pixels in found if pixels is not None]
    return Hits(
        np.array([points for _, (points, _) in rows]),
        np.array([weight for _, (_, weight) in rows]),
        np.array([view.jaw for view, _ in rows]),
    )


def allowed_faces(template: Template) -> np.ndarray:
    """Skin that landmarks may lie on; jaw points must not fall on the neck behind the jaw."""
    elsewhere = template.regions["neck"] | template.regions["ears"]
    faces = template.mesh.faces
    return template.regions["outer"][faces].all(axis=1) & ~elsewhere[faces].any(axis=1)


def _hit(template: Template, view: View, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    faces = template.mesh.faces
    camera = view.camera.scaled(float(FINE))
    seen = rasterise(torch.from_numpy(view.vertices), torch.from_numpy(faces), camera)
    ids, bary = seen.face.numpy(), seen.bary.numpy().astype(float)
    outer = np.append(allowed_faces(template), False)[ids]
    distance, (rows, columns) = distance_transform_edt(~outer, return_indices=True)
    column, row = np.clip(np.floor(pixels[:MARKS] * FINE).astype(int), 0, ids.shape[0] - 1).T
    near = distance[row, column] <= _SNAP
    row, column = rows[row, column], columns[row, column]
    face, share = ids[row, column], bary[row, column]
    normals = vertex_normals(view.vertices, faces)[faces[face]]
    normal = np.einsum("nc,ncd->nd", share, normals)
    place = np.einsum("nc,ncd->nd", share, view.vertices[faces[face]])
    ray = view.camera.position.numpy() - place
    cosine = (normal * ray).sum(1) / np.linalg.norm(normal, axis=1) / np.linalg.norm(ray, axis=1)
    good = near & (cosine > _LEAST_COSINE)
    points = np.einsum("nc,ncd->nd", share, template.mesh.vertices[faces[face]])
    points[~good] = np.nan
    return points, np.where(good, cosine**2, 0.0)


def robust_mean(
    hits: Hits, inner_lips: np.ndarray, lips: np.ndarray, guess: np.ndarray | None = None
) -> tuple[np.ndarray, ...]:
    """Mean (468, 3), spread in metres (468) and number of hits of each landmark.

    A jaw point on the far side of a turned head is hidden, and the pixel shows some nearer skin:
    hits far from a first `guess` of the landmark do not count. The two lips are told apart only
    where the mouth is open: their inner rings are taken from those pictures alone, the outer rings
    from all alike. The detector pulls nose and cheeks along with an open jaw, so elsewhere the open
    mouths count little.
    """
    weight = hits.weight.copy()
    shut = hits.jaw < _OPEN
    weight[np.ix_(shut, inner_lips)] = 0.0
    elsewhere = np.setdiff1d(np.arange(MARKS), np.concatenate([inner_lips, lips]))
    weight[np.ix_(~shut, elsewhere)] *= _OPEN_SHARE
    if guess is not None:
        weight[~(np.linalg.norm(hits.points - guess, axis=-1) < _HIDDEN)] = 0.0
    points = np.where(weight[..., None] > 0, hits.points, np.nan)
    some = (weight > 0).any(axis=0)
    middle = np.full((MARKS, 3), np.nan)
    middle[some] = np.nanmedian(points[:, some], axis=0)
    off = np.linalg.norm(points - middle, axis=-1)
    weight[~(off < _OUTLIER)] = 0.0
    total = np.maximum(weight.sum(axis=0), 1e-12)
    mean = (weight[..., None] * np.nan_to_num(points)).sum(axis=0) / total[:, None]
    square = ((np.nan_to_num(points) - mean) ** 2).sum(axis=-1)
    spread = np.sqrt((weight * square).sum(axis=0) / total)
    return mean, spread, (weight > 0).sum(axis=0)
