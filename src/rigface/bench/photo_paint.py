"""Colour for the heads of the photo bench: the scan's own texture, or painted skin.

Brows, lips and irises are painted on the template (`render.head_paint`), so each place of a scan
takes the colour of the nearest place on the template that is registered to it. The colours are
computed once on a fine lattice over every face; the geometry in the picture stays the scan's.
Scans that are masks get the back of the head, the neck and the ears from that template.
"""

import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from scipy.spatial import cKDTree
from torch import Tensor

from rigface.bench.photo_data import HEADS, PhotoHead
from rigface.geometry.mesh import boundary_edges, face_areas, vertex_normals
from rigface.geometry.similarity import align_points
from rigface.io.color import linear_from_srgb
from rigface.metrics.closest import closest_on_mesh
from rigface.render.albedo import Albedo, Texture
from rigface.render.attributes import interpolate
from rigface.render.head_paint import HeadPaint, Palette
from rigface.render.openness import open_share
from rigface.rig.template import Template
from rigface.rig.template_io import load_template

TEXTURED = {"lee_perry_smith": Path("scans/lee_perry_smith/Map-COL.jpg")}
MASKS = {"meshmonk_fullres", *(name for name in HEADS if name.startswith("SIMPOP_"))}
"""Scans that end before the ears."""
_SPACING = 0.0008
"""Metres between the places where colour is computed, about."""
_FINEST = 12
_LENT_SINK = 0.003
"""Metres that the lent surface lies below the scan, so that it never shows through it."""
_LENT_RAMP = 0.012
"""Metres from the scan's border over which it sinks."""
_BEYOND = 0.014
"""Metres from the template: what lies farther is hair or clothes."""
_CLOTH = (0.06, 0.09, 0.16)
_IRIS_SPREAD = 0.5 / 11.7


@dataclass(frozen=True)
class PaintedHead:
    """What is photographed: a mesh with colours. Metres, frame of `PhotoHead`."""

    name: str
    vertices: Float[Tensor, "verts 3"]
    faces: Int[Tensor, "faces 3"]
    albedo: Albedo
    openness: Float[Tensor, " verts"]


@dataclass(frozen=True)
class LatticeColours:
    """Colours at (n + 1)(n + 2) / 2 places of every face, blended between them."""

    colours: Float[Tensor, "faces places 3"]
    """Linear RGB; the order of places is that of `lattice`."""
    n: int

    def at(
        self, face: Int[Tensor, " pixels"], bary: Float[Tensor, "pixels 3"]
    ) -> Float[Tensor, "pixels 3"]:
        """Linear RGB at points on faces."""
        steps = self.n * bary[:, :2].clamp(0, 1)
        low = steps.floor().clamp_max(self.n - 1)
        part = steps - low
        upper = part.sum(dim=1) > 1  # the other half of the little parallelogram
        first = torch.where(upper, 1 - part[:, 0], part[:, 0])
        second = torch.where(upper, 1 - part[:, 1], part[:, 1])
        i, j = low.long().unbind(dim=1)
        turned = upper.long()
        places = [
            self._place(i + turned, j + turned),
            self._place(i + 1 - turned, j + turned),
            self._place(i + turned, j + 1 - turned),
        ]
        shares = (1 - first - second, first, second)
        return sum(  # type: ignore[return-value]
            share[:, None] * self.colours[face, place]
            for share, place in zip(shares, places, strict=True)
        )

    def _place(self, i: Tensor, j: Tensor) -> Tensor:
        """Number of lattice place (i, j); rounding may ask for one beyond the edge."""
        i = i.clamp(0, self.n)
        j = torch.minimum(j, self.n - i)
        return i * (self.n + 1) - i * (i - 1) // 2 + j


def lattice(n: int) -> Float[np.ndarray, "places 3"]:
    """Barycentric coordinates (i, j, n - i - j) / n of a face's places."""
    return np.array([(i, j, n - i - j) for i in range(n + 1) for j in range(n + 1 - i)]) / n


@dataclass(frozen=True)
class Stacked:
    """Two surfaces in one list of faces, each with its own albedo."""

    first: Albedo
    second: Albedo
    count: int
    """Faces of the first."""

    def at(
        self, face: Int[Tensor, " pixels"], bary: Float[Tensor, "pixels 3"]
    ) -> Float[Tensor, "pixels 3"]:
        """Linear RGB at points on faces."""
        mine = face < self.count
        out = torch.zeros_like(bary)
        out[mine] = self.first.at(face[mine], bary[mine]).to(out)
        out[~mine] = self.second.at(face[~mine] - self.count, bary[~mine]).to(out)
        return out


def painted(head: PhotoHead, data: Path) -> PaintedHead:
    """The head with its colours."""
    vertices, faces = head.mesh.vertices, head.mesh.faces
    albedo: Albedo
    if head.name in TEXTURED:
        albedo = _texture(head, data / TEXTURED[head.name])
    else:
        paint = _with_eyes(head)
        albedo = _carried(head, paint)
        if head.name in MASKS:
            lent, paint = _lent(head, load_template(), paint)
            albedo = Stacked(albedo, paint, len(faces))
            faces = np.concatenate([faces, paint.faces.numpy() + len(vertices)])
            vertices = np.concatenate([vertices, lent])
    drawn, corners = torch.from_numpy(vertices), torch.from_numpy(faces)
    return PaintedHead(head.name, drawn, corners, albedo, open_share(drawn, corners))


