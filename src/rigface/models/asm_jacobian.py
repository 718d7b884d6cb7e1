"""The analytic derivative of ASM's vertices, used in clusters so that nothing dense is built.

Skinning weights are a softmax over bones, so dw_i = w_i (delta_ij - w_j) dl_j for the log density
l_j of bone j, and a Gaussian parameter of bone j moves a vertex by w_j (T_j v - v') dl_j. A pose
parameter of bone j moves all of j's subtree: dM_d = dM_j M_j^-1 M_d, hence
dv' = dM_j M_j^-1 y_j(v) with y_j(v) = sum over d in subtree(j) of w_d T_d v.

Inside this module the columns are ordered bone by bone, then the expression weights.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.models.cluster_product import cluster_by_position, cluster_sandwich
from rigface.models.joint_motion import joint_motion_rows

if TYPE_CHECKING:
    from rigface.models.asm import AsmModel, AsmState

_CLUSTER_VERTS = 100
_WEIGHT_FLOOR = 1e-3
"""Influences below this are left out of the Hessian only; the gradient keeps them all."""
BONE_FIELDS = ("rotation", "translation", "log_scale", "zeta", "log_pi", "mu", "chol")
"""Parameters of ASM that each bone has its own of."""


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
        exact = self._factors(step.dtype)
        for rows in torch.arange(len(self.vertices)).split(1024):
            out[rows] = exact.block(rows, self._every_bone) @ ordered
        return out

    def vjp(self, gradient: Float[Tensor, "*batch verts 3"]) -> Float[Tensor, "*batch params"]:
        """Parameter gradient of a vertex gradient, exact; sums over vertices come first."""
        flat = gradient.reshape(-1, *self.vertices.shape)
        spread = flat.transpose(1, 2) @ self._subtree_sum.flatten(1)
        spread = spread.unflatten(-1, self._subtree_sum.shape[1:])
        pose = torch.einsum("jkrc,brcj->bjk", self._pose_rows, spread)
        pull = torch.einsum("bvr,vrj->bvj", flat, self._lever)
        slopes = torch.stack([(pull * slope).sum(dim=1) for slope in self._slopes], dim=-1)
        slopes[..., :2] += torch.einsum("jrz,brj->bjz", self._bind_rows, spread[:, :, 3])
        ordered = torch.cat([pose, slopes], dim=-1).flatten(1)
        if self._shapes is not None:
            shapes = flat.flatten(1) @ self._shapes.flatten(0, 1)
            ordered = torch.cat([ordered, shapes], dim=1)
        out = torch.empty_like(ordered)
        out[:, self._columns] = ordered
        return out.reshape(*gradient.shape[:-2], -1)

    def dense(self) -> Float[Tensor, "verts 3 params"]:
        """The whole matrix, for tests and small problems."""
        return self.rows(np.arange(len(self.vertices)))

    def rows(self, index: Int[np.ndarray, " some"]) -> Float[Tensor, "some 3 params"]:
        """The matrix of a few vertices."""
        exact = self._factors(self.vertices.dtype, torch.from_numpy(index))
        ordered = exact.block(torch.arange(len(index)), self._every_bone)
        out = torch.empty_like(ordered)
        out[..., self._columns] = ordered
        return out

    def gauss_newton(
        self, hessian: sp.bsr_matrix, free: Bool[Tensor, " params"] | None = None
    ) -> Float[Tensor, "params params"]:
        """J^T H J by clusters of nearby vertices, each touched by few bones.

        Single precision and a floor on the influences are enough here: the matrix only shapes the
        step, while the gradient is exact and a step must lower the energy to be taken.
        """
        clusters = cluster_by_position(self.model.chart.numpy(), _CLUSTER_VERTS)
        touches = (self._subtree_sum[:, 3] > _WEIGHT_FLOOR).numpy()
        if free is not None:
            touches &= self._free_bones(free).numpy()
        fast = self._factors(torch.float32, slopes=free is None or self._moves_slopes(free))

        def block(rows: np.ndarray, bones: np.ndarray) -> Tensor:
            return fast.block(torch.from_numpy(rows), torch.from_numpy(bones))

        tail = 0 if fast.shapes is None else fast.shapes.shape[-1]
        total = cluster_sandwich(hessian, clusters, touches, block, fast.width, tail)
        split = len(self.model.parents) * self._width
        used = self._columns[:split].reshape(-1, self._width)[:, : fast.width].flatten()
        used = torch.cat([used, self._columns[split:]])
        if len(used) == len(self.x):
            back = torch.empty_like(used)
            back[used] = torch.arange(len(used))
            return total[back][:, back].double()
        out = torch.zeros(len(self.x), len(self.x), dtype=torch.float64)
        out[used[:, None], used] = total.double()
        return out

    def _free_bones(self, free: Bool[Tensor, " params"]) -> Bool[Tensor, " joints"]:
        """Bones with any free parameter."""
        split = len(self.model.parents) * self._width
        return free[self._columns[:split]].reshape(-1, self._width).any(dim=1)

    def _moves_slopes(self, free: Bool[Tensor, " params"]) -> bool:
        """Whether anchors or Gaussians are free."""
        table = self.model.table
        return any(bool(free[table.slices[name]].any()) for name in BONE_FIELDS[3:])

    @property
    def _every_bone(self) -> Tensor:
        return torch.arange(len(self.model.parents))

    def _factors(
        self, dtype: torch.dtype, index: Tensor | None = None, slopes: bool = True
    ) -> "_Factors":
        """At all vertices or some; without `slopes` only the nine columns of each bone's pose."""

        def taken(values: Tensor) -> Tensor:
            return (values if index is None else values[index]).to(dtype)

        stacked = torch.stack([taken(s) for s in self._slopes], dim=-1) if slopes else None
        return _Factors(
            taken(self._subtree_sum),
            taken(self._lever),
            stacked,
            self._pose_rows.to(dtype),
            self._bind_rows.to(dtype),
            None if self._shapes is None else taken(self._shapes),
        )

    def _prepare(self) -> None:
        model, state = self.model, self.state
        verts, joints = state.weights.shape
        linear = state.transforms[:, :3, :3].permute(2, 1, 0).reshape(3, 3 * joints)
        posed = (state.rest @ linear).reshape(verts, 3, joints)
        posed += state.transforms[:, :3, 3].T
        spread = torch.cat([posed, torch.ones_like(posed[:, :1])], dim=1)
        spread *= state.weights[:, None]
        posed -= state.vertices[..., None]
        posed *= state.weights[:, None]
        self._lever = posed
        """w_j (T_j v - v'): (verts, 3, joints)."""
        summed = spread.reshape(-1, joints) @ model.subtree.T
        self._subtree_sum = summed.reshape(verts, 4, joints)
        """y_j(v) with its weight as fourth entry."""
        self._slopes = self._log_density_slopes()
        self._pose_rows = self._pose_derivatives()
        world = state.world_from_joint[:, :3, :3]
        parent_linear = world[[max(p, 0) for p in model.parents]].clone()
        roots = [j for j, p in enumerate(model.parents) if p < 0]
        parent_linear[roots] = torch.eye(3, dtype=world.dtype)
        self._bind_rows = (parent_linear - world) @ state.anchor_gradient
        """dv/dzeta_j through the binding, per unit of subtree weight: (joints, 3, 2)."""
        self._shapes = None
        if "expression" in self._values:
            self._shapes = self._blended_linear() @ model.shapes.permute(1, 2, 0)

    def _log_density_slopes(self) -> list[Float[Tensor, "verts joints"]]:
        """dl_j of every vertex with respect to (zeta, log_pi, mu, chol) of bone j."""
        model, shares = self.model, self.state.shares
        first, second = model.whitened(self._values)
        chol = model.cholesky(self._values)
        base = (model.chol0[..., 0] * model.chol0[..., 2]).sqrt()
        mu, spread = [], []
        for k, share in enumerate(shares.unbind(0)):
            l11, l21, l22 = chol[:, k].unbind(-1)
            y0, y1 = first[k], second[k]
            share_1 = share * y1
            pull_1 = share_1 / l22
            pull_0 = (share * y0 - l21 * pull_1) / l11
            mu += [pull_0, pull_1]
            spread += [pull_0 * y0 * l11, pull_1 * y0 * base[:, k], share_1 * y1]
        zeta = [sum(mu[0::2][1:], mu[0]), sum(mu[1::2][1:], mu[1])]
        return [*zeta, *shares.unbind(0), *mu, *spread]

    def _pose_derivatives(self) -> Float[Tensor, "joints 9 3 4"]:
        """dM_j M_j^-1 for the nine entries of tau_j = (r, t, log s)."""
        values, state = self._values, self.state
        return joint_motion_rows(
            values["rotation"], values["log_scale"], state.world_from_joint, self.model.parents
        )

    def _blended_linear(self) -> Float[Tensor, "verts 3 3"]:
        """sum_j w_j of the linear part of T_j."""
        return (self.state.weights @ self.state.transforms[:, :3, :3].flatten(1)).unflatten(
            1, (3, 3)
        )


