"""A z-buffer: which triangle each pixel sees, where on it, and how far away. CPU and CUDA.

Edges are tested in homogeneous image coordinates (Olano and Greer 1997): for a pixel's ray d and
a triangle a, b, c in the camera's frame, the weights d . (b x c), d . (c x a), d . (a x b) are the
perspective-correct barycentric coordinates up to a common factor, also where the triangle reaches
behind the camera. So there is no clipping. Two triangles on an edge evaluate the same numbers with
opposite signs, so a shared edge has no holes.
"""

# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false
# (warp kernels are a language of their own inside Python's annotations)

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, no_type_check

import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor

from rigface.cameras import Camera
from rigface.geometry.surface import start_warp

NEAR = 0.01
"""Metres in front of the camera within which nothing is drawn."""
_EMPTY = torch.iinfo(torch.int64).max
_SLACK = 1e-6
"""Pixels by which bounding boxes grow, far above rounding: the edge tests decide."""
_PARALLEL = 20_000
"""Pixels per thread below which a second thread does not pay."""


@dataclass(frozen=True)
class Fragments:
    """What one camera sees, per pixel."""

    face: Int[Tensor, "height width"]
    """Nearest face, -1 where there is none."""
    bary: Float[Tensor, "height width 3"]
    """Perspective-correct barycentric coordinates on it; zeros where there is none."""
    depth: Float[Tensor, "height width"]
    """Camera z of that point, metres; inf where there is none."""


@no_type_check
@wp.func
def _line(a: wp.vec3, b: wp.vec3, first: wp.int32, second: wp.int32) -> wp.vec3d:
    """a x b, exactly minus b x a: the vertex with the lower id always comes first."""
    p = wp.vec3d(wp.float64(a[0]), wp.float64(a[1]), wp.float64(a[2]))
    q = wp.vec3d(wp.float64(b[0]), wp.float64(b[1]), wp.float64(b[2]))
    if first < second:
        return wp.cross(p, q)
    return -wp.cross(q, p)


@no_type_check
@wp.func
def _in_pixels(line: wp.vec3d, lens: wp.vec4d) -> wp.vec3d:
    """Coefficients of the edge function over pixel coordinates (x, y, 1)."""
    u = line[0] / lens[0]
    v = line[1] / lens[1]
    return wp.vec3d(u, v, line[2] - u * lens[2] - v * lens[3])


@no_type_check
@wp.func
def _grow(box: wp.vec4d, a: wp.vec3, b: wp.vec3, near: wp.float32, lens: wp.vec4d) -> wp.vec4d:
    """The bounding box with the visible start of edge a-b: a itself, or where it meets `near`."""
    out = box
    if a[2] >= near:
        z = wp.float64(a[2])
        x = lens[0] * wp.float64(a[0]) / z + lens[2]
        y = lens[1] * wp.float64(a[1]) / z + lens[3]
        out = wp.vec4d(wp.min(out[0], x), wp.min(out[1], y), wp.max(out[2], x), wp.max(out[3], y))
    if (a[2] >= near) != (b[2] >= near):
        t = (wp.float64(near) - wp.float64(a[2])) / (wp.float64(b[2]) - wp.float64(a[2]))
        z = wp.float64(near)
        x = wp.float64(a[0]) + t * (wp.float64(b[0]) - wp.float64(a[0]))
        y = wp.float64(a[1]) + t * (wp.float64(b[1]) - wp.float64(a[1]))
        x = lens[0] * x / z + lens[2]
        y = lens[1] * y / z + lens[3]
        out = wp.vec4d(wp.min(out[0], x), wp.min(out[1], y), wp.max(out[2], x), wp.max(out[3], y))
    return out


