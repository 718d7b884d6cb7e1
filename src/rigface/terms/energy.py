"""The sum of terms over a face model, as the problem that solvers see."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rigface.models.face_model import FaceModel, VertexJacobian
from rigface.solve.problem import Hinges, Quadratic
from rigface.terms.term import OneSidedTerm, ParameterTerm, VertexTerm


@dataclass(frozen=True)
class Energy:
    """E(x) = sum of vertex terms at model.vertices(x) + sum of parameter terms at x."""

    model: FaceModel
    vertex_terms: Sequence[VertexTerm]
    parameter_terms: Sequence[ParameterTerm] = ()
    barriers: Sequence[OneSidedTerm] = ()

    def energy(self, x: Float[Tensor, " params"]) -> float:
        """E(x)."""
        with torch.no_grad():
            vertices = self.model.vertices(x).numpy()
        total = sum(term.energy(vertices) for term in (*self.vertex_terms, *self.barriers))
        return total + sum(term.energy(x.numpy()) for term in self.parameter_terms)

    def value_and_gradient(
        self, x: Float[Tensor, " params"]
    ) -> tuple[float, Float[Tensor, " params"]]:
        """E(x) and dE/dx by one backward pass through the model."""
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            vertices = self.model.vertices(leaf)
            flat = vertices.detach().numpy()
            total = np.zeros_like(flat)
            for term in (*self.vertex_terms, *self.barriers):
                total += term.gradient(flat)
            vertices.backward(torch.from_numpy(total))
        gradient = leaf.grad if leaf.grad is not None else torch.zeros_like(x)
        for term in self.parameter_terms:
            gradient = gradient + torch.from_numpy(term.gradient(x.numpy()))
        energy = sum(term.energy(flat) for term in (*self.vertex_terms, *self.barriers))
        return energy + sum(t.energy(x.numpy()) for t in self.parameter_terms), gradient

    def quadratic(
        self, x: Float[Tensor, " params"], free: Bool[Tensor, " params"] | None = None
    ) -> Quadratic:
        """E(x), its gradient and J^T W J (at least its rows and columns of `free`)."""
        jacobian: VertexJacobian = self.model.linearize(x)
        vertices = jacobian.vertices.numpy()
        parts = [term.quadratic(vertices) for term in self.vertex_terms]
        hessian = sum(part.hessian for part in parts[1:]) + parts[0].hessian
        pulls = [part.gradient for part in parts]
        pulls += [term.gradient(vertices) for term in self.barriers]
        gradient = jacobian.vjp(torch.from_numpy(np.sum(pulls, axis=0)))
        matrix = jacobian.gauss_newton(hessian.tobsr((3, 3)), free)
        energy = sum(part.energy for part in parts)
        energy += sum(term.energy(vertices) for term in self.barriers)
        for term in self.parameter_terms:
            values = x.numpy()
            energy += term.energy(values)
            gradient = gradient + torch.from_numpy(term.gradient(values))
            matrix.diagonal().add_(torch.from_numpy(term.curvature(values)))
        return Quadratic(energy, gradient, matrix, self._hinges(jacobian))

    def _hinges(self, jacobian: VertexJacobian) -> Hinges | None:
        """The barriers' residuals as functions of the parameters."""
        if not self.barriers:
            return None
        parts = [term.one_sided(jacobian.vertices.numpy()) for term in self.barriers]
        lack = torch.from_numpy(np.concatenate([part.lack for part in parts]))
        rows = []
        for part in parts:
            used, place = np.unique(part.vertices, return_inverse=True)
            motion = jacobian.rows(used)[torch.from_numpy(place.reshape(part.vertices.shape))]
            rows.append(torch.einsum("nkc,nkcp->np", torch.from_numpy(part.slopes), motion))
        return Hinges(lack, torch.cat(rows))
