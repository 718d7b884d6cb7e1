"""A face model with a global similarity in front: world = s R model + t."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.geometry.rotations import rotation_derivatives, rotation_from_vector
from rigface.models.face_model import FaceModel, VertexJacobian
from rigface.models.parameters import Parameter, ParameterTable

POSE = ParameterTable(
    [
        Parameter("pose_rotation", (3,), "rad", 0.3, max_step=0.5, meaning="world_from_model"),
        Parameter("pose_translation", (3,), "m", 0.05, meaning="world_from_model"),
        Parameter("pose_log_scale", (1,), "1", 0.3, max_step=0.2, meaning="world_from_model"),
    ]
)


@dataclass(frozen=True)
class PosedModel:
    """Itself a face model: seven pose parameters, then those of the inner model."""

    inner: FaceModel
    table: ParameterTable
    centre: Float[Tensor, "3"]
    """Point of the model about which it turns and scales (metres); keeps the pose decoupled."""

    @staticmethod
    def build(inner: FaceModel, centre: tuple[float, float, float] = (0.0, -0.04, 0.0)):
        """Put a similarity in front of a model."""
        table = ParameterTable.join(POSE, inner.table)
        return PosedModel(inner, table, torch.tensor(centre, dtype=torch.float64))

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def faces(self) -> Int[Tensor, "faces 3"]:
        return self.inner.faces

    def vertices(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch verts 3"]:
        """Skin vertices in the world."""
        model = self.inner.vertices(x[..., POSE.size :])
        linear, translation = self.similarity(x)
        return model @ linear.transpose(-1, -2) + translation[..., None, :]

    def similarity(
        self, x: Tensor
    ) -> tuple[Float[Tensor, "*batch 3 3"], Float[Tensor, "*batch 3"]]:
        """(s R, t) with world = s R model + t."""
        values = POSE.unpack(x[..., : POSE.size])
        scale = values["pose_log_scale"].exp()[..., None]
        linear = scale * rotation_from_vector(values["pose_rotation"])
        centre = self.centre.to(x)
        shift = centre - (linear @ centre[:, None])[..., 0]
        return linear, values["pose_translation"] + shift

    def linearize(self, x: Float[Tensor, " params"]) -> "PosedJacobian":
        """World vertices and their derivative."""
        with torch.no_grad():
            return PosedJacobian(self, x, self.inner.linearize(x[POSE.size :]))


class PosedJacobian:
    """Derivative of the world vertices; a VertexJacobian."""

    def __init__(self, model: PosedModel, x: Tensor, inner: VertexJacobian):
        self.inner, self.size = inner, len(x)
        self.linear, translation = model.similarity(x)
        self.vertices = inner.vertices @ self.linear.T + translation
        values = POSE.unpack(x[: POSE.size])
        centred = inner.vertices - model.centre
        turned = rotation_derivatives(values["pose_rotation"]) * values["pose_log_scale"].exp()
        eye = torch.eye(3, dtype=x.dtype)
        columns = [centred @ matrix.T for matrix in turned]
        columns += [eye[axis].expand_as(centred) for axis in range(3)]
        columns.append(centred @ self.linear.T)
        self.pose_columns = torch.stack(columns)
        """(7, verts, 3)."""

    def jvp(self, step: Float[Tensor, " params"]) -> Float[Tensor, "verts 3"]:
        """World vertex motion."""
        pose = torch.tensordot(step[: POSE.size], self.pose_columns, dims=1)
        return pose + self.inner.jvp(step[POSE.size :]) @ self.linear.T

    def vjp(self, gradient: Float[Tensor, "*batch verts 3"]) -> Float[Tensor, "*batch params"]:
        """Parameter gradient."""
        pose = torch.einsum("kvc,...vc->...k", self.pose_columns, gradient)
        return torch.cat([pose, self.inner.vjp(gradient @ self.linear)], dim=-1)

    def rows(self, index: Int[np.ndarray, " some"]) -> Float[Tensor, "some 3 params"]:
        """The dense derivative of a few vertices."""
        pose = self.pose_columns[:, torch.from_numpy(index)].permute(1, 2, 0)
        return torch.cat([pose, self.linear @ self.inner.rows(index)], dim=-1)

    def gauss_newton(
        self, hessian: sp.bsr_matrix, free: Bool[Tensor, " params"] | None = None
    ) -> Float[Tensor, "params params"]:
        """J^T H J; the pose columns couple to everything."""
        size = self.size
        out = torch.zeros(size, size, dtype=self.pose_columns.dtype)
        if free is None or bool(free[POSE.size :].any()):
            within = None if free is None else free[POSE.size :]
            out[POSE.size :, POSE.size :] = self.inner.gauss_newton(self._turned(hessian), within)
        if free is None or bool(free[: POSE.size].any()):
            flat = self.pose_columns.reshape(POSE.size, -1).numpy()
            product = torch.from_numpy(np.ascontiguousarray((hessian @ flat.T).T))
            coupling = self.vjp(product.reshape(POSE.size, -1, 3))
            out[: POSE.size] = coupling
            out[:, : POSE.size] = coupling.T
        return out

    def _turned(self, hessian: sp.bsr_matrix) -> sp.bsr_matrix:
        """The Hessian of the inner model's vertices: A^T H A with the pose's linear part A."""
        linear = self.linear.numpy()
        blocks = linear.T @ hessian.data @ linear
        return sp.bsr_matrix((blocks, hessian.indices, hessian.indptr), shape=hessian.shape)