@no_type_check
@wp.kernel
def _draw_kernel(
    vertices: wp.array(dtype=wp.vec3),
    faces: wp.array(dtype=wp.vec3i),
    lens: wp.vec4d,
    width: wp.int32,
    first_row: wp.int32,
    end_row: wp.int32,
    near: wp.float32,
    nearest: wp.array(dtype=wp.int64),
):
    f = wp.tid()
    i = faces[f][0]
    j = faces[f][1]
    k = faces[f][2]
    a = vertices[i]
    b = vertices[j]
    c = vertices[k]
    far = wp.float64(1.0e30)
    box = wp.vec4d(far, far, -far, -far)
    box = _grow(box, a, b, near, lens)
    box = _grow(box, b, c, near, lens)
    box = _grow(box, c, a, near, lens)
    half = wp.float64(0.5)
    slack = wp.float64(_SLACK)
    low_x = wp.max(wp.ceil(box[0] - half - slack), wp.float64(0.0))
    high_x = wp.min(wp.floor(box[2] - half + slack), wp.float64(width - 1))
    low_y = wp.max(wp.ceil(box[1] - half - slack), wp.float64(first_row))
    high_y = wp.min(wp.floor(box[3] - half + slack), wp.float64(end_row - 1))
    if not (low_x <= high_x and low_y <= high_y):
        return
    bc = _line(b, c, j, k)
    volume = bc[0] * wp.float64(a[0]) + bc[1] * wp.float64(a[1]) + bc[2] * wp.float64(a[2])
    if not (wp.abs(volume) > wp.float64(0.0)):
        return  # seen edge-on, without area, or not a number
    bc = _in_pixels(bc, lens)
    ca = _in_pixels(_line(c, a, k, i), lens)
    ab = _in_pixels(_line(a, b, i, j), lens)
    zero = wp.float64(0.0)
    closest = wp.float64(wp.max(near, wp.min(a[2], wp.min(b[2], c[2]))))
    farthest = wp.float64(wp.max(a[2], wp.max(b[2], c[2])))
    for row in range(wp.int32(low_y), wp.int32(high_y) + 1):
        y = wp.float64(row) + half
        for column in range(wp.int32(low_x), wp.int32(high_x) + 1):
            x = wp.float64(column) + half
            wa = bc[0] * x + bc[1] * y + bc[2]
            wb = ca[0] * x + ca[1] * y + ca[2]
            wc = ab[0] * x + ab[1] * y + ab[2]
            total = wa + wb + wc
            inside = wa >= zero and wb >= zero and wc >= zero and total > zero
            mirrored = wa <= zero and wb <= zero and wc <= zero and total < zero
            if inside or mirrored:
                depth = volume / total
                if depth >= wp.float64(near):
                    depth = wp.clamp(depth, closest, farthest)
                    bits = wp.int64(wp.cast(wp.float32(depth), wp.int32))
                    key = bits * wp.int64(4294967296) + wp.int64(f)
                    wp.atomic_min(nearest, row * width + column, key)


