"""A pinhole camera as a value: project, its derivative, rays, and cameras to look at a head."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

NEAR = 1e-3
"""Metres; a point closer than this, or behind the camera, cannot be projected."""


@dataclass(frozen=True)
class Camera:
    """One pinhole camera, or a batch of them that see pictures of one size.

    OpenCV frame: x right, y down, z forward, metres. The continuous pixel coordinates start at the
    outer corner of the first pixel: the centre of column i, row j is at (i + 0.5, j + 0.5).
    All tensors share dtype and device; their batch axes broadcast.
    """

    focal: Float[Tensor, "*#batch 2"]
    """Pixels, horizontal and vertical."""
    centre: Float[Tensor, "*#batch 2"]
    """Principal point, pixels."""
    size: tuple[int, int]
    """Width and height, pixels."""
    rotation: Float[Tensor, "*#batch 3 3"]
    """Of cam_from_world: x_cam = rotation @ x_world + translation."""
    translation: Float[Tensor, "*#batch 3"]
    """Of cam_from_world, metres."""

    @property
    def position(self) -> Float[Tensor, "*batch 3"]:
        """Where the camera stands in the world."""
        return -(self.rotation.transpose(-1, -2) @ self.translation[..., None])[..., 0]

    @property
    def intrinsics(self) -> Float[Tensor, "*batch 3 3"]:
        """px_from_cam as a matrix for homogeneous pixels."""
        focal, centre = torch.broadcast_tensors(self.focal, self.centre)
        matrix = torch.diag_embed(torch.cat([focal, torch.ones_like(focal[..., :1])], dim=-1))
        return matrix + torch.nn.functional.pad(centre[..., None], (2, 0, 0, 1))

    @property
    def cam_from_world(self) -> Float[Tensor, "*batch 4 4"]:
        """Rotation and translation as one matrix."""
        batch = np.broadcast_shapes(self.rotation.shape[:-2], self.translation.shape[:-1])
        out = torch.eye(4, dtype=self.rotation.dtype, device=self.rotation.device)
        out = out.expand(*batch, 4, 4).clone()
        out[..., :3, :3] = self.rotation
        out[..., :3, 3] = self.translation
        return out

    def to_camera(self, points: Float[Tensor, "*#batch points 3"]) -> Float[Tensor, "*out 3"]:
        """World points in the camera's frame."""
        return points @ self.rotation.transpose(-1, -2) + self.translation[..., None, :]

    def to_world(self, points: Float[Tensor, "*#batch points 3"]) -> Float[Tensor, "*out 3"]:
        """Points of the camera's frame in the world."""
        return (points - self.translation[..., None, :]) @ self.rotation

    def project(
        self, points: Float[Tensor, "*#batch points 3"]
    ) -> tuple[Float[Tensor, "*pixels 2"], Float[Tensor, "*depths"]]:
        """Pixels and depths (z in the camera's frame, metres) of world points.

        A point whose depth is below NEAR is projected as though its depth were NEAR: its pixel is
        finite and its derivative is that of this rule, but it is not an image point. Tell such
        points by `depth < NEAR`.
        """
        local = self.to_camera(points)
        depth = local[..., 2]
        ray = local[..., :2] / depth.clamp_min(NEAR)[..., None]
        return self.focal[..., None, :] * ray + self.centre[..., None, :], depth

    def project_jacobian(
        self, points: Float[Tensor, "*#batch points 3"]
    ) -> Float[Tensor, "*out 2 3"]:
        """Derivative of the pixels of `project` with respect to the world points."""
        local = self.pixel_jacobian(self.to_camera(points))
        return local @ self.rotation[..., None, :, :]

    def pixel_jacobian(self, local: Float[Tensor, "*#batch points 3"]) -> Float[Tensor, "*out 2 3"]:
        """Derivative of the pixels with respect to points in the camera's frame.

        By it the derivative for a moving camera is short: d(local) is known for each of its six
        motions.
        """
        depth = local[..., 2].clamp_min(NEAR)
        focal = (self.focal[..., None, :] / depth[..., None]).expand(*local.shape[:-1], 2)
        seen = (local[..., 2] >= NEAR).to(local)
        slide = -focal * local[..., :2] * (seen / depth)[..., None]
        return torch.cat([torch.diag_embed(focal), slide[..., None]], dim=-1)

    def unproject(
        self, pixels: Float[Tensor, "*#batch points 2"], depth: Float[Tensor, "*#batch points"]
    ) -> Float[Tensor, "*out 3"]:
        """World points at given pixels and depths."""
        return self.to_world(self._plane(pixels) * depth[..., None])

    def rays(self, pixels: Float[Tensor, "*#batch points 2"]) -> Float[Tensor, "*out 3"]:
        """Unit directions in the world through given pixels; they start at `position`."""
        direction = self._plane(pixels) @ self.rotation
        return torch.nn.functional.normalize(direction, dim=-1)

    def pixel_centres(self) -> Float[Tensor, "height width 2"]:
        """The coordinates of every pixel's centre."""
        width, height = self.size
        x = torch.arange(width, dtype=self.focal.dtype, device=self.focal.device) + 0.5
        y = torch.arange(height, dtype=self.focal.dtype, device=self.focal.device) + 0.5
        return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)

    def scaled(self, factor: float) -> "Camera":
        """The camera of the same picture resized by `factor`; its size is rounded to pixels."""
        width, height = (max(1, round(side * factor)) for side in self.size)
        return replace(
            self, focal=self.focal * factor, centre=self.centre * factor, size=(width, height)
        )

    def cropped(self, left: int, top: int, size: tuple[int, int]) -> "Camera":
        """The camera of a window of the picture, `left` and `top` in pixels (negative: padding)."""
        corner = self.centre.new_tensor([left, top])
        return replace(self, centre=self.centre - corner, size=size)

    def focused(self, focal: Float[Tensor, "*#batch 2"]) -> "Camera":
        """The same camera with another focal length."""
        return replace(self, focal=focal)

    def moved(
        self, rotation: Float[Tensor, "*#batch 3 3"], translation: Float[Tensor, "*#batch 3"]
    ) -> "Camera":
        """The same lens with another cam_from_world."""
        return replace(self, rotation=rotation, translation=translation)

    def to(self, like: torch.dtype | torch.device | str) -> "Camera":
        """The camera with its tensors in another dtype or on another device."""
        names = ("focal", "centre", "rotation", "translation")
        return replace(self, **{name: getattr(self, name).to(like) for name in names})

    def _plane(self, pixels: Tensor) -> Tensor:
        """Points at depth 1 in the camera's frame."""
        flat = (pixels - self.centre[..., None, :]) / self.focal[..., None, :]
        return torch.nn.functional.pad(flat, (0, 1), value=1.0)


