"""One head before several cameras: what a photo fit solves for.

The head is an `AsmIdentity` or a linear 3DMM (identity coefficients, ARKit weights). Each view has
its own camera in front of it: rotation, place and focal length, and its own expression unless one
is shared.

    local = exp(r) R0 (p - centre) + d (exp(-g) a, exp(-g) b, 1),   d = d0 exp(c + g)
    pixel = focal exp(g) local_xy / local_z + principal point

with p a point of the head in model space. Turning about the middle of the head and writing the
place as direction and log distance keeps the parameters nearly independent of each other. So does
g in place and distance: the head keeps its size and its place in the picture, and g alone is
perspective. With d = d0 exp(c) and (a, b) a solver that damps every parameter by its own curvature
hardly moves focal lengths.

A detector's error moves all its landmarks together, p = place + mean + modes c (`Beside`). It is
partly the same in all photos of a person: c = sqrt(s) person + sqrt(1 - s) view, with s the share.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.cameras import Camera
from rigface.geometry.rotations import rotation_derivatives, rotation_from_vector
from rigface.models.parameters import Parameter, ParameterTable
from rigface.terms.image_points import Beside, ImagePoints

CENTRE = (0.0, -0.04, 0.0)
"""Middle of the head in model space, metres."""


@runtime_checkable
class HeadSpace(Protocol):
    """A model of heads by identity coefficients and ARKit weights, in this order."""

    @property
    def table(self) -> ParameterTable: ...

    @property
    def faces(self) -> Int[Tensor, "faces 3"]:
        """Skin triangles."""
        ...

    def vertices(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch verts 3"]:
        """Skin in model space."""
        ...

    def points(
        self,
        x: Float[Tensor, " params"],
        corners: Int[np.ndarray, "points corners"],
        bary: Float[np.ndarray, "points corners"],
    ) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3 params"]]:
        """Points on the skin and their derivative."""
        ...

    def places(
        self,
        x: Float[Tensor, " params"],
        corners: Int[np.ndarray, "points corners"],
        bary: Float[np.ndarray, "points corners"],
    ) -> Float[Tensor, "points 3"]:
        """The same points alone."""
        ...


@dataclass(frozen=True)
class View:
    """Where a camera starts from; its parameters are changes from here."""

    camera: Camera
    """cam_from_model."""


@dataclass(frozen=True)
class DetectorModes:
    """Size of the detector's error in the parameters."""

    count: int = 0
    shared: float = 0.0
    """Share of its variance that all photos of a person have in common."""


NO_DETECTOR = DetectorModes()
"""Landmarks are where they are said to be."""


@dataclass(frozen=True)
class Pose:
    """The head in a camera's frame at one state, and how the parameters move it."""

    start: Camera
    rotation: Float[Tensor, "3 3"]
    """cam_from_model."""
    offset: Float[Tensor, "3"]
    """Middle of the head, metres of the model."""
    focal: Float[Tensor, "2"]
    turning: Float[Tensor, "3 3 3"]
    """d rotation / d vector, first axis: component of the vector."""
    shifting: Float[Tensor, "3 shifts"]
    """d offset / d the parameters that shift the head, in the order of the table."""
    zooming: bool = True
    """The focal length is free, too."""

    def camera(self, centre: Float[Tensor, "3"]) -> Camera:
        """cam_from_model, with the middle of the head at `centre` in model space."""
        moved = self.start.moved(self.rotation, self.offset - self.rotation @ centre)
        return moved.focused(self.focal)


