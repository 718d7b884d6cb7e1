"""What is discrete in photometric consistency: texels, visibility, scale, pairs of views.

`skin_texels` picks the texels of a UV layout once; `photometric_term` freezes, for the present
head and cameras, what every view sees of them and at which scale (supplement Eq. 14-15).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.cameras import Camera
from rigface.render.attributes import smooth_normals
from rigface.render.image_pyramid import ImagePyramid
from rigface.render.photo_sampler import smooth_step
from rigface.render.rasterise import rasterise
from rigface.render.uv_layout import uv_layout
from rigface.render.visibility import visible_points
from rigface.rig.template import Template
from rigface.terms.photometric import CENTRE, MEAN, PLANE, PhotometricPatches
from rigface.terms.robust import Kernel, LeastSquares

HIDDEN = ("inner", "scalp", "ears", "neck")
"""Regions without texels: never seen, under hair, or moving by themselves."""
_DEPTH_SIDE = 512
"""Pixels of the z-buffer's longer side."""
_TORN = 4.0
"""Texels of a patch lie within this many texel widths of its centre, or a UV cut is between."""


@dataclass(frozen=True)
class SkinTexels:
    """Points of the skin on a grid, and the whole 3 x 3 neighbourhoods among them."""

    corners: Int[np.ndarray, "texels 3"]
    """Skin vertices."""
    bary: Float[np.ndarray, "texels 3"]
    patches: Int[Tensor, "patches 9"]
    """Row by row; the centre is in the middle."""


@dataclass(frozen=True)
class PhotometricSettings:
    """How photos are compared."""

    weight: float = 3e4
    """What a mean of 1 - NCC of one costs, against priors in their sigmas (the paper: 100)."""
    grazing: tuple[float, float] = (0.25, 0.6)
    """Cosines to the ray below which a texel counts for nothing, and above which in full."""
    least_overlap: float = 0.1
    """Share of all patches that a pair of views must see both to count."""
    noise: float = 0.003
    """Contrast of a patch (standard deviation, luma in [0, 1]) at which it counts half as much as
    one of clear contrast: half of it may be noise."""
    taps: int = 3
    """Along each side of a texel: places whose mean is its brightness."""
    kernel: Kernel = field(default_factory=LeastSquares)
    paper: bool = False
    """Eq. 14-15 as printed: plain NCC, every pair, 1 / X over all texels, plain visibility, no
    floor."""


@dataclass(frozen=True)
class PhotometricView:
    """One photo to be compared."""

    picture: ImagePyramid
    mask: Bool[np.ndarray, "height width"] | None = None
    """False where no skin is seen (hair, glasses, hands)."""
    weight: float = 1.0
    """Trust in the whole photo."""


@runtime_checkable
class SeenSkin(Protocol):
    """A head before several cameras, at any state of its parameters."""

    @property
    def faces(self) -> Int[Tensor, "faces 3"]:
        """Skin triangles."""
        ...

    def skin(self, x: Float[Tensor, " params"], view: int) -> Float[Tensor, "verts 3"]:
        """Skin vertices as one view sees them."""
        ...

    def camera(self, x: Float[Tensor, " params"], view: int) -> Camera:
        """cam_from_model."""
        ...

    def pixels_together(
        self,
        x: Float[Tensor, " params"],
        corners: Int[np.ndarray, "points corners"],
        bary: Float[np.ndarray, "points corners"],
    ) -> Float[Tensor, "views points 2"]:
        """The same points in every view."""
        ...


def skin_texels(template: Template, size: int) -> SkinTexels:
    """Texels of the face in the template's UV layout of `size` x `size`."""
    layout = uv_layout(template, size)
    face, bary = layout.face.numpy(), layout.bary.numpy().astype(np.float64)
    hidden = np.any([template.regions[name] for name in HIDDEN], axis=0)
    kept = ~hidden[template.mesh.faces[face]].any(axis=1)
    corners, bary = template.mesh.faces[face[kept]], bary[kept]
    grid = np.full(size * size, -1)
    grid[layout.texel.numpy()[kept]] = np.arange(len(corners))
    place = np.einsum("tc,tcd->td", bary, template.mesh.vertices[corners])
    patches = _neighbourhoods(grid.reshape(size, size), place)
    used, renamed = np.unique(patches, return_inverse=True)
    return SkinTexels(
        corners[used], bary[used], torch.from_numpy(renamed.reshape(patches.shape).astype(np.int64))
    )