def looking_at(
    target: Sequence[float],
    position: Sequence[float],
    focal: float,
    size: tuple[int, int],
    up: Sequence[float] = (0.0, 1.0, 0.0),
    dtype: torch.dtype = torch.float64,
) -> Camera:
    """A camera at `position` whose principal ray meets `target`, with `up` upright in the picture.

    World units are metres, `focal` is in pixels, the principal point is the picture's middle.
    Raises ValueError where the direction of view is undefined or runs along `up`.
    """
    eye, upward = (torch.tensor(list(map(float, v)), dtype=dtype) for v in (position, up))
    forward = torch.tensor(list(map(float, target)), dtype=dtype) - eye
    right = torch.linalg.cross(forward, upward)
    if float(right.norm()) <= 1e-9 * float(forward.norm()):
        raise ValueError(f"no upright view from {position} to {target} with up = {up}")
    forward, right = forward / forward.norm(), right / right.norm()
    rotation = torch.stack([right, torch.linalg.cross(forward, right), forward])
    return Camera(
        focal=torch.tensor([focal, focal], dtype=dtype),
        centre=torch.tensor([size[0] / 2, size[1] / 2], dtype=dtype),
        size=size,
        rotation=rotation,
        translation=-(rotation @ eye),
    )


def orbiting(
    target: Sequence[float],
    yaw: float,
    pitch: float,
    distance: float,
    focal: float,
    size: tuple[int, int],
    dtype: torch.dtype = torch.float64,
    roll: float = 0.0,
) -> Camera:
    """A camera that looks at a head in model space (+Y up, +Z out of the face) from around it.

    `yaw`, `pitch` and `roll` are in radians: 0, 0, 0 is the front view, positive yaw shows the
    subject's left side, positive pitch looks down from above, positive roll turns the head
    anticlockwise in the picture. `distance` is in metres, `focal` in pixels.
    """
    back = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    side = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    up = np.cos(roll) * np.array([0.0, 1.0, 0.0]) + np.sin(roll) * side
    position = np.asarray(target, dtype=np.float64) + distance * back
    return looking_at(target, position.tolist(), focal, size, up.tolist(), dtype)
