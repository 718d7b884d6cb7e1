"""Where a mesh ends in a picture: its contours, sampled, and the derivative they carry.

A picture jumps at the contours of what it shows, so its derivative with respect to the vertices is
an integral inside the surfaces, where shading is smooth, plus one along the contours (Reynolds'
transport theorem; edge sampling, Li et al. 2018): for L = integral of g(pixel) f(pixel),

    dL = integral inside + integral over visible contours of g (f_in - f_out) (n . dp) ds

with n the contour's outward normal, dp the motion of its points and ds its length in pixels.

A mesh edge is a contour where all faces that meet in it lie on one side of it in the picture: an
edge between a front and a back face, or the edge of an open surface. Whether it is seen is decided
on the edge itself: the ray through a sample meets other faces before it, or does not. The faces
that meet in the edge are left out by their ids, so there is no tolerance. That matters: for long
stretches a second contour of a head runs within a pixel of its outline, and a z-buffer cannot tell
the two apart (docs/rendering.md).
"""

# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false
# (warp kernels are a language of their own inside Python's annotations)

from dataclasses import dataclass, fields
from typing import no_type_check

import torch
import warp as wp
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.cameras import Camera
from rigface.geometry.surface import start_warp
from rigface.render.rasterise import NEAR

SPACING = 0.25
"""Pixels between samples; every edge has at least one. A contour goes behind another one somewhere
within a sample, so the derivative of a head's mask is right to about 1 % (docs/rendering.md)."""


@dataclass(frozen=True)
class ContourSamples:
    """Points on the contours inside the picture, seen ones and hidden ones."""

    edge: Int[Tensor, "samples 2"]
    """The vertices of the edge."""
    share: Float[Tensor, " samples"]
    """The point in space is (1 - share) first + share second vertex."""
    pixels: Float[Tensor, "samples 2"]
    normals: Float[Tensor, "samples 2"]
    """Unit, in the picture, away from the surface that ends here."""
    length: Float[Tensor, " samples"]
    """Pixels of contour that the sample stands for."""
    boundary: Bool[Tensor, " samples"]
    """The edge of an open surface, such as the neck's, and no turn away from the camera."""
    visible: Bool[Tensor, " samples"]
    """No face lies before the point."""
    face: Int[Tensor, " samples"]
    """The face seen just inside the contour, if it is visible: the nearer one of the edge's."""
    face_bary: Float[Tensor, "samples 3"]
    """Where the sample lies on it."""
    behind: Int[Tensor, " samples"]
    """The face seen just outside the contour; -1 where it is the background."""
    behind_bary: Float[Tensor, "samples 3"]
    """Where on it; zeros for the background."""

    @property
    def outline(self) -> Bool[Tensor, " samples"]:
        """Seen before the background: the edge of the picture's mask."""
        return self.visible & (self.behind < 0)

    @property
    def occluding(self) -> Bool[Tensor, " samples"]:
        """Seen before another part of the mesh: a nose before its cheek."""
        return self.visible & (self.behind >= 0)

    def select(self, rows: Bool[Tensor, " samples"] | Int[Tensor, " kept"]) -> "ContourSamples":
        """Some of the samples."""
        return ContourSamples(*(getattr(self, field.name)[rows] for field in fields(self)))

    def points(self, vertices: Float[Tensor, "verts 3"]) -> Float[Tensor, "samples 3"]:
        """The samples in space."""
        first, second = vertices[self.edge].unbind(dim=1)
        return first + self.share[:, None] * (second - first)

    def vertex_gradient(
        self,
        vertices: Float[Tensor, "verts 3"],
        camera: Camera,
        jump: Float[Tensor, " samples"],
    ) -> Float[Tensor, "verts 3"]:
        """The contours' part of dL/dvertices.

        `jump` is g (f_in - f_out) at every sample, summed over channels; it is taken as zero where
        the sample is hidden. For a mask f_in - f_out is 1 on the outline and 0 elsewhere:
        `mask_gradient`.
        """
        weight = torch.where(self.visible, jump * self.length, 0.0)
        slope = camera.project_jacobian(self.points(vertices))
        pull = torch.einsum("s,sc,scd->sd", weight, self.normals, slope)
        out = torch.zeros_like(vertices)
        out.index_add_(0, self.edge[:, 0], (1 - self.share)[:, None] * pull)
        return out.index_add_(0, self.edge[:, 1], self.share[:, None] * pull)


