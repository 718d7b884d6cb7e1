"""Linear blend skinning: the dense formula and the sparse operator that is its fast path."""

import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


def skin_dense(
    weights: Float[Tensor, "*#batch verts joints"],
    transforms: Float[Tensor, "*#batch joints 4 4"],
    vertices: Float[Tensor, "*#batch verts 3"],
) -> Float[Tensor, "*batch verts 3"]:
    """v' = sum_j w_j T_j v (supplement Eq. 5), by blending the affine of every vertex."""
    rows = transforms[..., :3, :].flatten(-2)
    blended = (weights @ rows).unflatten(-1, (3, 4))
    return (blended[..., :3] @ vertices[..., None])[..., 0] + blended[..., 3]


@dataclass(frozen=True)
class SkinningOperator:
    """v' as one sparse matrix applied to the stacked transforms: rest vertices are baked in.

    For one set of weights and rest vertices and many poses; exact where `weights` holds every
    influence. Rebuild it when identity (weights or rest vertices) changes.
    """

    matrix: Tensor
    """Sparse CSR (verts, 4 * joints): entry (v, 4 j + c) = w_j(v) * [v, 1]_c."""
    transposed: Tensor
    """The same transposed, for the backward pass."""

    @staticmethod
    def build(
        joints: Int[Tensor, "verts influences"],
        weights: Float[Tensor, "verts influences"],
        vertices: Float[Tensor, "verts 3"],
        num_joints: int,
    ) -> "SkinningOperator":
        """From the joint ids and weights of each vertex."""
        verts, influences = joints.shape
        homogeneous = torch.cat([vertices, torch.ones_like(vertices[:, :1])], dim=1)
        values = (weights[:, :, None] * homogeneous[:, None, :]).reshape(-1)
        columns = (4 * joints[:, :, None] + torch.arange(4, device=joints.device)).reshape(-1)
        rows = torch.arange(verts, device=joints.device).repeat_interleave(4 * influences)
        place = torch.stack([rows, columns])
        matrix = torch.sparse_coo_tensor(
            place, values, (verts, 4 * num_joints), check_invariants=True
        ).coalesce()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            return SkinningOperator(matrix.to_sparse_csr(), matrix.t().to_sparse_csr())

    def __call__(
        self, transforms: Float[Tensor, "*batch joints 4 4"]
    ) -> Float[Tensor, "*batch verts 3"]:
        """Posed vertices; differentiable with respect to the transforms."""
        *batch, joints, _, _ = transforms.shape
        stacked = transforms[..., :3, :].reshape(-1, joints, 3, 4)
        columns = stacked.permute(1, 3, 0, 2).reshape(4 * joints, -1)
        posed = _SparseProduct.apply(self.matrix, self.transposed, columns)
        return posed.reshape(-1, posed.shape[1] // 3, 3).transpose(0, 1).reshape(*batch, -1, 3)


class _SparseProduct(torch.autograd.Function):
    """Sparse times dense with the dense operand's gradient only."""

    @staticmethod
    def forward(ctx, matrix: Tensor, transposed: Tensor, dense: Tensor) -> Tensor:
        ctx.save_for_backward(transposed)
        return matrix @ dense

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[override]
        (transposed,) = ctx.saved_tensors
        return None, None, transposed @ gradient


def top_influences(
    weights: Float[Tensor, "verts joints"], count: int
) -> tuple[Int[Tensor, "verts count"], Float[Tensor, "verts count"]]:
    """The largest `count` influences of each vertex, renormalised to sum to one."""
    value, joint = weights.topk(min(count, weights.shape[-1]), dim=-1)
    return joint, value / value.sum(-1, keepdim=True)
