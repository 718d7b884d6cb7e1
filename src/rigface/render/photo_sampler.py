"""Colours of surface points in one photo, and how far each can be trusted."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from rigface.cameras import Camera
from rigface.errors import InputError
from rigface.io.color import linear_from_srgb
from rigface.render.attributes import interpolate, smooth_normals
from rigface.render.rasterise import Fragments, rasterise
from rigface.render.uv_layout import UvLayout
from rigface.rig.template import Template

MM = 1e-3
DEPTH_SIDE = 768
"""Pixels of the z-buffer's longer side over the head: some 0.4 mm each, finer than any fit."""
_GRAZING, _FACING = 0.12, 0.5
"""Cosines to the ray below which a colour is worth nothing, and above which all."""
_BEHIND = 1.5 * MM
"""How far a point may lie behind the nearest surface, besides what its slope explains."""
_STEP = 3 * MM
"""A jump in depth between neighbouring pixels that is an outline, besides the slope."""
_STEEPEST = 5.0
_OUTLINE = (1.0 * MM, 6.0 * MM)
"""Beside the background, or skin behind skin: distances that count for nothing and in full."""
_OPENING = (0.6 * MM, 1.6 * MM)
"""The same beside eyes, teeth and the inside of the mouth, where there is no room for more."""


@dataclass(frozen=True)
class TextureView:
    """One photo of a head whose pose is known."""

    pixels: UInt8[np.ndarray, "height width 3"]
    """sRGB."""
    camera: Camera
    """Cam from model space, in pixels of the photo."""
    vertices: Float[np.ndarray, "verts 3"]
    """All parts of the template as posed in this photo, model space, metres."""
    skin_mask: Bool[np.ndarray, "height width"] | None = None
    """False where no colour shall be taken (hair, glasses, hands, background)."""


@dataclass(frozen=True)
class Samples:
    """Colours of some texels of a layout in one photo."""

    row: Int[Tensor, " samples"]
    """Index into the layout's texels."""
    colour: Float[Tensor, "samples 3"]
    """Linear RGB."""
    trust: Float[Tensor, " samples"]
    """0 to 1: seen, not grazing, not beside an outline or an opening."""
    worth: Float[Tensor, " samples"]
    """For the choice between photos: trust, steepness of view and pixels per metre together."""
    slope: Float[Tensor, " samples"]
    """Cosine between the normal and the ray to the camera."""
    normal: Float[Tensor, "samples 3"]


@dataclass(frozen=True)
class PhotoSampler:
    """A photo prepared for look-ups."""

    camera: Camera
    """Of `linear`, float32."""
    linear: Float[Tensor, "1 3 rows columns"]
    """The head's window in linear light, reduced to about one pixel per texel."""
    buffer: Camera
    """Of the z-buffer."""
    nearest: Float[Tensor, "high wide"]
    """Least depth around each pixel of the z-buffer, metres."""
    clear: Float[Tensor, "high wide"]
    """0 to 1: by the distance to outlines and openings."""
    faces: Int[Tensor, "faces 3"]
    vertices: Float[Tensor, "verts 3"]
    normals: Float[Tensor, "verts 3"]

    def at(
        self,
        layout: UvLayout,
        rows: Int[Tensor, " asked"],
        order: Int[Tensor, " verts"] | None = None,
    ) -> Samples:
        """Colours of texels; those with no trust are left out.

        `order` replaces every vertex by another: the mirror map looks at the other side's skin.
        """
        place = self.vertices if order is None else self.vertices[order]
        normals = self.normals if order is None else self.normals[order]
        towards = self.camera.position - place
        cosine = (torch.nn.functional.normalize(towards, dim=-1) * normals).sum(-1)
        hopeful = (cosine > _GRAZING)[self.faces].any(dim=-1)
        rows = rows[hopeful[layout.face[rows]]]
        face, bary = layout.face[rows], layout.bary[rows]
        point = interpolate(place, self.faces, face, bary)
        normal = torch.nn.functional.normalize(
            interpolate(normals, self.faces, face, bary), dim=-1, eps=1e-12
        )
        ray = torch.nn.functional.normalize(self.camera.position - point, dim=-1)
        slope = (ray * normal).sum(-1)
        trust, depth = self._trust(point, slope)
        keep = trust > 1e-3
        rows, point, normal = rows[keep], point[keep], normal[keep]
        trust, slope, depth = trust[keep], slope[keep], depth[keep]
        worth = trust * slope**2 * (float(self.buffer.focal.mean()) * MM / depth) ** 2
        pixels, _ = self.camera.project(point)
        return Samples(rows, _look_up(self.linear, pixels).T, trust, worth, slope, normal)

    def _trust(self, point: Tensor, cosine: Tensor) -> tuple[Tensor, Tensor]:
        pixels, depth = self.buffer.project(point)
        high, wide = self.nearest.shape
        corner = pixels.nan_to_num(-1.0).floor().clamp(-1, max(high, wide)).long()
        column, row = corner.unbind(-1)
        inside = (column >= 0) & (column < wide) & (row >= 0) & (row < high) & (depth > 0)
        column, row = column.clamp(0, wide - 1), row.clamp(0, high - 1)
        pixel_width = depth / self.buffer.focal.mean()
        steep = ((1 - cosine**2).clamp_min(0).sqrt() / cosine.clamp_min(1e-3)).clamp_max(_STEEPEST)
        free = depth <= self.nearest[row, column] + _BEHIND + 2 * pixel_width * steep
        clear = _look_up(self.clear[None, None], pixels)[0]
        return clear * smooth_step(cosine, _GRAZING, _FACING) * (inside & free), depth