def mask_gradient(
    samples: ContourSamples,
    vertices: Float[Tensor, "verts 3"],
    camera: Camera,
    weights: Float[Tensor, "height width"],
) -> Float[Tensor, "verts 3"]:
    """d/dvertices of sum over pixels of weights * coverage.

    Coverage is the part of a pixel's square that the mesh covers. For a loss of a mask `weights`
    is dL/dmask.
    """
    cell = samples.pixels.floor().long()
    width, height = camera.size
    column, row = cell[:, 0].clamp(0, width - 1), cell[:, 1].clamp(0, height - 1)
    jump = weights[row, column].to(vertices) * samples.outline
    return samples.vertex_gradient(vertices, camera, jump)


def contour_samples(
    vertices: Float[Tensor, "verts 3"],
    faces: Int[Tensor, "faces 3"],
    camera: Camera,
    spacing: float = SPACING,
) -> ContourSamples:
    """The contours of a mesh in one camera's picture, sampled about every `spacing` pixels.

    `vertices` are in the world, metres. Samples are the middles of equal parts of each edge, so
    their lengths add up to that of the contours within the picture. Faces may be wound either way;
    vertices that are to be one must be one, or their seam is an open edge. Surfaces that pierce
    each other end there without an edge: such lines are not found. An edge that reaches nearer
    than the rasteriser's NEAR is left out.
    """
    local = camera.to(torch.float64).to(vertices.device)
    seen_from_camera = local.to_camera(vertices.detach().double())
    edges, side, boundary = _contour_edges(seen_from_camera, faces.to(vertices.device))
    ends = seen_from_camera[edges]
    kept = (ends[..., 2] >= NEAR).all(dim=1)
    edges, side, boundary, ends = edges[kept], side[kept], boundary[kept], ends[kept]
    flat = local.focal * ends[..., :2] / ends[..., 2:] + local.centre
    owner, place, length = _parts(flat, camera.size, spacing)
    first, second = flat[owner].unbind(dim=1)
    pixels = first + place[:, None] * (second - first)
    near, far = ends[owner][..., 2].unbind(dim=1)
    depth = 1 / ((1 - place) / near + place / far)
    along = torch.nn.functional.normalize(second - first, dim=-1)
    normals = side[owner, None] * torch.stack([along[:, 1], -along[:, 0]], dim=-1)
    rays = _Rays(pixels, normals, depth, edges[owner])
    visible, face, behind, bary = _look(seen_from_camera, faces, local, rays)
    share = place * depth / far
    corners = faces.to(face.device)[face]
    on_first, on_second = (corners == edges[owner, end, None] for end in (0, 1))
    like = vertices.dtype
    return ContourSamples(
        edge=edges[owner],
        share=share.to(like),
        pixels=pixels.to(like),
        normals=normals.to(like),
        length=length.to(like),
        boundary=boundary[owner],
        visible=visible,
        face=face,
        face_bary=((1 - share)[:, None] * on_first + share[:, None] * on_second).to(like),
        behind=behind,
        behind_bary=bary.to(like),
    )


