"""The part of a fitted head that a scan is compared with: outer skin and eyeballs."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from rigface.geometry.mesh import boundary_edges, unique_edges
from rigface.rig.subdivision import split_faces
from rigface.rig.template import Template

FACE_REGIONS = ("forehead", "brows", "eyes", "nose", "cheeks", "lips", "jaw")
REGIONS = (*FACE_REGIONS, "ears", "scalp", "neck")
EYEBALLS, OTHER = "eyeballs", "other"
_ON_EDGE = 1e-9


@dataclass(frozen=True)
class OuterSurface:
    """Faces of a head's vertex array that may be closest to a scan, with their labels.

    Mouth cavity, eye sockets, nostrils, teeth and tongue are not among them.
    """

    faces: Int[np.ndarray, "faces 3"]
    skin: Bool[np.ndarray, " faces"]
    """Outer skin; the others are eyeballs."""
    region: Int[np.ndarray, " faces"]
    """Index into `regions`."""
    regions: tuple[str, ...]
    rim: Bool[np.ndarray, "faces 3"]
    """Edge k (from corner k to k + 1) bounds the outer skin: neck, lids, lips, nostrils."""
    rim_corner: Bool[np.ndarray, "faces 3"]
    """Corner k lies on such an edge, of this face or of another."""

    @property
    def face_faces(self) -> Int[np.ndarray, "face_faces 3"]:
        """The part of the skin that a face scan shows: no ears, scalp or neck."""
        shown = [index for index, name in enumerate(self.regions) if name in FACE_REGIONS]
        return self.faces[self.skin & np.isin(self.region, shown)]

    @property
    def skin_faces(self) -> Int[np.ndarray, "skin_faces 3"]:
        """Outer skin without the eyeballs."""
        return self.faces[self.skin]

    def on_skin(
        self, face: Int[np.ndarray, " points"], bary: Float[np.ndarray, "points 3"]
    ) -> Bool[np.ndarray, " points"]:
        """Whether places on this surface lie on the outer skin and not on its rim."""
        zero = bary <= _ON_EDGE
        # The edge from k to k + 1 is where the coordinate of corner k + 2 vanishes.
        on_edge = (np.roll(zero, -2, axis=1) & self.rim[face]).any(axis=1)
        on_corner = ((bary >= 1 - _ON_EDGE) & self.rim_corner[face]).any(axis=1)
        return self.skin[face] & ~on_edge & ~on_corner


def outer_surface(template: Template, levels: int = 0) -> OuterSurface:
    """The outer surface of every head in this template's topology.

    With `levels`, that of its level of detail: the refined skin first, the other parts unchanged
    after it. A face is outer if its three corners are; it belongs to the region that most of its
    corners belong to.
    """
    skin = template.parts["skin"]
    faces = template.mesh.faces[skin.faces]
    outer = template.regions["outer"][faces].all(axis=1)
    balls = [template.mesh.faces[template.parts[f"eyeball.{side}"].faces] for side in "LR"]
    region = _face_regions(template, faces[outer])
    count = coarse_count = skin.vertices.stop
    for _ in range(levels):
        edges = len(unique_edges(faces))
        faces = split_faces(faces, count)
        count += edges
    children = 4**levels
    faces = faces[np.repeat(outer, children)]
    balls = np.concatenate(balls) + (count - coarse_count)
    return label_surface(faces, balls, np.repeat(region, children))


def label_surface(
    skin_faces: Int[np.ndarray, "skin_faces 3"],
    eyeball_faces: Int[np.ndarray, "eyeball_faces 3"],
    skin_region: Int[np.ndarray, " skin_faces"] | None = None,
) -> OuterSurface:
    """An outer surface from plain faces; without `skin_region` (an index into `REGIONS`, or its
    length for none of them) everything is "other"."""
    names = (*REGIONS, OTHER, EYEBALLS)
    if skin_region is None:
        skin_region = np.full(len(skin_faces), names.index(OTHER))
    balls = np.full(len(eyeball_faces), names.index(EYEBALLS))
    faces = np.concatenate([skin_faces, eyeball_faces]).astype(np.int64)
    skin = np.arange(len(faces)) < len(skin_faces)
    rim, rim_corner = _rims(faces, skin)
    return OuterSurface(faces, skin, np.concatenate([skin_region, balls]), names, rim, rim_corner)


def _rims(faces: np.ndarray, skin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = int(faces.max()) + 1
    bounds = boundary_edges(faces[skin])
    keys = bounds[:, 0] * count + bounds[:, 1]
    edges = faces * count + np.roll(faces, -1, axis=1)
    rim = np.isin(edges, keys) & skin[:, None]
    on_rim = np.zeros(count, dtype=bool)
    on_rim[bounds.ravel()] = True
    return rim, on_rim[faces] & skin[:, None]


def _face_regions(template: Template, faces: np.ndarray) -> np.ndarray:
    none = np.zeros(len(template.mesh.vertices), dtype=bool)
    votes = np.stack(
        [template.regions.get(name, none)[faces].sum(axis=1) for name in REGIONS], axis=1
    )
    return np.where(votes.max(axis=1) > 0, votes.argmax(axis=1), len(REGIONS))