def photo_sampler(template: Template, view: TextureView, texel: float) -> PhotoSampler:
    """Look-ups in one photo; `texel` is the typical width of a texel on the skin, metres.

    Raises InputError where the view's arrays do not belong together, or the head lies outside.
    """
    _check(template, view)
    faces = torch.from_numpy(template.mesh.faces)
    exact = torch.from_numpy(np.ascontiguousarray(view.vertices, dtype=np.float64))
    camera = view.camera.to(torch.float64)
    window = _window(camera, exact)
    buffer = camera.cropped(window[0], window[1], (window[2] - window[0], window[3] - window[1]))
    shrunk = buffer.scaled(min(1.0, DEPTH_SIDE / max(buffer.size)))
    seen = rasterise(exact, faces, shrunk)
    linear, factor = _linear_window(view.pixels, window, _pixels_per(texel, camera, exact))
    nearest = -torch.nn.functional.max_pool2d(-seen.depth[None], 3, 1, 1)[0]
    mask = None if view.skin_mask is None else _mask_of_buffer(view.skin_mask, window, shrunk)
    return PhotoSampler(
        camera=buffer.scaled(1 / factor).to(torch.float32),
        linear=linear,
        buffer=shrunk.to(torch.float32),
        nearest=nearest,
        clear=torch.from_numpy(_clear(template, seen, shrunk, mask)),
        faces=faces,
        vertices=exact.float(),
        normals=smooth_normals(exact, faces).float(),
    )


