"""Photos of a posed head become one base-colour texture of its skin.

Every texel looks into every photo that sees its point of the skin; what no photo sees is taken
from the mirrored point, matched in colour, and what neither side shows is continued smoothly
over the surface.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from rigface.errors import InputError
from rigface.geometry.mesh import face_areas
from rigface.io.color import srgb_codes
from rigface.render.attributes import interpolate
from rigface.render.delight import SkinLight, estimate_light
from rigface.render.openness import open_share
from rigface.render.photo_sampler import (
    PhotoSampler,
    Samples,
    TextureView,
    photo_sampler,
    smooth_step,
)
from rigface.render.skin_fields import SkinFields, VertexMeans, vertex_means, vertex_totals
from rigface.render.uv_layout import UvLayout, fill_gutters, uv_layout
from rigface.rig.template import Template

__all__ = ["FaceTexture", "TextureView", "encode", "unwrap"]

_CHOICE = 3
"""Power of a view's worth: the best photo of a place nearly decides alone, so nothing ghosts."""
_STRIDE = 3
"""Every how many texels vertex means look at."""
_OVERLAP = 200
"""Texels that two photos must share before their exposures are compared."""
_PRONE = {"ears": 1.0, "neck": 1.0, "cheeks": 0.3, "jaw": 0.2, "forehead": 0.3}
"""How far a colour unlike the skin's is taken for clothes, hair or background, seen squarely."""
_GLANCING = (0.35, 0.75)
"""Cosines below which such a colour is never believed there, and above which as `_PRONE` says."""
_UNLIKE = (2.0, 3.5)
"""Distances from the skin's colour, in spreads, at which doubt begins and ends."""
_SPREADS = (0.45, 0.15, 0.15)
"""Least spreads of log luminance, log red over green, log green over blue."""
_LEAST_TONE = 100
"""Texels of nose and cheeks below which no colour is called unlike the skin's."""
_SPECK_REACH, _SPECK = 3e-3, (0.15, 0.45)
"""Patches smaller than the reach (metres), of which less than this share is seen, are dropped."""
_LOOSE = (*_PRONE, "scalp")
_LEAST_OPEN = 0.7
"""A fold of a coarse mesh may look far more enclosed than the skin is."""
_SOFT = 6e-3
"""Metres over which normals and openness are smoothed before light is divided out."""


@dataclass(frozen=True)
class FaceTexture:
    """The skin's base colour in the template's own UV layout; row 0 is v = 1."""

    image: UInt8[np.ndarray, "size size 3"]
    """sRGB; gutters between the islands continue their colours."""
    seen: Float[np.ndarray, "size size"]
    """0 to 1: how much of a texel comes from photos of the place itself; 0 in the gutters."""
    mirrored: Float[np.ndarray, "size size"]
    """How much comes from photos of the other side; the rest is continued smoothly."""
    lighting: Float[np.ndarray, "views 9 3"] | None
    """With `delight`, the light divided out of each photo as coefficients of `harmonic_basis`
    over normals in model space, relative to its mean over the skin."""


@dataclass(frozen=True)
class SkinSheet:
    """The texels of a template's skin at one size, with what all steps ask of them."""

    template: Template
    layout: UvLayout
    fields: SkinFields
    faces: Tensor
    texel_width: float
    """Metres on the outer skin."""
    around: Float[np.ndarray, " verts"]

    @staticmethod
    def of(template: Template, size: int) -> "SkinSheet":
        """Needs no photo: it can be made while one is fitted."""
        layout = uv_layout(template, size)
        faces = torch.from_numpy(template.mesh.faces)
        run = slice(None, None, _STRIDE)
        verts = template.parts["skin"].vertices.stop
        around = vertex_totals(faces[layout.face[run]], layout.bary[run], verts)
        fields = SkinFields.of_template(template)
        return SkinSheet(template, layout, fields, faces, _texel_width(template, size), around)

    def means(self, colour: Tensor, known: Tensor) -> VertexMeans:
        """Colours at vertices from colours at texels."""
        run = slice(None, None, _STRIDE)
        faces, bary = self.faces[self.layout.face[run]], self.layout.bary[run]
        return vertex_means(faces, bary, colour[run], known[run], self.around)

    def marked(self, *regions: str) -> Float[Tensor, "verts 1"]:
        """1 at the vertices of these regions."""
        mask = np.any([self.template.regions[name] for name in regions], axis=0)
        return torch.from_numpy(mask)[:, None].float()

    def at(self, values: Tensor, rows: Tensor | None = None) -> Tensor:
        """Values of vertices at texels."""
        face, bary = self.layout.face, self.layout.bary
        if rows is not None:
            face, bary = face[rows], bary[rows]
        return interpolate(values, self.faces, face, bary)


