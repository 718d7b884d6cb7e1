"""The energy of one head before several cameras, as the problem that solvers see."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rigface.fit.joint import JointEquations
from rigface.fit.views import Views
from rigface.solve.problem import Quadratic
from rigface.terms.image_points import ImagePoints
from rigface.terms.term import JointTerm, ParameterTerm

_POINTS = 2048
"""Points of a joint term whose derivatives are in memory at one time."""


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

    def quadratic(
        self, x: Float[Tensor, " params"], free: Bool[Tensor, " params"] | None = None
    ) -> Quadratic:
        """E(x), its gradient and J^T W J."""
        size = self.views.table.size
        energy, gradient = 0.0, torch.zeros(size, dtype=x.dtype)
        matrix = torch.zeros(size, size, dtype=x.dtype)
        for view, terms in enumerate(self.pictures):
            for term in terms:
                pixels, jacobian, own = self.views.project_own(x, view, term)
                part, pull, curvature = term.normal_equations(pixels, jacobian)
                energy += part
                gradient[own] += pull
                matrix[own[:, None], own] += curvature
        for term in self.joint_terms:
            part, equations = self._joint(x, term)
            energy, gradient = energy + part, gradient + equations.gradient
            matrix = matrix + equations.matrix
        for term in self.parameter_terms:
            values = x.numpy()
            energy += term.energy(values)
            gradient = gradient + torch.from_numpy(term.gradient(values))
            matrix.diagonal().add_(torch.from_numpy(term.curvature(values)))
        return Quadratic(energy, gradient, matrix)

    def _joint(self, x: Float[Tensor, " params"], term: JointTerm) -> tuple[float, JointEquations]:
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
            out.couple(jacobian[:, here >= 0], model.matrices(here[here >= 0]))
        return model.energy, out
