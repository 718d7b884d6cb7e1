"""The analytic derivative of ASM's vertices, used in clusters so that nothing dense is built.

Skinning weights are a softmax over bones, so dw_i = w_i (delta_ij - w_j) dl_j for the log density
l_j of bone j, and a Gaussian parameter of bone j moves a vertex by w_j (T_j v - v') dl_j. A pose
parameter of bone j moves all of j's subtree: dM_d = dM_j M_j^-1 M_d, hence
dv' = dM_j M_j^-1 y_j(v) with y_j(v) = sum over d in subtree(j) of w_d T_d v.

Inside this module the columns are ordered bone by bone, then the expression weights.
"""

from typing import TYPE_CHECKING

import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.geometry.rotations import rotation_derivatives, rotation_from_vector
from rigface.models.cluster_product import cluster_by_position, cluster_sandwich

if TYPE_CHECKING:
    from rigface.models.asm import AsmModel, AsmState

_CLUSTER_VERTS = 100
_WEIGHT_FLOOR = 1e-3
"""Influences below this are left out of the Hessian only; the gradient keeps them all."""
_BONE_FIELDS = ("rotation", "translation", "log_scale", "zeta", "log_pi", "mu", "chol")


class AsmJacobian:
    """d vertices / d x of an AsmModel at one state (see rigface.models.VertexJacobian)."""

    def __init__(self, model: "AsmModel", x: Tensor, state: "AsmState"):
        self.model, self.x, self.state = model, x, state
        self.vertices = state.vertices
        self._values = model.table.unpack(x)
        self._columns = _bone_major_columns(model)
        """Table column of each internal column."""
        self._width = 11 + 6 * model.log_pi0.shape[-1]
        self._prepare()

    def jvp(self, step: Float[Tensor, " params"]) -> Float[Tensor, "verts 3"]:
        """Vertex motion of a parameter step."""
        ordered, out = step[self._columns], torch.empty_like(self.vertices)
        for rows in torch.arange(len(self.vertices)).split(1024):
            out[rows] = (self._block(rows, self._every_bone) @ ordered).reshape(-1, 3)
        return out

    def vjp(self, gradient: Float[Tensor, "*batch verts 3"]) -> Float[Tensor, "*batch params"]:
        """Parameter gradient of a vertex gradient, exact; sums over vertices come first."""
        flat = gradient.reshape(-1, *self.vertices.shape)
        verts, joints = self.state.weights.shape
        spread = flat.transpose(1, 2) @ self._subtree_sum.reshape(verts, 4 * joints)
        spread = spread.reshape(-1, 3, joints, 4)
        pose = torch.einsum("jkrc,brjc->bjk", self._pose_rows, spread)
        pull = torch.einsum("bvr,vjr->bvj", flat, self._lever)
        slopes = torch.einsum("bvj,vjs->bjs", pull, self._slopes)
        slopes[..., :2] += torch.einsum("jrz,brj->bjz", self._bind_rows, spread[..., 3])
        ordered = torch.cat([pose, slopes], dim=-1).flatten(1)
        if "expression" in self._values:
            rest_gradient = (self._blended_linear().transpose(-1, -2) @ flat[..., None])[..., 0]
            shapes = rest_gradient.flatten(1) @ self.model.shapes.flatten(1).T
            ordered = torch.cat([ordered, shapes], dim=1)
        out = torch.empty_like(ordered)
        out[:, self._columns] = ordered
        return out.reshape(*gradient.shape[:-2], -1)

    def dense(self) -> Float[Tensor, "verts 3 params"]:
        """The whole matrix, for tests and small problems."""
        ordered = self._block(torch.arange(len(self.vertices)), self._every_bone)
        out = torch.empty_like(ordered)
        out[:, self._columns] = ordered
        return out.reshape(*self.vertices.shape, -1)

    def gauss_newton(self, hessian: sp.bsr_matrix) -> Float[Tensor, "params params"]:
        """J^T H J by clusters of nearby vertices, each touched by few bones.

        Single precision and a floor on the influences are enough here: the matrix only shapes the
        step, while the gradient is exact and a step must lower the energy to be taken.
        """
        clusters = cluster_by_position(self.model.chart.numpy(), _CLUSTER_VERTS)
        reach = self.model.subtree @ self.state.weights.transpose(0, 1)
        blocks = []
        for rows in clusters:
            index = torch.from_numpy(rows)
            bones = torch.nonzero(reach[:, index].amax(dim=1) > _WEIGHT_FLOOR)[:, 0]
            blocks.append((self._block(index, bones).float(), bones.numpy()))
        total = cluster_sandwich(hessian, clusters, blocks, self._width, len(self.model.parents))
        back = torch.empty_like(self._columns)
        back[self._columns] = torch.arange(len(back))
        return total[back][:, back]

    @property
    def _every_bone(self) -> Tensor:
        return torch.arange(len(self.model.parents))

    def _prepare(self) -> None:
        model, state = self.model, self.state
        posed = torch.einsum("jrc,vc->vjr", state.transforms[:, :3, :3], state.rest)
        posed += state.transforms[:, :3, 3]
        weighted = torch.cat([posed, torch.ones_like(posed[..., :1])], dim=-1)
        weighted *= state.weights[..., None]
        self._subtree_sum = torch.einsum("ad,vdc->vac", model.subtree, weighted)
        """y_j(v) with its weight as fourth entry: (verts, joints, 4)."""
        self._lever = state.weights[..., None] * (posed - state.vertices[:, None])
        """w_j (T_j v - v')."""
        self._slopes = self._log_density_slopes()
        self._pose_rows = self._pose_derivatives()
        linear = state.world_from_joint[:, :3, :3]
        parent_linear = linear[[max(p, 0) for p in model.parents]].clone()
        roots = [j for j, p in enumerate(model.parents) if p < 0]
        parent_linear[roots] = torch.eye(3, dtype=linear.dtype)
        self._bind_rows = (parent_linear - linear) @ state.anchor_gradient
        """dv/dzeta_j through the binding, per unit of subtree weight: (joints, 3, 2)."""

    def _log_density_slopes(self) -> Float[Tensor, "verts joints slopes"]:
        """dl_j of every vertex with respect to (zeta, log_pi, mu, chol) of bone j."""
        model, shares = self.model, self.state.shares
        first, second = model.whitened(self._values)
        chol = model.cholesky(self._values)
        base = (model.chol0[..., 0] * model.chol0[..., 2]).sqrt()
        mu, spread = [], []
        for k, share in enumerate(shares.unbind(0)):
            l11, l21, l22 = chol[:, k].unbind(-1)
            y0, y1 = first[k], second[k]
            pull_1 = share * (y1 / l22)
            pull_0 = (share * y0 - l21 * pull_1) / l11
            mu += [pull_0, pull_1]
            spread += [pull_0 * y0 * l11, pull_1 * y0 * base[:, k], share * y1 * y1]
        zeta = [sum(mu[0::2][1:], mu[0]), sum(mu[1::2][1:], mu[1])]
        return torch.stack([*zeta, *shares.unbind(0), *mu, *spread], dim=-1)

    def _pose_derivatives(self) -> Float[Tensor, "joints 9 3 4"]:
        """dM_j M_j^-1 for the nine entries of tau_j = (r, t, log s)."""
        model, state = self.model, self.state
        joints = len(model.parents)
        parent_world = torch.eye(4, dtype=self.x.dtype).repeat(joints, 1, 1)
        children = [j for j, p in enumerate(model.parents) if p >= 0]
        parent_world[children] = state.world_from_joint[[model.parents[j] for j in children]]
        scale = self._values["log_scale"].exp()
        rotation = rotation_from_vector(self._values["rotation"])
        inner = torch.zeros(joints, 9, 4, 4, dtype=self.x.dtype)
        derivative = rotation_derivatives(self._values["rotation"])
        inner[:, 0:3, :3, :3] = derivative * scale[:, None, None, :]
        for axis in range(3):
            inner[:, 3 + axis, axis, 3] = 1.0
            inner[:, 6 + axis, :3, axis] = rotation[:, :, axis] * scale[:, axis, None]
        chained = parent_world[:, None] @ inner
        return (chained @ torch.linalg.inv(state.world_from_joint)[:, None])[:, :, :3]

    def _block(self, rows: Int[Tensor, " rows"], bones: Int[Tensor, " bones"]) -> Tensor:
        """J restricted to some vertices and bones: (3 rows, bones * width + expressions)."""
        verts, count = len(rows), len(bones)
        moved = self._subtree_sum[rows[:, None], bones]
        pose = torch.einsum("jkrc,vjc->vrjk", self._pose_rows[bones], moved)
        lever = self._lever[rows[:, None], bones].transpose(1, 2)
        slopes = lever[..., None] * self._slopes[rows[:, None], bones][:, None]
        slopes[..., :2] += torch.einsum("jrz,vj->vrjz", self._bind_rows[bones], moved[..., 3])
        block = torch.cat([pose, slopes], dim=-1).reshape(3 * verts, count * self._width)
        if "expression" not in self._values:
            return block
        shapes = self._blended_linear()[rows] @ self.model.shapes[:, rows].permute(1, 2, 0)
        return torch.cat([block, shapes.reshape(3 * verts, -1)], dim=1)

    def _blended_linear(self) -> Float[Tensor, "verts 3 3"]:
        """sum_j w_j of the linear part of T_j."""
        return (self.state.weights @ self.state.transforms[:, :3, :3].flatten(1)).unflatten(
            1, (3, 3)
        )


def _bone_major_columns(model: "AsmModel") -> Int[Tensor, " params"]:
    bones = len(model.parents)
    fields = []
    for name in _BONE_FIELDS:
        run = model.table.slices[name]
        fields.append(torch.arange(run.start, run.stop).reshape(bones, -1))
    columns = torch.cat(fields, dim=1).reshape(-1)
    if "expression" in model.table:
        run = model.table.slices["expression"]
        columns = torch.cat([columns, torch.arange(run.start, run.stop)])
    return columns