def unwrap(
    template: Template,
    views: Sequence[TextureView],
    size: int = 2048,
    delight: bool = False,
    sheet: SkinSheet | None = None,
) -> FaceTexture:
    """One texture from one or more photos of one head.

    `delight` divides an estimate of the light out of each photo and keeps the mean colour. A
    `sheet` of this template and size, if it was made before, is not made again. Raises
    InputError where there is no view, a view's arrays do not belong together, or no photo shows
    the skin.
    """
    if not views:
        raise InputError("A texture needs at least one photo; got none.")
    skin = SkinSheet.of(template, size) if sheet is None else sheet
    samplers = [photo_sampler(template, view, skin.texel_width) for view in views]
    everything = torch.arange(len(skin.layout.texel))
    direct = [s.at(skin.layout, everything) for s in samplers]
    tones = [_Tone.of(skin, samples) for samples in direct]
    direct = [_without_strays(skin, *it) for it in zip(direct, tones, strict=True)]
    if not any(len(samples.row) for samples in direct):
        raise InputError(
            "No photo shows the skin of this head: it lies outside, turned away, or under the "
            "masks. Check the cameras and masks of the texture views."
        )
    lights: list[SkinLight] = []
    shapes: list[Tensor] = []
    if delight:
        shapes = [_shape(skin, s) for s in samplers]
        lights = [_light(skin, *it) for it in zip(direct, tones, shapes, strict=True)]
        direct = [_lit_evenly(skin, *it) for it in zip(direct, lights, shapes, strict=True)]
    gains = _gains(direct, len(everything))
    own = _without_specks(skin, _blend(direct, gains, len(everything)))
    match = skin.fields.match(skin.means(*own))
    lack = torch.nonzero(own[1] < 0.999)[:, 0]
    other = torch.from_numpy(template.mirror)
    mirrored = [s.at(skin.layout, lack, other) for s in samplers]
    mirrored = [_without_strays(skin, *it) for it in zip(mirrored, tones, strict=True)]
    if delight:
        shapes = [shape[other] for shape in shapes]
        mirrored = [_lit_evenly(skin, *it) for it in zip(mirrored, lights, shapes, strict=True)]
    second = _without_specks(skin, _blend(mirrored, gains, len(everything)))
    return _finish(skin, own, second, match, lights)


def encode(
    image: UInt8[np.ndarray, "height width 3"], kind: Literal["jpeg", "png"] = "jpeg"
) -> bytes:
    """The picture as a file's bytes; JPEG of quality 92 with full colour resolution."""
    file = io.BytesIO()
    options = {"quality": 92, "subsampling": 0} if kind == "jpeg" else {"compress_level": 6}
    Image.fromarray(image).save(file, format=kind.upper(), **options)
    return file.getvalue()


Blend = tuple[Float[Tensor, "texels 3"], Float[Tensor, " texels"]]
"""Linear colour, and 0 to 1 how far it is known."""


def _texel_width(template: Template, size: int) -> float:
    uv, corners = template.mesh.uv, template.mesh.uv_faces
    assert uv is not None and corners is not None
    outer = template.regions["face"][template.mesh.faces].all(axis=1)
    flat = np.pad(uv, ((0, 0), (0, 1)))
    share = face_areas(flat, corners[outer]).sum()
    area = face_areas(template.mesh.vertices, template.mesh.faces[outer]).sum()
    return float(np.sqrt(area / share)) / size