def _contour_edges(
    local: Float[Tensor, "verts 3"], faces: Int[Tensor, "faces 3"]
) -> tuple[Int[Tensor, "edges 2"], Float[Tensor, " edges"], Bool[Tensor, " edges"]]:
    """Edges with all their faces on one side, that side's sign, and whether only one face is
    there."""
    pairs = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    opposite = torch.cat([faces[:, 2], faces[:, 0], faces[:, 1]])
    pairs = pairs.sort(dim=1).values
    verts = len(local)
    key, owner, count = torch.unique(
        pairs[:, 0] * verts + pairs[:, 1], return_inverse=True, return_counts=True
    )
    edges = torch.stack([key // verts, key % verts], dim=1)
    line = torch.linalg.cross(local[edges[:, 0]], local[edges[:, 1]])
    # The sign says on which side of the edge's plane through the camera the face lies.
    side = (line[owner] * local[opposite]).sum(dim=-1).sign()
    empty = torch.zeros(len(edges), dtype=local.dtype, device=local.device)
    low = empty.scatter_reduce(0, owner, side, "amin", include_self=False)
    high = empty.scatter_reduce(0, owner, side, "amax", include_self=False)
    kept = (low == high) & (low != 0)
    return edges[kept], low[kept], count[kept] == 1


def _parts(
    flat: Float[Tensor, "edges 2 2"], size: tuple[int, int], spacing: float
) -> tuple[Int[Tensor, " parts"], Float[Tensor, " parts"], Float[Tensor, " parts"]]:
    """Equal parts of the edges inside the picture: edge, place of the middle, length."""
    first, way = flat[:, 0], flat[:, 1] - flat[:, 0]
    limit = flat.new_tensor(size)
    safe = torch.where(way == 0, torch.ones_like(way), way)
    enter, leave = -first / safe, (limit - first) / safe
    inside = (first >= 0) & (first <= limit)
    still = torch.where(inside, -torch.inf, torch.inf)
    low = torch.where(way == 0, still, torch.minimum(enter, leave)).amax(dim=1).clamp_min(0)
    high = torch.where(way == 0, torch.inf, torch.maximum(enter, leave)).amin(dim=1).clamp_max(1)
    total = (high - low).clamp_min(0) * way.norm(dim=-1)
    total = torch.where(torch.isfinite(total), total, 0.0)
    count = (total / spacing).ceil().long()
    owner = torch.repeat_interleave(torch.arange(len(flat), device=flat.device), count)
    rank = torch.arange(len(owner), device=flat.device) - (count.cumsum(0) - count)[owner]
    share = (rank + 0.5) / count[owner]
    place = low[owner] + share * (high - low)[owner]
    return owner, place, (total / count.clamp_min(1))[owner]


@no_type_check
@wp.func
def _rise(face_lines: wp.vec3d, volume: wp.float64, lens: wp.vec4d, normal: wp.vec2d) -> wp.float64:
    """How fast a face comes nearer (1 / depth) per pixel inwards from the contour."""
    return -(normal[0] * face_lines[0] / lens[0] + normal[1] * face_lines[1] / lens[1]) / volume


@no_type_check
@wp.kernel
def _look_kernel(
    tree: wp.uint64,
    vertices: wp.array(dtype=wp.vec3d),
    faces: wp.array(dtype=wp.vec3i),
    lens: wp.vec4d,
    pixels: wp.array(dtype=wp.vec2d),
    normals: wp.array(dtype=wp.vec2d),
    depths: wp.array(dtype=wp.float64),
    edges: wp.array(dtype=wp.vec2i),
    visible: wp.array(dtype=wp.bool),
    own: wp.array(dtype=wp.int32),
    behind: wp.array(dtype=wp.int32),
    behind_bary: wp.array(dtype=wp.vec3d),
):
    s = wp.tid()
    at = pixels[s]
    ray = wp.vec3d((at[0] - lens[2]) / lens[0], (at[1] - lens[3]) / lens[1], wp.float64(1.0))
    point = wp.vec3(wp.float32(at[0]), wp.float32(at[1]), wp.float32(0.0))
    zero = wp.float64(0.0)
    nearest = wp.float64(1.0e30)
    steepest = wp.float64(-1.0e30)
    hidden = wp.int32(0)
    first = edges[s][0]
    second = edges[s][1]
    query = wp.bvh_query_aabb(tree, point, point)
    f = wp.int32(0)
    while wp.bvh_query_next(query, f):
        i = faces[f][0]
        j = faces[f][1]
        k = faces[f][2]
        bc = wp.cross(vertices[j], vertices[k])
        ca = wp.cross(vertices[k], vertices[i])
        ab = wp.cross(vertices[i], vertices[j])
        volume = wp.dot(vertices[i], bc)
        has_first = i == first or j == first or k == first
        has_second = i == second or j == second or k == second
        if has_first and has_second:
            rise = _rise(bc + ca + ab, volume, lens, normals[s])
            if rise > steepest:
                steepest = rise
                own[s] = f
        else:
            wa = wp.dot(ray, bc)
            wb = wp.dot(ray, ca)
            wc = wp.dot(ray, ab)
            total = wa + wb + wc
            inside = wa >= zero and wb >= zero and wc >= zero and total > zero
            mirrored = wa <= zero and wb <= zero and wc <= zero and total < zero
            if inside or mirrored:
                depth = volume / total
                if depth > wp.float64(NEAR):
                    if depth < depths[s]:
                        hidden = wp.int32(1)
                    elif depth < nearest:
                        nearest = depth
                        behind[s] = f
                        behind_bary[s] = wp.vec3d(wa / total, wb / total, wc / total)
    visible[s] = hidden == wp.int32(0)


@dataclass(frozen=True)
class _Rays:
    """The samples as the kernel sees them."""

    pixels: Float[Tensor, "samples 2"]
    normals: Float[Tensor, "samples 2"]
    depth: Float[Tensor, " samples"]
    edge: Int[Tensor, "samples 2"]


def _look(
    local: Float[Tensor, "verts 3"], faces: Int[Tensor, "faces 3"], camera: Camera, rays: _Rays
) -> tuple[
    Bool[Tensor, " samples"],
    Int[Tensor, " samples"],
    Int[Tensor, " samples"],
    Float[Tensor, "samples 3"],
]:
    """Seen or not, the edge's own face, the face behind and where on it."""
    start_warp()
    count, device = len(rays.depth), local.device
    visible = torch.zeros(count, dtype=torch.bool, device=device)
    own, behind = (torch.full((count,), -1, dtype=torch.int32, device=device) for _ in range(2))
    bary = torch.zeros(count, 3, dtype=torch.float64, device=device)
    if count:
        low, high = _boxes(local, faces, camera)
        tree = wp.Bvh(wp.from_torch(low, dtype=wp.vec3), wp.from_torch(high, dtype=wp.vec3))
        index = faces.to(device=device, dtype=torch.int32).contiguous()
        wp.launch(
            _look_kernel,
            dim=count,
            inputs=[
                tree.id,
                wp.from_torch(local.contiguous(), dtype=wp.vec3d),
                wp.from_torch(index, dtype=wp.vec3i),
                wp.vec4d(*camera.focal.tolist(), *camera.centre.tolist()),
                wp.from_torch(rays.pixels.contiguous(), dtype=wp.vec2d),
                wp.from_torch(rays.normals.contiguous(), dtype=wp.vec2d),
                wp.from_torch(rays.depth.contiguous(), dtype=wp.float64),
                wp.from_torch(rays.edge.to(torch.int32).contiguous(), dtype=wp.vec2i),
                wp.from_torch(visible, dtype=wp.bool),
                wp.from_torch(own, dtype=wp.int32),
                wp.from_torch(behind, dtype=wp.int32),
                wp.from_torch(bary, dtype=wp.vec3d),
            ],
            device=str(wp.device_from_torch(device)),
        )
    return visible, own.long(), behind.long(), bary


def _boxes(
    local: Tensor, faces: Tensor, camera: Camera
) -> tuple[Float[Tensor, "faces 3"], Float[Tensor, "faces 3"]]:
    """Boxes of the faces in the picture, a little too large; endless where a face comes near."""
    flat = camera.focal * local[:, :2] / local[:, 2:].clamp_min(NEAR) + camera.centre
    corners = flat[faces.to(flat.device)]
    low, high = corners.amin(dim=1), corners.amax(dim=1)
    slack = 1e-3 + 1e-6 * torch.maximum(low.abs(), high.abs())
    near = (local[:, 2] < NEAR)[faces.to(flat.device)].any(dim=1, keepdim=True)
    low = torch.where(near, -1e9, low - slack)
    high = torch.where(near, 1e9, high + slack)
    pad = torch.nn.functional.pad
    return (
        pad(low, (0, 1), value=-1.0).float().contiguous(),
        pad(high, (0, 1), value=1.0).float().contiguous(),
    )
