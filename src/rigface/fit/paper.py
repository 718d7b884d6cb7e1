"""The ASM paper's own registration (supplement section 3): Adam, 1e-3, 300 steps, Eq. 12.

`point_mesh_face_distance` is the mean squared distance of scan points to their nearest face plus
that of faces to their nearest point. Our assumptions where the paper is silent: lengths in units
of 100 mm, the similarity alignment in place of seven marked keypoints, a face's distance taken at
its centroid, Eq. 12 on the offsets with lambda_1 = 1 and the others 0.1.
"""

import time
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rigface.errors import UsageError
from rigface.fit.matching import Matcher
from rigface.fit.registration_result import Registration
from rigface.fit.stages import Report, StageReport
from rigface.geometry.surface import Surface
from rigface.models.asm import AsmModel
from rigface.models.posed import PosedModel
from rigface.solve.adam import Adam, adam
from rigface.terms.energy import Energy
from rigface.terms.prior import ParameterPrior
from rigface.terms.surface_points import SurfacePointTerm
from rigface.terms.term import VertexTerm

UNIT = 0.1
"""Metres: the lineage of the paper works in decimetres."""
LAMBDAS = {"rotation": 1.0, "translation": 1.0, "log_scale": 1.0}
_OTHERS = 0.1
_LENGTHS = ("translation", "pose_translation")


_SCHEDULE = Adam(rate=1e-3, max_steps=300)


@dataclass
class PaperProblem:
    """The paper's energy with its nearest neighbours renewed before every step."""

    model: PosedModel
    matcher: Matcher
    prior: ParameterPrior
    terms: list[VertexTerm] = field(default_factory=list)
    _surface: Surface | None = None

    def refresh(self, step: int, x: Float[Tensor, " params"]) -> None:
        """Nearest face of each scan point, nearest scan point of each face."""
        with torch.no_grad():
            vertices = self.model.vertices(x)
        faces = self.matcher.searched
        if self._surface is None:
            self._surface = Surface(vertices, torch.from_numpy(faces))
        points = self.matcher.target.points
        found = self._surface.refit(vertices).closest(torch.from_numpy(points))
        centroids = vertices.numpy()[faces].mean(axis=1)
        nearest = points[self.matcher.target.tree.query(centroids)[1]]
        third = np.full((len(faces), 3), 1 / 3)
        self.terms = [
            _pull(faces[found.face.numpy()], found.bary.numpy(), points),
            _pull(faces, third, nearest),
        ]

    def value_and_gradient(
        self, x: Float[Tensor, " params"]
    ) -> tuple[float, Float[Tensor, " params"]]:
        """E(x) and dE/dx."""
        return Energy(self.model, self.terms, [self.prior]).value_and_gradient(x)


def register_paper(
    face: object, matcher: Matcher, report: Report, solver: Adam = _SCHEDULE
) -> Registration:
    """ASM by the paper's schedule; raises UsageError for another model."""
    if not isinstance(face, AsmModel):
        raise UsageError("the recipe `paper` is that of ASM; use it with --model asm")
    model = PosedModel.build(face)
    scale = torch.ones(model.table.size, dtype=torch.float64)
    weight = torch.zeros_like(scale)
    for parameter in model.table.parameters:
        run = model.table.slices[parameter.name]
        if parameter.name in _LENGTHS:
            scale[run] = UNIT
        if not parameter.name.startswith("pose"):
            weight[run] = 2 * LAMBDAS.get(parameter.name, _OTHERS) / scale[run] ** 2
    prior = ParameterPrior(weight.numpy(), np.zeros(len(weight)))
    problem = PaperProblem(model, matcher, prior)
    began = time.perf_counter()

    def refresh(step: int, x: Tensor) -> None:
        problem.refresh(step, x)
        report((step + 1) / solver.max_steps, "adam")

    solution = adam(problem, model.table.zeros(), scale, solver, refresh)
    seconds = time.perf_counter() - began
    done = StageReport(
        "paper", seconds, solver.max_steps, solution.energies[-1], 1.0, solution.result
    )
    return Registration(model, solution.value, (done,))


def _pull(corners: np.ndarray, bary: np.ndarray, targets: np.ndarray) -> SurfacePointTerm:
    """Mean squared distance in decimetres: 1/2 w d^2 with w = 2 / count."""
    count = len(targets)
    return SurfacePointTerm(
        corners=corners,
        bary=bary,
        targets=targets,
        normals=np.zeros((count, 3)),
        weights=np.full(count, 2.0 / count),
        sigma=UNIT,
        slide=1.0,
    )