@dataclass(frozen=True)
class _Tone:
    """What the skin looks like in one photo: log luminance and two log ratios."""

    centre: Float[Tensor, "3"]
    spread: Float[Tensor, "3"]

    @staticmethod
    def of(skin: SkinSheet, samples: Samples) -> "_Tone | None":
        """Medians over nose and cheeks; None where too little of them is seen."""
        core = skin.marked("cheeks", "nose")
        middle = (skin.at(core, samples.row)[:, 0] > 0.9) & (samples.trust > 0.5)
        if int(middle.sum()) < _LEAST_TONE:
            return None
        shape = _Tone.shape(samples.colour[middle])
        centre = shape.median(0).values
        spread = 1.4826 * (shape - centre).abs().median(0).values
        return _Tone(centre, spread.maximum(torch.tensor(_SPREADS)))

    def distance(self, colour: Float[Tensor, "samples 3"]) -> Float[Tensor, " samples"]:
        """In spreads."""
        return ((_Tone.shape(colour) - self.centre) / self.spread).square().sum(1).sqrt()

    @staticmethod
    def shape(colour: Tensor) -> Tensor:
        log = colour.clamp_min(1e-3).log()
        return torch.stack([log.mean(1), log[:, 0] - log[:, 1], log[:, 1] - log[:, 2]], dim=1)


def _without_strays(skin: SkinSheet, samples: Samples, tone: _Tone | None) -> Samples:
    """Less trust where a colour is unlike the face's and the place is prone to it.

    Clothes on the neck, hair on ears, the background beside a cheek.
    """
    if tone is None or len(samples.row) == 0:
        return samples
    far = tone.distance(samples.colour)
    prone = sum(share * skin.marked(name) for name, share in _PRONE.items())
    both = torch.cat([torch.as_tensor(prone), skin.marked(*_PRONE)], dim=1)
    squarely, glancing = skin.at(both, samples.row).T
    aside = 1 - smooth_step(samples.slope, *_GLANCING)
    doubt = squarely + (glancing - squarely).clamp_min(0) * aside
    keep = 1 - doubt * smooth_step(far, *_UNLIKE)
    return replace(samples, trust=samples.trust * keep, worth=samples.worth * keep)


def _shape(skin: SkinSheet, sampler: PhotoSampler) -> Float[Tensor, "verts 4"]:
    """Normals and openness of each vertex, without the folds of a coarse mesh: light is softer."""
    verts = skin.template.parts["skin"].vertices
    share = open_share(sampler.vertices, sampler.faces)
    share = (share / share[verts].quantile(0.9).clamp_min(1e-3)).clamp(0, 1).sqrt()
    shape = torch.cat([sampler.normals, share.clamp_min(_LEAST_OPEN)[:, None]], dim=1)
    rough = shape[verts].double().numpy()
    even = np.ones(len(rough))
    soft = skin.fields.smooth(rough, even, _SOFT, 0 * even, rough)
    shape[verts] = torch.from_numpy(soft).float()
    return shape


def _lit(skin: SkinSheet, samples: Samples, shape: Tensor) -> tuple[Tensor, Tensor]:
    here = skin.at(shape, samples.row)
    return torch.nn.functional.normalize(here[:, :3], dim=-1), here[:, 3]


def _light(skin: SkinSheet, samples: Samples, tone: _Tone | None, shape: Tensor) -> SkinLight:
    """From the face alone, and there from what has the colour of skin."""
    trust = samples.trust * (skin.at(skin.marked("face"), samples.row)[:, 0] > 0.99)
    if tone is not None:
        trust = trust * (1 - smooth_step(tone.distance(samples.colour), *_UNLIKE))
    normals, openness = _lit(skin, samples, shape)
    return estimate_light(samples.colour, normals, trust, openness)


def _lit_evenly(skin: SkinSheet, samples: Samples, light: SkinLight, shape: Tensor) -> Samples:
    return replace(samples, colour=samples.colour / light.on(*_lit(skin, samples, shape)))


