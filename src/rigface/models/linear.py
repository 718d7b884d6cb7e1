"""The linear 3DMM: mean + identity basis + expression basis, the peer that ASM is measured with."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.models.parameters import Parameter, ParameterTable
from rigface.rig.template import Template


@dataclass(frozen=True)
class LinearModel:
    """v = mean + identity . B_id + expression . B_exp (metres, model frame)."""

    name: str
    table: ParameterTable
    faces: Int[Tensor, "faces 3"]
    mean: Float[Tensor, "verts 3"]
    basis: Float[Tensor, "params verts 3"]
    """Identity modes scaled to one standard deviation, then expression shapes at weight 1."""

    @staticmethod
    def build(
        name: str,
        mean: Float[np.ndarray, "verts 3"],
        faces: Int[np.ndarray, "faces 3"],
        identity: Float[np.ndarray, "modes verts 3"],
        expression: Float[np.ndarray, "shapes verts 3"] | None = None,
    ) -> "LinearModel":
        """From plain arrays; identity modes must be scaled to one standard deviation."""
        parameters = [Parameter("identity", (len(identity),), "sigma", 1.0, meaning="modes")]
        basis = [identity]
        if expression is not None and len(expression):
            parameters.append(
                Parameter("expression", (len(expression),), "1", 0.3, 0.0, 1.0, 0.5, "weights")
            )
            basis.append(expression)
        return LinearModel(
            name,
            ParameterTable(parameters),
            torch.as_tensor(np.ascontiguousarray(faces), dtype=torch.long),
            torch.as_tensor(np.ascontiguousarray(mean), dtype=torch.float64),
            torch.as_tensor(np.concatenate(basis), dtype=torch.float64),
        )

    @staticmethod
    def of_template(template: Template) -> "LinearModel":
        """The embedded population of the template's skin."""
        part = template.parts["skin"]
        mean = template.mesh.vertices[part.vertices] + template.shape_mean[part.vertices]
        modes = np.asarray(template.shape_modes[:, part.vertices], dtype=np.float64)
        return LinearModel.build("shape", mean, template.mesh.faces[part.faces], modes)

    def neutral(self) -> "LinearModel":
        """The same without expression shapes."""
        identity = self.table["identity"]
        return replace(self, table=ParameterTable([identity]), basis=self.basis[: identity.size])

    def points(
        self,
        x: Float[Tensor, " params"],
        corners: Int[np.ndarray, "points corners"],
        bary: Float[np.ndarray, "points corners"],
    ) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3 params"]]:
        """Points on the skin, given as vertices and their weights, and their derivative."""
        share = torch.from_numpy(np.ascontiguousarray(bary)).to(self.mean)
        ids = torch.from_numpy(np.ascontiguousarray(corners))
        motion = torch.einsum("kpcd,pc->pdk", self.basis[:, ids], share)
        rest = torch.einsum("pcd,pc->pd", self.mean[ids], share)
        return rest + motion @ x.to(self.mean), motion

    def places(
        self,
        x: Float[Tensor, " params"],
        corners: Int[np.ndarray, "points corners"],
        bary: Float[np.ndarray, "points corners"],
    ) -> Float[Tensor, "points 3"]:
        """The points of `points` alone."""
        share = torch.from_numpy(np.ascontiguousarray(bary)).to(self.mean)
        return torch.einsum("pcd,pc->pd", self.vertices(x)[torch.from_numpy(corners)], share)

    def vertices(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch verts 3"]:
        """Vertices in model space."""
        return self.mean + torch.tensordot(x.to(self.mean), self.basis, dims=1)

    def linearize(self, x: Float[Tensor, " params"]) -> "LinearJacobian":
        """The derivative is the basis, whatever x."""
        return LinearJacobian(self.vertices(x), self.basis)


@dataclass(frozen=True)
class LinearJacobian:
    """The basis as a VertexJacobian."""

    vertices: Float[Tensor, "verts 3"]
    basis: Float[Tensor, "params verts 3"]

    def jvp(self, step: Float[Tensor, " params"]) -> Float[Tensor, "verts 3"]:
        """Vertex motion of a step."""
        return torch.tensordot(step, self.basis, dims=1)

    def vjp(self, gradient: Float[Tensor, "*batch verts 3"]) -> Float[Tensor, "*batch params"]:
        """Parameter gradient."""
        return gradient.flatten(-2) @ self.basis.flatten(1).T

    def rows(self, index: Int[np.ndarray, " some"]) -> Float[Tensor, "some 3 params"]:
        """The basis at a few vertices."""
        return self.basis[:, torch.from_numpy(index)].permute(1, 2, 0)

    def gauss_newton(
        self, hessian: sp.bsr_matrix, free: Bool[Tensor, " params"] | None = None
    ) -> Float[Tensor, "params params"]:
        """B H B^T."""
        flat = self.basis.flatten(1).numpy()
        used = np.arange(len(flat)) if free is None else np.flatnonzero(free.numpy())
        out = np.zeros((len(flat), len(flat)))
        out[np.ix_(used, used)] = flat[used] @ (hessian.tocsr() @ flat[used].T)
        return torch.from_numpy(out)
