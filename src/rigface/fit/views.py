"""One head before several cameras: what a photo fit solves for, and the energy of its pictures.

The head is an `AsmIdentity` or a linear 3DMM (identity coefficients, ARKit weights). Each view has
its own camera in front of it: rotation, place and focal length, and its own expression unless one
is shared.

    local = exp(r) R0 (p - centre) + d (a, b, 1),   d = d0 exp(c)
    pixel = focal exp(g) local_xy / local_z + principal point

with p a point of the head in model space. Turning about the middle of the head and writing the
place as direction and log distance keeps the parameters nearly independent of each other.

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
from rigface.fit.joint import JointEquations
from rigface.geometry.rotations import rotation_derivatives, rotation_from_vector
from rigface.models.parameters import Parameter, ParameterTable
from rigface.solve.problem import Quadratic
from rigface.terms.image_points import Beside, ImagePoints
from rigface.terms.term import JointTerm, ParameterTerm

CENTRE = (0.0, -0.04, 0.0)
"""Middle of the head in model space, metres."""
_POSE = ("rotation", "place", "log_distance", "log_focal")
_POINTS = 2048
"""Points of a joint term whose derivatives are in memory at one time."""


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


def views_table(
    model: HeadSpace,
    views: int,
    shared_expression: bool,
    detector: DetectorModes = DetectorModes(),
) -> ParameterTable:
    """Identity, expression (one, or one per view), the cameras, the detector's errors."""
    shapes = model.table["expression"].size
    rows = (shapes,) if shared_expression else (views, shapes)
    meaning = "of each camera, from its start"
    person = (detector.count if views > 1 and detector.shared else 0,)
    return ParameterTable(
        [
            model.table["identity"],
            Parameter("expression", rows, "1", 0.3, 0.0, 1.0, 0.5, "ARKit weights"),
            Parameter("rotation", (views, 3), "rad", 0.3, max_step=0.5, meaning=meaning),
            Parameter("place", (views, 2), "1", 0.05, max_step=0.2, meaning=meaning),
            Parameter("log_distance", (views,), "1", 0.3, -3.0, 3.0, 0.3, meaning),
            Parameter("log_focal", (views,), "1", 0.3, -3.0, 3.0, 0.3, meaning),
            Parameter("detector_person", person, "1", 1.0, meaning="error in all views"),
            Parameter("detector_view", (views, detector.count), "1", 1.0, meaning="in one view"),
        ]
    )


class Views:
    """The map from parameters to pixels in every view, and its derivative."""

    def __init__(
        self,
        model: HeadSpace,
        starts: Sequence[View],
        shared_expression: bool = True,
        detector: DetectorModes = DetectorModes(),
    ) -> None:
        self.model, self.starts = model, tuple(starts)
        self.shared = shared_expression
        self.table = views_table(model, len(starts), shared_expression, detector)
        share = detector.shared if self.table["detector_person"].size else 0.0
        self._roots = math.sqrt(share), math.sqrt(1 - share)
        self._centre = torch.tensor(CENTRE, dtype=torch.float64)

    def head(self, x: Float[Tensor, " params"], view: int) -> Float[Tensor, " head_params"]:
        """Parameters of the head model as one view sees it."""
        values = self.table.unpack(x)
        expression = values["expression"] if self.shared else values["expression"][view]
        return torch.cat([values["identity"], expression])

    def camera(self, x: Float[Tensor, " params"], view: int) -> Camera:
        """cam_from_model of one view."""
        start, rotation, offset, focal, _ = self._pose(x, view)
        return start.moved(rotation, offset - rotation @ self._centre).focused(focal)

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
        place, motion = self.model.points(self.head(x, view), points.corners, points.bary)
        if points.beside is not None:
            place = place + self._beside(x, view, points.beside)
        pixels, own = self._before(x, view, place, motion)
        out = torch.zeros(len(place), 2, self.table.size, dtype=x.dtype)
        out[..., self.columns(view)] = own
        if points.beside is not None:
            slope = self.camera(x, view).project_jacobian(place)
            moves = slope @ torch.from_numpy(points.beside.modes)
            person, mine = self._roots
            if self.table["detector_person"].size:
                out[..., self.table.slices["detector_person"]] = person * moves
            out[..., self._own("detector_view", view)] = mine * moves
        return pixels, out

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
            parts.append(self._before(x, view, *head))
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
        names = ("expression", *_POSE)
        runs = [everything[self.table.slices["identity"]]]
        return torch.cat(runs + [everything[self._own(name, view)] for name in names])

    def _beside(self, x: Tensor, view: int, beside: Beside) -> Float[Tensor, "points 3"]:
        """Where the points of one view are meant to be, from their places on the skin."""
        values, (person, mine) = self.table.unpack(x), self._roots
        error = mine * values["detector_view"][view]
        if len(values["detector_person"]):
            error = error + person * values["detector_person"]
        return torch.from_numpy(beside.mean) + torch.from_numpy(beside.modes) @ error

    def _before(
        self, x: Tensor, view: int, place: Tensor, motion: Tensor
    ) -> tuple[Float[Tensor, "points 2"], Float[Tensor, "points 2 own"]]:
        """Pixels of points of the head in one view, and their derivative by its `columns`."""
        start, rotation, offset, focal, turning = self._pose(x, view)
        camera = self.camera(x, view)
        centred = place - self._centre
        local = centred @ rotation.T + offset
        slope = camera.pixel_jacobian(local)
        pixels = focal * local[:, :2] / local[:, 2:] + camera.centre
        turned = torch.einsum("krc,pc->prk", turning, centred)
        sideways = torch.zeros(3, 2, dtype=x.dtype)
        sideways[0, 0] = sideways[1, 1] = offset[2]
        parts = [
            (slope @ rotation) @ motion,
            slope @ turned,
            slope @ sideways,
            slope @ offset[:, None],
            (pixels - camera.centre)[..., None],
        ]
        return pixels, torch.cat(parts, dim=-1)

    def _pose(self, x: Tensor, view: int) -> tuple[Camera, Tensor, Tensor, Tensor, Tensor]:
        """Start, rotation, offset of the head's middle, focal length, d rotation / d vector."""
        values = self.table.unpack(x)
        start = self.starts[view].camera
        vector = values["rotation"][view]
        rotation = rotation_from_vector(vector) @ start.rotation
        turning = rotation_derivatives(vector) @ start.rotation
        first = start.rotation @ self._centre + start.translation
        sideways = first[:2] / first[2] + values["place"][view]
        distance = first[2] * values["log_distance"][view].exp()
        offset = distance * torch.cat([sideways, torch.ones_like(sideways[:1])])
        focal = start.focal * values["log_focal"][view].exp()
        return start, rotation, offset, focal, turning

    def _own(self, name: str, view: int) -> slice:
        """Columns of one view's part of a parameter."""
        run = self.table.slices[name]
        if name == "expression" and self.shared:
            return run
        width = (run.stop - run.start) // len(self.starts)
        return slice(run.start + view * width, run.start + (view + 1) * width)