@no_type_check
@wp.kernel
def _resolve_kernel(
    vertices: wp.array(dtype=wp.vec3),
    faces: wp.array(dtype=wp.vec3i),
    lens: wp.vec4d,
    width: wp.int32,
    first_pixel: wp.int32,
    nearest: wp.array(dtype=wp.int64),
    face: wp.array(dtype=wp.int32),
    bary: wp.array(dtype=wp.vec3),
    depth: wp.array(dtype=wp.float32),
):
    pixel = first_pixel + wp.tid()
    key = nearest[pixel]
    if key == wp.int64(9223372036854775807):
        face[pixel] = -1
        bary[pixel] = wp.vec3(0.0, 0.0, 0.0)
        depth[pixel] = wp.inf
        return
    f = wp.int32(key & wp.int64(4294967295))
    i = faces[f][0]
    j = faces[f][1]
    k = faces[f][2]
    x = wp.float64(pixel % width) + wp.float64(0.5)
    y = wp.float64(pixel // width) + wp.float64(0.5)
    at = wp.vec3d((x - lens[2]) / lens[0], (y - lens[3]) / lens[1], wp.float64(1.0))
    wa = wp.dot(at, _line(vertices[j], vertices[k], j, k))
    wb = wp.dot(at, _line(vertices[k], vertices[i], k, i))
    wc = wp.dot(at, _line(vertices[i], vertices[j], i, j))
    total = wa + wb + wc
    low = wp.float64(0.0)
    high = wp.float64(1.0)
    u = wp.clamp(wa / total, low, high)
    v = wp.clamp(wb / total, low, high - u)
    face[pixel] = f
    bary[pixel] = wp.vec3(wp.float32(u), wp.float32(v), wp.float32(high - u - v))
    depth[pixel] = wp.cast(wp.int32(key >> wp.int64(32)), wp.float32)


def rasterise(
    vertices: Float[Tensor, "verts 3"],
    faces: Int[Tensor, "faces 3"],
    camera: Camera,
    near: float = NEAR,
) -> Fragments:
    """The nearest surface at each pixel centre of one camera, both sides of a face alike.

    `vertices` are in the world, metres; the work runs on their device. The result is float32 and
    the same in every run: of faces at one depth (to float32) the lowest id wins. Nothing nearer
    than `near` metres is drawn; a face that reaches behind the camera is drawn in front of it. A
    vertex that is not finite hides its faces. Not differentiable: interpolate with the ids and
    barycentric coordinates instead. Raises ValueError for a batch of cameras.
    """
    if camera.rotation.ndim != 2 or camera.focal.ndim != 1:
        raise ValueError("the rasteriser takes one camera at a time; got a batch of them")
    start_warp()
    width, height = camera.size
    device = vertices.device
    # In float64, so that a far-away origin costs nothing; the z-buffer needs float32.
    local = camera.to(torch.float64).to(device).to_camera(vertices.detach().double())
    local = local.to(torch.float32).contiguous()
    index = faces.to(device=device, dtype=torch.int32).contiguous()
    nearest = torch.full((height * width,), _EMPTY, dtype=torch.int64, device=device)
    face = torch.empty(height * width, dtype=torch.int32, device=device)
    bary = torch.empty(height * width, 3, dtype=torch.float32, device=device)
    depth = torch.empty(height * width, dtype=torch.float32, device=device)
    focal, centre = camera.focal.tolist(), camera.centre.tolist()
    job = _Job(
        wp.from_torch(local, dtype=wp.vec3),
        wp.from_torch(index, dtype=wp.vec3i),
        wp.vec4d(*focal, *centre),
        width,
        near,
        wp.from_torch(nearest, dtype=wp.int64),
        (wp.from_torch(face), wp.from_torch(bary, dtype=wp.vec3), wp.from_torch(depth)),
        str(wp.device_from_torch(device)),
    )
    if len(faces) and height and width:
        _run(job, height, torch.device(device).type == "cpu")
    else:
        _ = face.fill_(-1), bary.zero_(), depth.fill_(torch.inf)
    return Fragments(
        face.reshape(height, width).long(),
        bary.reshape(height, width, 3),
        depth.reshape(height, width),
    )


@dataclass(frozen=True)
class _Job:
    """One picture as warp sees it."""

    vertices: Any
    faces: Any
    lens: Any
    width: int
    near: float
    nearest: Any
    out: tuple[Any, Any, Any]
    device: str

    def rows(self, first: int, end: int) -> None:
        """Draw the rows from `first` up to `end`."""
        wp.launch(
            _draw_kernel,
            dim=self.faces.shape[0],
            inputs=[
                *(self.vertices, self.faces, self.lens, self.width, first, end, self.near),
                self.nearest,
            ],
            device=self.device,
        )
        wp.launch(
            _resolve_kernel,
            dim=(end - first) * self.width,
            inputs=[
                *(self.vertices, self.faces, self.lens, self.width, first * self.width),
                self.nearest,
                *self.out,
            ],
            device=self.device,
        )


def _run(job: _Job, height: int, on_cpu: bool) -> None:
    """On a CPU each thread owns a band of rows: warp's kernels there are loops without locks."""
    bands = 1
    if on_cpu:
        cores = min(torch.get_num_threads(), os.cpu_count() or 1, 8)
        bands = max(1, min(cores, height, height * job.width // _PARALLEL))
    edges = [height * band // bands for band in range(bands + 1)]
    if bands == 1:
        job.rows(0, height)
        return
    with ThreadPoolExecutor(max_workers=bands) as pool:
        list(pool.map(job.rows, edges[:-1], edges[1:]))