def photometric_term(
    views: SeenSkin,
    x: Float[Tensor, " params"],
    texels: SkinTexels,
    photos: Sequence[PhotometricView],
    settings: PhotometricSettings = PhotometricSettings(),
) -> PhotometricPatches | None:
    """Photometric consistency with what the cameras at `x` see; None where no two views overlap."""
    pixels = views.pixels_together(x, texels.corners, texels.bary)
    seen = [
        _seen(views, x, view, texels, pixels[view], photo, settings)
        for view, photo in enumerate(photos)
    ]
    share = torch.stack(seen)[:, texels.patches].amin(dim=-1)
    trust = share.new_tensor([photo.weight for photo in photos])
    pairs = _pairs(share, trust, settings)
    if not bool((pairs > 0).any()):
        return None
    floor = 0.0 if settings.paper else 3 * settings.noise
    footprints = [_footprints(at, texels.patches, settings.taps) for at in pixels]
    # What fewer than two views see says nothing.
    used = (share > 0).sum(dim=0) >= 2
    kept, patches = texels.patches[used].unique(return_inverse=True)
    return PhotometricPatches(
        texels.corners[kept.numpy()],
        texels.bary[kept.numpy()],
        patches,
        [photo.picture for photo in photos],
        torch.stack([offsets[:, kept] for offsets, _ in footprints]),
        torch.stack([level[kept] for _, level in footprints]),
        share[:, used],
        pairs,
        share.new_full((len(photos),), floor),
        settings.kernel,
        MEAN if settings.paper else PLANE,
    )


def _neighbourhoods(
    grid: Int[np.ndarray, "size size"], place: Float[np.ndarray, "texels 3"]
) -> Int[np.ndarray, "patches 9"]:
    """All 3 x 3 windows of the grid that are full and not cut."""
    windows = np.lib.stride_tricks.sliding_window_view(grid, (3, 3)).reshape(-1, 9)
    full = windows[(windows >= 0).all(axis=1)]
    reach = np.linalg.norm(place[full] - place[full[:, CENTRE], None], axis=-1).max(axis=1)
    return full[reach < _TORN * np.median(reach)]


def _seen(
    views: SeenSkin,
    x: Tensor,
    view: int,
    texels: SkinTexels,
    pixels: Float[Tensor, "texels 2"],
    photo: PhotometricView,
    settings: PhotometricSettings,
) -> Float[Tensor, " texels"]:
    """0 to 1: how well one view sees each texel."""
    skin, camera = views.skin(x, view), views.camera(x, view)
    faces = views.faces
    small = camera.scaled(min(1.0, _DEPTH_SIDE / max(camera.size)))
    corners = torch.from_numpy(texels.corners)
    bary = torch.from_numpy(texels.bary)
    point, normal = (
        (values[corners] * bary[..., None]).sum(dim=1)
        for values in (skin, smooth_normals(skin, faces))
    )
    normal = torch.nn.functional.normalize(normal, dim=-1, eps=1e-12)
    seen = visible_points(point, normal, rasterise(skin, faces, small), small).to(skin)
    if not settings.paper:
        ray = torch.nn.functional.normalize(camera.position - point, dim=-1)
        seen = seen * smooth_step((ray * normal).sum(-1), *settings.grazing)
    if photo.mask is not None:
        seen = seen * _masked(photo.mask, pixels)
    return seen


def _masked(
    mask: Bool[np.ndarray, "height width"], pixels: Float[Tensor, "texels 2"]
) -> Float[Tensor, " texels"]:
    high, wide = mask.shape
    column, row = pixels.nan_to_num(-1.0).floor().long().unbind(-1)
    inside = (column >= 0) & (column < wide) & (row >= 0) & (row < high)
    value = torch.from_numpy(mask)[row.clamp(0, high - 1), column.clamp(0, wide - 1)]
    return (value & inside).to(pixels)


def _footprints(
    pixels: Float[Tensor, "texels 2"], patches: Int[Tensor, "patches 9"], taps: int
) -> tuple[Float[Tensor, "taps texels 2"], Float[Tensor, " texels"]]:
    """Where to look for each texel's brightness, and at which scale.

    A texel is a parallelogram in the picture, taken from its neighbours. It is looked at in taps
    x taps places, each as blurred as the longer side asks for.
    """
    nine = pixels[patches]
    sides = torch.stack([nine[:, 5] - nine[:, 3], nine[:, 7] - nine[:, 1]], dim=1) / 2
    total = pixels.new_zeros(len(pixels), 2, 2)
    total.index_add_(0, patches.flatten(), sides.repeat_interleave(9, dim=0))
    count = patches.flatten().bincount(minlength=len(pixels)).clamp_min(1)
    sides = total / count[:, None, None]
    steps = (torch.arange(taps).to(pixels) + 0.5) / taps - 0.5
    shares = torch.cartesian_prod(steps, steps).reshape(-1, 2)
    offsets = torch.einsum("ks,tsc->ktc", shares, sides)
    longest = torch.linalg.matrix_norm(sides, ord=2)
    return offsets, (longest / taps).clamp_min(1e-3).log2()


def _pairs(
    share: Float[Tensor, "views patches"],
    trust: Float[Tensor, " views"],
    settings: PhotometricSettings,
) -> Float[Tensor, "views views"]:
    """Weight of each pair: Eq. 15 as printed, or a mean over all that is jointly visible.

    The mean weights every pair by its overlap, so the sum of joint visibility divides it.
    """
    views, patches = share.shape
    both = trust[:, None] * trust
    both.fill_diagonal_(0.0)
    if settings.paper:
        return settings.weight * 2 / (views * (views - 1)) / patches * both
    seen = (share > 0).to(share)
    both = both * (seen @ seen.T >= settings.least_overlap * patches)
    total = (share @ share.T * both).sum() / 2
    return settings.weight * both / total.clamp_min(1e-12)