def smooth_step(value: Tensor, low: float, high: float) -> Tensor:
    """0 below `low`, 1 above `high`, smooth between."""
    t = ((value - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _check(template: Template, view: TextureView) -> None:
    height, width = view.pixels.shape[:2]
    if view.camera.size != (width, height):
        raise InputError(
            f"The camera is of {view.camera.size[0]} x {view.camera.size[1]} pixels, its photo "
            f"has {width} x {height}. Give the camera of this photo (Camera.scaled follows a "
            "resize)."
        )
    if len(view.vertices) != len(template.mesh.vertices) or not np.isfinite(view.vertices).all():
        raise InputError(
            f"A texture view needs {len(template.mesh.vertices)} finite vertices, all parts of "
            f"the template; got {len(view.vertices)}."
        )
    if view.skin_mask is not None and view.skin_mask.shape != (height, width):
        raise InputError(
            f"The skin mask has {view.skin_mask.shape} pixels, its photo ({height}, {width}). "
            "Give one value per pixel."
        )


def _window(camera: Camera, vertices: Tensor) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the head in the photo."""
    pixels, depth = camera.project(vertices)
    pixels = pixels[depth > 10 * MM]
    limit = torch.tensor(camera.size)
    if len(pixels) == 0:
        raise InputError("The head lies behind the camera. Check cam_from_model of this view.")
    low = (pixels.amin(0).floor().clamp_min(0)).minimum(limit.double()).long() - 2
    high = (pixels.amax(0).ceil().clamp_min(0)).minimum(limit.double()).long() + 2
    low, high = low.clamp_min(0), high.minimum(limit)
    if bool((high - low < 8).any()):
        raise InputError("The head lies outside the photo. Check cam_from_model of this view.")
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _pixels_per(length: float, camera: Camera, vertices: Tensor) -> float:
    """Pixels of the photo per `length` of metres, at the front of the head."""
    depth = camera.to_camera(vertices)[:, 2]
    front = depth[depth > 10 * MM].quantile(0.05)
    return float(camera.focal.mean() * length / front)


def _linear_window(
    pixels: np.ndarray, window: tuple[int, int, int, int], per_texel: float
) -> tuple[Float[Tensor, "1 3 rows columns"], int]:
    """The window in linear light, whole blocks averaged where texels are wider than pixels."""
    left, top, right, bottom = window
    factor = max(1, int(per_texel))
    light = linear_from_srgb(np.arange(256) / 255.0).astype(np.float32)
    planes = np.ascontiguousarray(pixels[top:bottom, left:right].transpose(2, 0, 1))
    linear = torch.from_numpy(light[planes])[None]
    if factor > 1:
        linear = torch.nn.functional.avg_pool2d(
            linear, factor, ceil_mode=True, count_include_pad=False
        )
    return linear, factor


def _mask_of_buffer(
    mask: np.ndarray, window: tuple[int, int, int, int], buffer: Camera
) -> Bool[np.ndarray, "high wide"]:
    wide, high = buffer.size
    left, top, right, bottom = window
    column = left + ((np.arange(wide) + 0.5) * (right - left) / wide).astype(np.int64)
    row = top + ((np.arange(high) + 0.5) * (bottom - top) / high).astype(np.int64)
    return mask[row.clip(top, bottom - 1)[:, None], column.clip(left, right - 1)[None]]


def _clear(
    template: Template, seen: Fragments, camera: Camera, mask: np.ndarray | None
) -> Float[np.ndarray, "high wide"]:
    """0 to 1 by the distance to what is no outer skin, in millimetres on the skin."""
    face, depth = seen.face.numpy(), seen.depth.numpy()
    hit = face >= 0
    outer = hit & _outer_faces(template)[face]
    allowed = np.ones_like(outer) if mask is None else mask
    snug = hit & _snug_faces(template)[face]
    opening = hit & ~outer | snug & ~allowed
    outline = ~hit | _steps(depth, outer, float(camera.focal.mean())) | ~allowed & ~snug
    width = np.where(hit, depth, depth[hit].mean() if hit.any() else 1.0)
    width = (width / float(camera.focal.mean())).astype(np.float32)
    return _ramp(outline, width, *_OUTLINE) * _ramp(opening, width, *_OPENING)


def _ramp(blocked: np.ndarray, width: np.ndarray, low: float, high: float) -> np.ndarray:
    if not blocked.any():
        return np.ones(blocked.shape, dtype=np.float32)
    distance = (distance_transform_edt(~blocked) - 0.5).astype(np.float32) * width
    t = ((distance - low) / (high - low)).clip(0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _steps(depth: np.ndarray, outer: np.ndarray, focal: float) -> Bool[np.ndarray, "high wide"]:
    """Pixels on both sides of a jump in depth between two places of the outer skin."""
    flat = np.where(outer, depth, np.nan)
    out = np.zeros_like(outer)
    for axis in (0, 1):
        first = np.take(flat, np.arange(flat.shape[axis] - 1), axis)
        second = np.take(flat, np.arange(1, flat.shape[axis]), axis)
        jump = np.abs(first - second) > _STEP + _STEEPEST * np.fmin(first, second) / focal
        run = [slice(None), slice(None)]
        for start in (0, 1):
            run[axis] = slice(start, start + jump.shape[axis])
            out[tuple(run)] |= jump
    return out


def _outer_faces(template: Template) -> Bool[np.ndarray, " faces"]:
    """Skin seen from outside: neither the mouth's inside, nor sockets, nor other parts."""
    out = np.zeros(len(template.mesh.faces), dtype=bool)
    run = template.parts["skin"].faces
    inner = template.regions["inner"][template.mesh.faces[run]]
    out[run] = ~inner.any(axis=1)
    return out


def _snug_faces(template: Template) -> Bool[np.ndarray, " faces"]:
    """Lids and lips with what lies in their openings: a mask's border there is an opening's."""
    out = np.ones(len(template.mesh.faces), dtype=bool)
    run = template.parts["skin"].faces
    near = template.regions["eyes"] | template.regions["lips"] | template.regions["inner"]
    out[run] = near[template.mesh.faces[run]].any(axis=1)
    return out


def _look_up(
    planes: Float[Tensor, "1 channels rows columns"], pixels: Float[Tensor, "points 2"]
) -> Float[Tensor, "channels points"]:
    """Bilinear, at continuous pixel coordinates; the border is repeated."""
    rows, columns = planes.shape[-2:]
    grid = 2 * pixels / pixels.new_tensor([columns, rows]) - 1
    return torch.nn.functional.grid_sample(
        planes, grid[None, None], mode="bilinear", padding_mode="border", align_corners=False
    )[0, :, 0]