def _palette(name: str) -> Palette:
    """Every tone of skin occurs, independent of the shape of the face."""
    order = np.random.default_rng(11).permutation(len(HEADS))
    return Palette.of_tone(0.05 + 0.8 * order[HEADS.index(name)] / (len(HEADS) - 1))


def _texture(head: PhotoHead, file: Path) -> Texture:
    assert head.mesh.uv is not None
    assert head.mesh.uv_faces is not None
    # The GLB keeps the UV of the OBJ that the picture was made for: v upwards, not as in glTF.
    uv = head.mesh.uv * (1.0, -1.0) + (0.0, 1.0)
    with Image.open(file) as image:
        pixels = linear_from_srgb(np.asarray(image.convert("RGB"), np.float64) / 255)
    return Texture(
        torch.from_numpy(pixels).float(),
        torch.from_numpy(uv),
        torch.from_numpy(head.mesh.uv_faces),
    )


def _with_eyes(head: PhotoHead) -> HeadPaint:
    """The painted template with hair, its eyeballs of true size, looking out of their lids.

    Irises have the diameter that people have, 11.7 +- 0.5 mm, whatever the size of the head: a
    fit that takes its size from them is as wrong as it would be on people.
    """
    template = load_template()
    paint = HeadPaint.of_template(template, _palette(head.name), hair=True)
    rest, balls = paint.rest.clone(), paint.balls.clone()
    iris = 1 + _IRIS_SPREAD * np.random.default_rng(zlib.crc32(head.name.encode())).normal()
    for row, side in enumerate("LR"):
        ball, part = template.eyeballs[side], template.parts[f"eyeball.{side}"].vertices
        moved = align_points(template.mesh.vertices[part], head.template[part])
        rims = [template.loops[f"lid.{lid}.{side}"] for lid in ("upper", "lower")]
        centre = moved.apply(ball.centre)
        gaze = head.template[np.concatenate(rims)].mean(axis=0) - centre
        rest[part] = torch.from_numpy(head.template[part])
        # The paint's iris is 11.7 mm on a ball of this radius: another radius scales it.
        radius = moved.scale * ball.radius / iris
        balls[row] = torch.tensor([*centre, *(gaze / np.linalg.norm(gaze)), radius])
    return replace(paint, rest=rest, balls=balls)


def _carried(head: PhotoHead, paint: HeadPaint) -> LatticeColours:
    """The colour of the nearest place on the registered template, over the whole scan."""
    template, mesh = load_template(), head.mesh
    ids = _outer_ids(template)
    # The length of an edge of the median face, in units of the spacing.
    edge = np.sqrt(2.3 * np.median(face_areas(mesh.vertices, mesh.faces)))
    n = int(np.clip(np.ceil(edge / _SPACING), 2, _FINEST))
    corners = mesh.vertices[mesh.faces]
    points = np.einsum("pc,fcd->fpd", lattice(n), corners).reshape(-1, 3)
    found = closest_on_mesh(points, head.template, template.mesh.faces[ids])
    face = torch.from_numpy(ids[found.face])
    colour = paint.at(face, torch.from_numpy(found.bary))
    far = torch.from_numpy(found.distance > _BEYOND)
    assert paint.scalp is not None
    scalp = interpolate(paint.scalp[:, None], paint.faces, face, torch.from_numpy(found.bary))
    hair = torch.tensor(paint.palette.brows).to(colour)
    other = torch.where(scalp > 0.5, hair, torch.tensor(_CLOTH).to(colour))
    colour = torch.where(far[:, None], other, colour)
    return LatticeColours(colour.reshape(len(mesh.faces), -1, 3).float(), n)


def _outer_ids(template: Template) -> Int[np.ndarray, " faces"]:
    """Numbers of the template's outer faces: skin seen from outside, eyeballs."""
    skin = template.parts["skin"].faces
    outer = template.regions["outer"][template.mesh.faces[skin]].all(axis=1)
    balls = [np.r_[template.parts[f"eyeball.{side}"].faces] for side in "LR"]
    return np.concatenate([np.flatnonzero(outer) + skin.start, *balls])


def _lent(
    head: PhotoHead, template: Template, paint: HeadPaint
) -> tuple[Float[np.ndarray, "verts 3"], HeadPaint]:
    """The registered skin, sunk below the scan wherever the scan covers it."""
    mesh, vertices = head.mesh, head.template
    skin = template.parts["skin"].faces
    ids = np.arange(skin.start, skin.stop)
    ids = ids[template.regions["outer"][template.mesh.faces[ids]].all(axis=1)]
    found = closest_on_mesh(vertices, mesh.vertices, mesh.faces)
    border = mesh.vertices[np.unique(boundary_edges(mesh.faces))]
    inside = cKDTree(border).query(found.point)[0] / _LENT_RAMP
    covered = found.distance < 2 * _LENT_SINK
    sink = _LENT_SINK * np.where(covered, inside.clip(0, 1), 0.0)
    normals = vertex_normals(vertices, template.mesh.faces[skin])
    return vertices - sink[:, None] * normals, paint.only(ids)