class Views:
    """The map from parameters to pixels in every view, and its derivative."""

    pose_names: tuple[str, ...] = ("rotation", "place", "log_distance", "log_focal")
    """Parameters of the cameras, in the order of the table."""

    def __init__(
        self,
        model: HeadSpace,
        starts: Sequence[View],
        shared_expression: bool = True,
        detector: DetectorModes = NO_DETECTOR,
    ) -> None:
        self.model, self.starts = model, tuple(starts)
        self.shared = shared_expression
        self.table = self._table(detector)
        share = detector.shared if self.table["detector_person"].size else 0.0
        self._roots = math.sqrt(share), math.sqrt(1 - share)
        self._centre = torch.tensor(CENTRE, dtype=torch.float64)
        self._poses: dict[int, tuple[Tensor, Pose]] = {}

    def _table(self, detector: DetectorModes) -> ParameterTable:
        """Identity, expression (one, or one per view), the cameras, the detector's errors."""
        views, shapes = len(self.starts), self.model.table["expression"].size
        rows = (shapes,) if self.shared else (views, shapes)
        person = (detector.count if views > 1 and detector.shared else 0,)
        return ParameterTable(
            [
                self.model.table["identity"],
                Parameter("expression", rows, "1", 0.3, 0.0, 1.0, 0.5, "ARKit weights"),
                *self._pose_parameters(),
                Parameter("detector_person", person, "1", 1.0, meaning="error in all views"),
                Parameter("detector_view", (views, detector.count), "1", 1.0, meaning="in one"),
            ]
        )

    def _pose_parameters(self) -> list[Parameter]:
        views, meaning = len(self.starts), "of each camera, from its start"
        return [
            Parameter("rotation", (views, 3), "rad", 0.3, max_step=0.5, meaning=meaning),
            Parameter("place", (views, 2), "1", 0.05, max_step=0.2, meaning=meaning),
            Parameter("log_distance", (views,), "1", 0.3, -3.0, 3.0, 0.3, "less log_focal"),
            Parameter("log_focal", (views,), "1", 0.3, -3.0, 3.0, 0.3, meaning),
        ]

    def head(self, x: Float[Tensor, " params"], view: int) -> Float[Tensor, " head_params"]:
        """Parameters of the head model as one view sees it."""
        values = self.table.unpack(x)
        expression = values["expression"] if self.shared else values["expression"][view]
        return torch.cat([values["identity"], expression])

    @property
    def faces(self) -> Int[Tensor, "faces 3"]:
        """Skin triangles."""
        return self.model.faces

    def skin(self, x: Float[Tensor, " params"], view: int) -> Float[Tensor, "verts 3"]:
        """Skin as one view sees it, model space."""
        return self.model.vertices(self.head(x, view))

    def camera(self, x: Float[Tensor, " params"], view: int) -> Camera:
        """cam_from_model of one view."""
        return self._posed(x, view).camera(self._centre)

    def pixels(
        self,
        x: Float[Tensor, " params"],
        view: int,
        points: ImagePoints,
    ) -> Float[Tensor, "points 2"]:
        """The pixels of `project` alone."""
        place = self.model.places(self.head(x, view), points.corners, points.bary)
        if points.beside is not None:
            place = place + self._beside(x, view, points.beside)
        return self.camera(x, view).project(place)[0]

    def project(
        self, x: Float[Tensor, " params"], view: int, points: ImagePoints
    ) -> tuple[Float[Tensor, "points 2"], Float[Tensor, "points 2 params"]]:
        """Pixels of a view's points and their derivative with respect to all parameters."""
        pixels, own, columns = self.project_own(x, view, points)
        out = torch.zeros(len(own), 2, self.table.size, dtype=x.dtype)
        out[..., columns] = own
        return pixels, out

    def project_own(
        self, x: Float[Tensor, " params"], view: int, points: ImagePoints
    ) -> tuple[Float[Tensor, "points 2"], Float[Tensor, "points 2 own"], Int[Tensor, " own"]]:
        """The same with the derivative by those parameters alone that matter, and which."""
        place, motion = self.model.points(self.head(x, view), points.corners, points.bary)
        columns, pose = self.columns(view), self._posed(x, view)
        camera = pose.camera(self._centre)
        if points.beside is None:
            return *self._before(pose, camera, place, motion), columns
        place = place + self._beside(x, view, points.beside)
        pixels, own = self._before(pose, camera, place, motion)
        slope = camera.project_jacobian(place)
        moves = slope @ torch.from_numpy(points.beside.modes)
        person, mine = self._roots
        parts = [own, person * moves, mine * moves]
        if not self.table["detector_person"].size:
            del parts[1]
        return pixels, torch.cat(parts, dim=-1), torch.cat([columns, self._errors(view)])

    def project_together(
        self,
        x: Float[Tensor, " params"],
        corners: Int[np.ndarray, "points corners"],
        bary: Float[np.ndarray, "points corners"],
    ) -> tuple[Float[Tensor, "views points 2"], Float[Tensor, "views points 2 own"]]:
        """The same points in every view; the derivative by the `columns` of each view."""
        parts, head = [], None
        for view in range(len(self.starts)):
            if head is None or not self.shared:
                head = self.model.points(self.head(x, view), corners, bary)
            pose = self._posed(x, view)
            parts.append(self._before(pose, pose.camera(self._centre), *head))
        return torch.stack([pixels for pixels, _ in parts]), torch.stack([own for _, own in parts])

    def pixels_together(
        self,
        x: Float[Tensor, " params"],
        corners: Int[np.ndarray, "points corners"],
        bary: Float[np.ndarray, "points corners"],
    ) -> Float[Tensor, "views points 2"]:
        """The pixels of `project_together` alone."""
        out, place = [], None
        for view in range(len(self.starts)):
            if place is None or not self.shared:
                place = self.model.places(self.head(x, view), corners, bary)
            out.append(self.camera(x, view).project(place)[0])
        return torch.stack(out)

    def columns(self, view: int) -> Int[Tensor, " own"]:
        """The parameters that one view depends on: identity, expression, camera."""
        everything = torch.arange(self.table.size)
        names = ("expression", *self.pose_names)
        runs = [everything[self.table.slices["identity"]]]
        return torch.cat(runs + [everything[self._own(name, view)] for name in names])

    def _beside(self, x: Tensor, view: int, beside: Beside) -> Float[Tensor, "points 3"]:
        """Where the points of one view are meant to be, from their places on the skin."""
        values, (person, mine) = self.table.unpack(x), self._roots
        error = mine * values["detector_view"][view]
        if len(values["detector_person"]):
            error = error + person * values["detector_person"]
        return torch.from_numpy(beside.mean) + torch.from_numpy(beside.modes) @ error

    def own(self, view: int) -> Bool[Tensor, " params"]:
        """All parameters that one view's pixels and landmarks depend on."""
        out = torch.zeros(self.table.size, dtype=torch.bool)
        out[self.columns(view)] = True
        out[self._errors(view)] = True
        return out

    def _errors(self, view: int) -> Int[Tensor, " errors"]:
        """Columns of the detector's error in one view."""
        everything = torch.arange(self.table.size)
        person = everything[self.table.slices["detector_person"]]
        return torch.cat([person, everything[self._own("detector_view", view)]])

    def _before(
        self, pose: Pose, camera: Camera, place: Tensor, motion: Tensor
    ) -> tuple[Float[Tensor, "points 2"], Float[Tensor, "points 2 own"]]:
        """Pixels of points of the head in one view, and their derivative by its `columns`."""
        centred = place - self._centre
        local = centred @ pose.rotation.T + pose.offset
        slope = camera.pixel_jacobian(local)
        pixels = pose.focal * local[:, :2] / local[:, 2:] + camera.centre
        turned = torch.einsum("krc,pc->prk", pose.turning, centred)
        parts = [(slope @ pose.rotation) @ motion, slope @ turned, slope @ pose.shifting]
        if pose.zooming:
            zoomed = pixels - camera.centre + slope[..., 2] * pose.offset[2]
            parts.append(zoomed[..., None])
        return pixels, torch.cat(parts, dim=-1)

    def _posed(self, x: Tensor, view: int) -> Pose:
        """`_pose`; the last one of each view is remembered, because every term asks for it."""
        last = self._poses.get(view)
        if last is None or not torch.equal(last[0], x):
            last = self._poses[view] = (x.clone(), self._pose(x, view))
        return last[1]

    def _pose(self, x: Tensor, view: int) -> Pose:
        values = self.table.unpack(x)
        start = self.starts[view].camera
        vector = values["rotation"][view]
        first = start.rotation @ self._centre + start.translation
        zoom = values["log_focal"][view]
        sideways = (first[:2] / first[2] + values["place"][view]) * (-zoom).exp()
        distance = first[2] * (values["log_distance"][view] + zoom).exp()
        offset = distance * torch.cat([sideways, torch.ones_like(sideways[:1])])
        across = torch.zeros(3, 2, dtype=x.dtype)
        across[0, 0] = across[1, 1] = offset[2] * (-zoom).exp()
        return Pose(
            start,
            rotation_from_vector(vector) @ start.rotation,
            offset,
            start.focal * zoom.exp(),
            rotation_derivatives(vector) @ start.rotation,
            torch.cat([across, offset[:, None]], dim=1),
        )

    def _own(self, name: str, view: int) -> slice:
        """Columns of one view's part of a parameter."""
        run = self.table.slices[name]
        if name == "expression" and self.shared:
            return run  # of all views
        width = (run.stop - run.start) // len(self.starts)
        return slice(run.start + view * width, run.start + (view + 1) * width)