def _gains(views: Sequence[Samples], texels: int) -> Float[Tensor, "views 3"]:
    """Log factors that bring all photos to one exposure and white balance, their mean kept.

    From the medians of log ratios over the texels that two photos share.
    """
    count = len(views)
    if count == 1:
        return torch.zeros(1, 3)
    rows, targets = [], []
    place = torch.full((texels,), -1)
    for i in range(count):
        place[:] = -1
        place[views[i].row] = torch.arange(len(views[i].row))
        for j in range(i + 1, count):
            mine = place[views[j].row]
            trust = views[j].trust * views[i].trust[mine.clamp_min(0)] * (mine >= 0)
            both = trust > 0.3
            if int(both.sum()) < _OVERLAP:
                continue
            ratio = views[i].colour[mine[both]].clamp_min(2e-3).log()
            ratio = ratio - views[j].colour[both].clamp_min(2e-3).log()
            row = torch.zeros(count)
            row[i], row[j] = -1.0, 1.0
            rows.append(row)
            targets.append(ratio.median(0).values)
    weight = torch.stack([samples.trust.sum() for samples in views])
    rows.append(weight / weight.sum().clamp_min(1e-9))
    targets.append(torch.zeros(3))
    # A photo that shares nothing keeps its own exposure.
    rows, targets = [*rows, *(1e-3 * torch.eye(count))], [*targets, *torch.zeros(count, 3)]
    return torch.linalg.lstsq(torch.stack(rows), torch.stack(targets)).solution


def _blend(views: Sequence[Samples], gains: Tensor, texels: int) -> Blend:
    if len(views) == 1:
        colour, known = torch.zeros(texels, 3), torch.zeros(texels)
        colour[views[0].row] = views[0].colour * gains[0].exp()
        known[views[0].row] = views[0].trust
        return colour, known
    total, colour, missed = torch.zeros(texels), torch.zeros(texels, 3), torch.ones(texels)
    for samples, gain in zip(views, gains, strict=True):
        weight = samples.worth**_CHOICE
        total[samples.row] += weight
        colour[samples.row] += weight[:, None] * samples.colour * gain.exp()
        missed[samples.row] *= 1 - samples.trust
    return colour / total.clamp_min(1e-20)[:, None], 1 - missed


def _without_specks(skin: SkinSheet, blend: Blend) -> Blend:
    """Without small patches between what is hidden or stray, such as half an ear in hair.

    Only in places wide enough for it: lids, lips and nostrils keep what they have.
    """
    share = skin.means(*blend).share
    even = np.ones_like(share)
    smooth = skin.fields.smooth(share[:, None], even, _SPECK_REACH, 0 * even, share[:, None])
    loose = skin.marked(*_LOOSE)
    part = 1 - loose
    part[: len(share)] += loose[: len(share)] * torch.from_numpy(smooth).float()
    return blend[0], blend[1] * smooth_step(skin.at(part)[:, 0], *_SPECK)


def _finish(
    skin: SkinSheet, own: Blend, other: Blend, match: np.ndarray, lights: list[SkinLight]
) -> FaceTexture:
    """Own colours, then those of the other side, then the continuation; gutters; sRGB."""
    verts = len(skin.template.mesh.vertices)
    factor = np.ones((verts, 3), dtype=np.float32)
    factor[: len(match)] = np.exp(match)
    second = (1 - own[1]) * other[1]
    known = own[1] + second
    rows = torch.nonzero(second > 0)[:, 0]
    colour = own[0] * own[1][:, None]
    matched = other[0][rows] * skin.at(torch.from_numpy(factor), rows)
    colour[rows] += matched * second[rows, None]
    colour = colour / known.clamp_min(1e-12)[:, None]
    fill = np.zeros((verts, 3), dtype=np.float32)
    fill[: len(match)] = skin.fields.fill(skin.means(colour, known))
    rest = torch.nonzero(known < 1)[:, 0]
    share = known[rest, None]
    colour[rest] = colour[rest] * share + skin.at(torch.from_numpy(fill), rest) * (1 - share)
    layout = skin.layout
    picture = fill_gutters(layout.picture(colour), layout.covered())
    shares = layout.picture(torch.stack([own[1], second], dim=1))
    lighting = np.stack([light.harmonics.numpy() for light in lights]) if lights else None
    return FaceTexture(
        srgb_codes(picture.numpy()), shares[..., 0].numpy(), shares[..., 1].numpy(), lighting
    )