@dataclass(frozen=True)
class ViewsEnergy:
    """A solver's problem: image terms of every view, of all views together, of the parameters."""

    views: Views
    pictures: Sequence[Sequence[ImagePoints]]
    """Terms of each view."""
    parameter_terms: Sequence[ParameterTerm] = ()
    joint_terms: Sequence[JointTerm] = ()
    """Terms of what all views show of the same points."""

    def energy(self, x: Float[Tensor, " params"]) -> float:
        """E(x)."""
        total = sum(term.energy(x.numpy()) for term in self.parameter_terms)
        for view, terms in enumerate(self.pictures):
            for term in terms:
                total += term.energy(self.views.pixels(x, view, term))
        for term in self.joint_terms:
            total += term.energy(self.views.pixels_together(x, term.corners, term.bary))
        return total

    def value_and_gradient(
        self, x: Float[Tensor, " params"]
    ) -> tuple[float, Float[Tensor, " params"]]:
        """E(x) and dE/dx, for first-order solvers."""
        model = self._model(x, curved=False)
        return model.energy, model.gradient

    def quadratic(
        self, x: Float[Tensor, " params"], free: Bool[Tensor, " params"] | None = None
    ) -> Quadratic:
        """E(x), its gradient and J^T W J."""
        return self._model(x, curved=True)

    def _model(self, x: Float[Tensor, " params"], curved: bool) -> Quadratic:
        size = self.views.table.size
        energy, gradient = 0.0, torch.zeros(size, dtype=x.dtype)
        matrix = torch.zeros(size, size, dtype=x.dtype)
        for view, terms in enumerate(self.pictures):
            for term in terms:
                pixels, jacobian = self.views.project(x, view, term)
                part, pull, curvature = term.normal_equations(pixels, jacobian)
                energy, gradient, matrix = energy + part, gradient + pull, matrix + curvature
        for term in self.joint_terms:
            part, equations = self._joint(x, term, curved)
            energy, gradient = energy + part, gradient + equations.gradient
            matrix = matrix + equations.matrix
        for term in self.parameter_terms:
            values = x.numpy()
            energy += term.energy(values)
            gradient = gradient + torch.from_numpy(term.gradient(values))
            matrix.diagonal().add_(torch.from_numpy(term.curvature(values)))
        return Quadratic(energy, gradient, matrix)

    def _joint(
        self, x: Float[Tensor, " params"], term: JointTerm, curved: bool
    ) -> tuple[float, JointEquations]:
        """A joint term's energy and equations, a block of points at a time."""
        views = self.views
        columns = torch.stack([views.columns(view) for view in range(len(views.starts))])
        out = JointEquations(columns, views.table.size, x.dtype)
        model = term.pixel_model(views.pixels_together(x, term.corners, term.bary))
        block_of = torch.full((len(term.corners),), -1)
        block_of[model.centres] = torch.arange(len(model.centres))
        for first in range(0, len(term.corners), _POINTS):
            some = slice(first, first + _POINTS)
            _, jacobian = views.project_together(x, term.corners[some], term.bary[some])
            out.pull(jacobian, model.gradient[:, some])
            here = block_of[some]
            if curved:
                out.couple(jacobian[:, here >= 0], model.matrices(here[here >= 0]))
        return model.energy, out
