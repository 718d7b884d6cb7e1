"""Closed loop: the embedding on heads that did not make it, against the detector on renders."""

import numpy as np
import torch

from rigface.evidence.ibug import MESH_OVAL
from rigface.render.visibility import visible_vertices
from rigface.rig.landmark_embedding import LandmarkEmbedding
from rigface.rig.template import Template

from .embed import LIPS_INNER, LIPS_OUTER
from .views import Detector, View

_CHIN = (152, 148, 377, 176, 400, 149, 378)
_EYES = (
    33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246,
    263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466,
)  # fmt: skip
_BROWS = (
    70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285,
)  # fmt: skip
_NOSE = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 97, 98, 64, 48, 115, 220, 45, 326, 327, 294, 278,
         344, 440, 275)  # fmt: skip
_FOREHEAD = (10, 338, 297, 332, 284, 251, 21, 54, 103, 67, 109)
REGIONS = {
    "lips, outer": LIPS_OUTER,
    "lips, inner": LIPS_INNER,
    "eyes": _EYES,
    "iris": tuple(range(468, 478)),
    "nose": _NOSE,
    "brows": _BROWS,
    "chin": _CHIN,
    "jaw": tuple(set(MESH_OVAL[9:-8]) - set(_CHIN)),
    "cheek oval": (356, 454, 323, 127, 234, 93, 389, 162),
    "forehead": _FOREHEAD,
}


def closed_loop(
    embedding: LandmarkEmbedding, template: Template, pictures: list[View], detector: Detector
) -> dict[str, tuple[float, float]]:
    """Mean distance of the visible points, % of 90 mm outer-canthal distance: shut, open mouth."""
    rows = {False: [], True: []}
    for view in pictures:
        pixels = detector(view.picture)
        if pixels is None:
            continue
        points = torch.from_numpy(embedding.positions(view.vertices))
        ours, depth = view.camera.project(points)
        error = (ours.numpy() - pixels) * depth.numpy()[:, None] / view.camera.focal.numpy()
        off = np.linalg.norm(error, axis=1) / 0.090 * 100
        rows[view.jaw > 0].append(np.where(_visible(embedding, template, view), off, np.nan))
    table = {}
    for name, marks in REGIONS.items():
        table[name] = tuple(float(np.nanmean(np.array(rows[k])[:, marks])) for k in (False, True))
    whole = tuple(float(np.nanmean(np.array(rows[k]))) for k in (False, True))
    return {**table, "all 478": whole}


def _visible(embedding: LandmarkEmbedding, template: Template, view: View) -> np.ndarray:
    faces = torch.from_numpy(template.mesh.faces)
    seen = visible_vertices(torch.from_numpy(view.vertices), faces, view.camera).numpy()
    skin = seen[template.mesh.faces[embedding.face]].any(axis=1)
    return np.append(skin, np.ones(10, dtype=bool))
