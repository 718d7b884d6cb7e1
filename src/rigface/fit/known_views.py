"""One head before cameras that are known: from a calibrated rig, or structure from motion.

The cameras stand still, cam_from_world = [R_v | t_v]; the head is placed among them once, turned by
R, shifted by d and scaled by s (a metric world asks for the true size):

    world = s R (p - centre) + d
    local = R_v R (p - centre) + (R_v d + t_v) / s

in metres of the model, because dividing a camera's frame by s changes no pixel.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rigface.cameras import Camera
from rigface.errors import InputError
from rigface.fit.iris import HeadSize
from rigface.fit.views import NO_DETECTOR, DetectorModes, HeadSpace, Pose, View, Views
from rigface.geometry.rotations import rotation_derivatives, rotation_from_vector
from rigface.geometry.similarity import Similarity
from rigface.models.parameters import Parameter

CALIBRATION = 0.002
"""Relative error of the scale of a calibrated rig, at best."""
POINTING = 1e-3
"""Radians: error of the directions of known cameras to each other, about a pixel."""


class KnownViews(Views):
    """`Views` whose cameras are given; only the head moves."""

    pose_names = ("rotation", "place", "log_scale")

    def __init__(
        self,
        model: HeadSpace,
        starts: Sequence[View],
        cameras: Sequence[Camera],
        shared_expression: bool = True,
        detector: DetectorModes = NO_DETECTOR,
    ) -> None:
        """`cameras` are cam_from_world; `starts` tell where each view alone has the head.

        Raises InputError where no place in the world agrees with the photos.
        """
        self.cameras = tuple(camera.to(torch.float64) for camera in cameras)
        super().__init__(model, starts, shared_expression, detector)
        self._start = _world_from_head(self.starts, self.cameras, self._centre)

    def world_from_model(self, x: Float[Tensor, " params"]) -> Similarity:
        """Where the head of the model's size is in the cameras' world."""
        rotation, place, scale = self._placed(x)
        turn = rotation.numpy()
        shift = place - scale * rotation @ self._centre
        return Similarity(float(scale), turn, shift.numpy())

    def head_size(self, x: Float[Tensor, " params"], variance: float) -> HeadSize:
        """The head's size by the cameras; `variance` of log_scale is what the pixels leave.

        Cameras that are turned by `POINTING` against each other move a head that they see under a
        parallax of p radians by POINTING / p of its distance, and its size with it.
        """
        doubt = CALIBRATION**2 + (POINTING / max(self.parallax(x), 1e-9)) ** 2
        scale = self.world_from_model(x).scale
        return HeadSize(scale, math.sqrt(variance + doubt), None, "cameras")

    def parallax(self, x: Float[Tensor, " params"]) -> float:
        """Root mean square of the angles between the rays to the head and their mean, radians."""
        place = self._placed(x)[1]
        rays = torch.stack([place - camera.position for camera in self.cameras])
        rays = rays / rays.norm(dim=1, keepdim=True)
        middle = rays.mean(dim=0)
        angles = torch.linalg.cross(rays, (middle / middle.norm()).expand_as(rays)).norm(dim=1)
        return float(angles.clamp(max=1).asin().square().mean().sqrt())

    def _pose_parameters(self) -> list[Parameter]:
        meaning = "of the head in the world, from its start"
        return [
            Parameter("rotation", (1, 3), "rad", 0.3, max_step=0.5, meaning=meaning),
            Parameter("place", (1, 3), "of the head's size", 0.05, max_step=0.1, meaning=meaning),
            Parameter("log_scale", (1,), "1", 0.3, -3.0, 3.0, 0.3, meaning),
        ]

    def _placed(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        values = self.table.unpack(x)
        turn, place, scale = self._start
        rotation = rotation_from_vector(values["rotation"][0]) @ turn
        return rotation, place + scale * values["place"][0], scale * values["log_scale"][0].exp()

    def _pose(self, x: Tensor, view: int) -> Pose:
        camera = self.cameras[view]
        rotation, place, scale = self._placed(x)
        offset = (camera.rotation @ place + camera.translation) / scale
        derivatives = rotation_derivatives(self.table.unpack(x)["rotation"][0]) @ self._start[0]
        moving = camera.rotation * (self._start[2] / scale)
        return Pose(
            camera,
            camera.rotation @ rotation,
            offset,
            camera.focal,
            camera.rotation @ derivatives,
            torch.cat([moving, -offset[:, None]], dim=1),
            zooming=False,
        )

    def _own(self, name: str, view: int) -> slice:
        return self.table.slices[name] if name in self.pose_names else super()._own(name, view)


def _world_from_head(
    starts: Sequence[View], cameras: Sequence[Camera], centre: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Rotation, place of the middle and scale that agree best with each view's own guess.

    Of a guess its rotation and direction are worth much and its distance little.
    """
    turns = [c.rotation.T @ s.camera.rotation for c, s in zip(cameras, starts, strict=True)]
    u, _, vt = torch.linalg.svd(torch.stack(turns).sum(dim=0))
    turn = u @ torch.diag(torch.tensor([1.0, 1.0, float(torch.linalg.det(u @ vt))]).to(u)) @ vt
    middles = [s.camera.rotation @ centre + s.camera.translation for s in starts]
    rows, right = [], []
    for camera, middle in zip(cameras, middles, strict=True):
        away = middle / middle.norm()
        trust = torch.eye(3).to(middle) - 0.7 * torch.outer(away, away)
        block = torch.cat([camera.rotation, -middle[:, None]], dim=1)
        rows.append(trust @ block / middle.norm())
        right.append(-trust @ camera.translation / middle.norm())
    design, target = torch.cat(rows).numpy(), torch.cat(right).numpy()
    solved = np.linalg.lstsq(design, target, rcond=None)[0]
    if not solved[3] > 0:
        raise InputError(
            "The camera file does not match the photos: no place of the head agrees with what they "
            "show. Check that the file's images are these photos, upright, in OpenCV convention."
        )
    return turn, torch.from_numpy(solved[:3]), torch.tensor(solved[3], dtype=torch.float64)
