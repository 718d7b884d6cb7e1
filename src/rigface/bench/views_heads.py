"""The heads of the views bench: those of the photo bench, with skin that has something to see."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from rigface.bench.photo_data import PhotoHead, photo_head
from rigface.bench.photo_fits import predicted
from rigface.bench.photo_paint import TEXTURED, PaintedHead, painted
from rigface.metrics.now import ScanFace
from rigface.metrics.point_to_plane import PlaneErrors, point_to_plane_errors
from rigface.metrics.region import face_region
from rigface.render.skin_detail import Detailed, SkinDetail
from rigface.rig.template import Template
from rigface.rig.template_io import load_template

HEADS = (
    "lee_perry_smith",
    "meshmonk_fullres",
    "SIMPOP_01",
    "SIMPOP_03",
    "SIMPOP_05",
    "SIMPOP_07",
)
_NOSE_TIP = 30
"""Among iBUG-68."""
_SAMPLES = 14_000
_ROUND = 1.02
"""Radius of the eyes without skin detail, in radii of the eyeballs."""


@dataclass(frozen=True)
class ViewsHead:
    """A head to be photographed from all sides, and its truth."""

    photo: PhotoHead
    data: Path

    @property
    def name(self) -> str:
        return self.photo.name

    @cached_property
    def painted(self) -> PaintedHead:
        """With its colours; takes seconds, so only when a picture is needed."""
        return with_detail(self.photo, painted(self.photo, self.data))

    @cached_property
    def truth(self) -> ScanFace:
        """The scan within 95 mm of the nose tip, metres, model space of the head."""
        marks = self.photo.truth.landmarks
        region = face_region(self.photo.mesh, marks[_NOSE_TIP], samples=_SAMPLES)
        return ScanFace(region.points, marks)

    def errors(
        self, template: Template, vertices: np.ndarray, with_scale: bool = True
    ) -> PlaneErrors:
        """Of a predicted head in the template's topology, metres, in any frame."""
        return point_to_plane_errors(self.truth, predicted(template, vertices), with_scale)


def views_head(name: str, data: Path, cache: Path | None = None) -> ViewsHead:
    """One of the photo bench's heads; raises InputError as `photo_head` does."""
    return ViewsHead(photo_head(name, data, cache), data)


def with_detail(head: PhotoHead, plain: PaintedHead) -> PaintedHead:
    """Painted skin with pores, freckles and moles; a scan's own texture stays as it is."""
    if head.name in TEXTURED:
        return plain
    balls = torch.tensor(eyes(head.template))
    detailed = Detailed(plain.albedo, SkinDetail(), plain.vertices, plain.faces, balls)
    return replace(plain, albedo=detailed)


def eyes(vertices: Float[np.ndarray, "verts 3"]) -> list[list[float]]:
    """Centre and radius of both eyes, a little too large, of a head in the template's topology."""
    template = load_template()
    out = []
    for side in "LR":
        ball = vertices[template.parts[f"eyeball.{side}"].vertices]
        centre = (ball.min(axis=0) + ball.max(axis=0)) / 2
        radius = np.median(np.linalg.norm(ball - centre, axis=1))
        out.append([*centre.tolist(), _ROUND * float(radius)])
    return out
