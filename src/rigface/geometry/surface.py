"""Closest points and rays on a triangle surface that moves: one BVH, refitted, CPU or CUDA.

Built on `warp` meshes (surface-area heuristic). A query returns the face and the barycentric
coordinates, so that torch can differentiate the point on that face by itself.
"""

# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false
# (warp kernels are a language of their own inside Python's annotations)

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, no_type_check

import torch
import warp as wp
from jaxtyping import Bool, Float, Int
from torch import Tensor

wp.config.quiet = True  # the switch of warp < 1.19
wp.config.log_level = getattr(wp, "LOG_WARNING", 30)  # its successor
wp.config.enable_backward = False


@dataclass(frozen=True)
class ClosestPoints:
    """Where each query point meets the surface."""

    face: Int[Tensor, " queries"]
    """Face index, -1 where nothing lies within the search radius."""
    bary: Float[Tensor, "queries 3"]
    """Barycentric coordinates of the closest point in that face."""
    point: Float[Tensor, "queries 3"]
    distance: Float[Tensor, " queries"]


@no_type_check
@wp.kernel
def _closest_kernel(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    radius: wp.float32,
    face: wp.array(dtype=wp.int32),
    bary: wp.array(dtype=wp.vec3),
    closest: wp.array(dtype=wp.vec3),
):
    i = wp.tid()
    query = wp.mesh_query_point_no_sign(mesh, points[i], radius)
    if query.result:
        face[i] = query.face
        bary[i] = wp.vec3(query.u, query.v, 1.0 - query.u - query.v)
        closest[i] = wp.mesh_eval_position(mesh, query.face, query.u, query.v)
    else:
        face[i] = -1


@no_type_check
@wp.kernel
def _escapes_kernel(
    mesh: wp.uint64,
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    length: wp.float32,
    escaped: wp.array(dtype=wp.int32),
):
    i = wp.tid()
    count = wp.int32(0)
    for k in range(directions.shape[0]):
        query = wp.mesh_query_ray(mesh, origins[i], directions[k], length)
        if not query.result:
            count = count + 1
    escaped[i] = count


@no_type_check
@wp.kernel
def _ray_kernel(
    mesh: wp.uint64,
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    length: wp.float32,
    face: wp.array(dtype=wp.int32),
    distance: wp.array(dtype=wp.float32),
):
    i = wp.tid()
    query = wp.mesh_query_ray(mesh, origins[i], directions[i], length)
    if query.result:
        face[i] = query.face
        distance[i] = query.t
    else:
        face[i] = -1
        distance[i] = wp.inf


@cache
def start_warp() -> None:
    """Initialise warp without its banner; call it before the first kernel launch.

    On a machine without CUDA warp's native library writes a line about the missing driver straight
    to file descriptor 2, which no log level reaches; where torch sees a GPU nothing is hidden.
    """
    saved = None
    if not torch.cuda.is_available():
        with suppress(OSError):  # a daemon may have closed stderr
            saved = os.dup(2)
    if saved is None:
        wp.init()
        return
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        wp.init()
    finally:
        os.dup2(saved, 2)
        os.close(null)
        os.close(saved)


class Surface:
    """A triangle surface with fixed faces, ready for closest-point and ray queries.

    Positions are stored in float32; refit it after moving them. Not thread-safe while refitting.
    """

    def __init__(self, vertices: Float[Tensor, "verts 3"], faces: Int[Tensor, "faces 3"]):
        start_warp()
        self.faces = faces
        self.device = vertices.device
        self._wp_device = str(wp.device_from_torch(vertices.device))
        positions = vertices.detach().to(torch.float32).contiguous().clone()
        indices = faces.to(torch.int32).reshape(-1).contiguous()
        self._mesh: Any = wp.Mesh(
            points=wp.from_torch(positions, dtype=wp.vec3),
            indices=wp.from_torch(indices, dtype=wp.int32),
            bvh_constructor="sah",
        )
        self._positions, self._indices = positions, indices

    def refit(self, vertices: Float[Tensor, "verts 3"]) -> "Surface":
        """Move the vertices and update the BVH in place; returns itself."""
        self._positions.copy_(vertices.detach())
        self._mesh.refit()
        return self

    def closest(
        self, points: Float[Tensor, "queries 3"], radius: float = float("inf")
    ) -> ClosestPoints:
        """Closest point of the surface to each query, within `radius` (same unit)."""
        count = len(points)
        query = points.detach().to(torch.float32).contiguous()
        face = torch.full((count,), -1, dtype=torch.int32, device=self.device)
        bary = torch.zeros((count, 3), dtype=torch.float32, device=self.device)
        found = torch.zeros((count, 3), dtype=torch.float32, device=self.device)
        if count:  # warp takes no empty tensors
            wp.launch(
                _closest_kernel,
                dim=count,
                inputs=[
                    self._mesh.id,
                    wp.from_torch(query, dtype=wp.vec3),
                    min(radius, 1e30),
                    wp.from_torch(face, dtype=wp.int32),
                    wp.from_torch(bary, dtype=wp.vec3),
                    wp.from_torch(found, dtype=wp.vec3),
                ],
                device=self._wp_device,
            )
        distance = (query - found).norm(dim=-1)
        distance = torch.where(face >= 0, distance, torch.inf)
        dtype = points.dtype
        return ClosestPoints(face.long(), bary.to(dtype), found.to(dtype), distance.to(dtype))

    def escape_share(
        self,
        origins: Float[Tensor, "queries 3"],
        directions: Float[Tensor, "directions 3"],
        length: float,
    ) -> Float[Tensor, " queries"]:
        """Share of `directions` in which a ray from each origin meets nothing within `length`."""
        escaped = torch.zeros(len(origins), dtype=torch.int32, device=self.device)
        wp.launch(
            _escapes_kernel,
            dim=len(origins),
            inputs=[
                self._mesh.id,
                wp.from_torch(origins.detach().float().contiguous(), dtype=wp.vec3),
                wp.from_torch(directions.detach().float().contiguous(), dtype=wp.vec3),
                length,
                wp.from_torch(escaped, dtype=wp.int32),
            ],
            device=self._wp_device,
        )
        return escaped.to(origins.dtype) / len(directions)

    def ray(
        self,
        origins: Float[Tensor, "rays 3"],
        directions: Float[Tensor, "rays 3"],
        length: float = 1e30,
    ) -> tuple[Int[Tensor, " rays"], Float[Tensor, " rays"]]:
        """First face hit by each ray (-1: none) and the distance (inf: none)."""
        count = len(origins)
        face = torch.full((count,), -1, dtype=torch.int32, device=self.device)
        distance = torch.full((count,), torch.inf, dtype=torch.float32, device=self.device)
        wp.launch(
            _ray_kernel,
            dim=count,
            inputs=[
                self._mesh.id,
                wp.from_torch(origins.detach().float().contiguous(), dtype=wp.vec3),
                wp.from_torch(directions.detach().float().contiguous(), dtype=wp.vec3),
                length,
                wp.from_torch(face, dtype=wp.int32),
                wp.from_torch(distance, dtype=wp.float32),
            ],
            device=self._wp_device,
        )
        return face.long(), distance.to(origins.dtype)

    def missed(self, result: ClosestPoints) -> Bool[Tensor, " queries"]:
        """Queries without a closest point inside the radius."""
        return result.face < 0