@dataclass(frozen=True)
class _Factors:
    """What J is made of; a block of it is a few small products."""

    subtree_sum: Float[Tensor, "verts 4 joints"]
    lever: Float[Tensor, "verts 3 joints"]
    slopes: Float[Tensor, "verts joints slopes"] | None
    """None leaves anchors and Gaussians out."""
    pose_rows: Float[Tensor, "joints 9 3 4"]
    bind_rows: Float[Tensor, "joints 3 2"]
    shapes: Float[Tensor, "verts 3 shapes"] | None
    """dv/d expression."""

    @property
    def width(self) -> int:
        """Columns of one bone."""
        return 9 if self.slopes is None else 9 + self.slopes.shape[-1]

    def block(
        self, rows: Int[Tensor, " rows"], bones: Int[Tensor, " bones"]
    ) -> Float[Tensor, "rows 3 columns"]:
        """J restricted to some vertices and bones: bone by bone, then the expressions."""
        verts, count, width = len(rows), len(bones), self.width
        tail = 0 if self.shapes is None else self.shapes.shape[-1]
        out = torch.empty(verts, 3, count * width + tail, dtype=self.lever.dtype)
        columns = out[..., : count * width].unflatten(-1, (count, width))
        moved = self.subtree_sum[rows][:, :, bones].permute(2, 1, 0)
        pose = self.pose_rows[bones].flatten(1, 2) @ moved
        columns[..., :9] = pose.unflatten(1, (9, 3)).permute(3, 2, 0, 1)
        if self.slopes is not None:
            lever = self.lever[rows][:, :, bones]
            slopes = self.slopes[rows[:, None], bones]
            torch.mul(lever[..., None], slopes[:, None], out=columns[..., 9:])
            bound = torch.einsum("jrz,jv->vrjz", self.bind_rows[bones], moved[:, 3])
            columns[..., 9:11] += bound
        if self.shapes is not None:
            out[..., count * width :] = self.shapes[rows]
        return out


def _bone_major_columns(model: "AsmModel") -> Int[Tensor, " params"]:
    bones = len(model.parents)
    fields = []
    for name in BONE_FIELDS:
        run = model.table.slices[name]
        fields.append(torch.arange(run.start, run.stop).reshape(bones, -1))
    columns = torch.cat(fields, dim=1).reshape(-1)
    if "expression" in model.table:
        run = model.table.slices["expression"]
        columns = torch.cat([columns, torch.arange(run.start, run.stop)])
    return columns
