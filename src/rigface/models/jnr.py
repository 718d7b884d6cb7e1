"""JNR, joint-based neural rig (Vesdapunt et al., ECCV 2020): 52 joints with limits, sparse weights.

M_j = M_p B_p^-1 B_j M(tau_j) and T_j = M_j B_j^-1, so that zero parameters give the rest shape
exactly; Eq. 1 as printed, with a global B, does not. Weights are fixed, or the learned linear ones
plus what a small decoder makes of a code Z (section 3.2), clipped at zero and renormalised.

A weight moves its vertex only if its joint holds the vertex elsewhere than the others do. At rest
they would all hold it in one place, so a joint may have a lever o_j: it holds every vertex by
v + o_j - sum_i w_i o_i. The linear weights cancel the levers, other weights use them. It is plain
skinning still: of the mesh v - sum_i w_i o_i, with binds B_j^-1 shifted by o_j.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.geometry.rotations import rotation_from_vector
from rigface.models.joint_motion import joint_motion_rows
from rigface.models.linear import LinearJacobian
from rigface.models.parameters import Parameter, ParameterTable
from rigface.models.skinning_decoder import Decoder, at_slots
from rigface.rig.jnr_skeleton import JNR_NAMES, JNR_PARENTS
from rigface.rig.jnr_variables import UNITS, Motion, motion_matrix
from rigface.rig.jnr_weights import SymmetricWeights
from rigface.rig.kinematics import affine, subtree_matrix, world_from_local

CODE = "code"
_SIGMA = {"rotation": 0.1, "translation": 0.004, "log_scale": 0.1}
_MAX_STEP = {"rotation": 0.3, "translation": 0.01, "log_scale": 0.3}
_CODE_LIMIT = 6.0
_LEAST_SHARE = 1e-3
_LEAST_SUM = 1e-9


def jnr_table(motions: tuple[Motion, ...], codes: int = 0, expressions: int = 0) -> ParameterTable:
    """One block per motion of a joint, then the code of the weights, then expression weights."""
    parameters = [
        Parameter(
            f"{m.name}.{m.kind}",
            (len(m.axes),),
            UNITS[m.kind],
            _SIGMA[m.kind],
            -m.limit,
            m.limit,
            _MAX_STEP[m.kind],
            m.axes,
        )
        for m in motions
    ]
    if codes:
        limit = _CODE_LIMIT
        parameters.append(Parameter(CODE, (codes,), "1", 1.0, -limit, limit, 1.0, "Z"))
    if expressions:
        meaning = "ARKit weights"
        parameters.append(Parameter("expression", (expressions,), "1", 0.3, 0.0, 1.0, 0.5, meaning))
    return ParameterTable(parameters)


def held_by(
    weights: SymmetricWeights, lever: Float[np.ndarray, "joints 3"] | None
) -> Float[np.ndarray, "verts influences 3"]:
    """The arms of `JnrModel`: levers of the influences less their mean by the linear weights."""
    joints, slots = weights.slots()
    if lever is None:
        return np.zeros((*joints.shape, 3))
    share = np.append(weights.value, 0.0)[slots][..., None]
    mean = (share * lever[joints]).sum(axis=1, keepdims=True) / share.sum(axis=1, keepdims=True)
    return lever[joints] - mean


@dataclass(frozen=True)
class JnrModel:
    """The skin of a template driven by the JNR rig."""

    name: str
    table: ParameterTable
    faces: Int[Tensor, "faces 3"]
    rest: Float[Tensor, "verts 3"]
    bind: Float[Tensor, "joints 3"]
    arms: Float[Tensor, "verts influences 3"]
    """Where each influence holds its vertex at rest, from the vertex (metres): its joint's lever
    less the mean of the vertex's levers, so that the linear weights cancel them."""
    spread: Float[Tensor, "entries variables"]
    """(joints * 9, variables) from variables to the nine numbers of each joint."""
    influences: Int[Tensor, "verts influences"]
    """Joint of every influence; unused ones are 0 with no weight."""
    slots: Int[Tensor, "verts influences"]
    """Free weight of every influence; `len(free)` means none."""
    free: Float[Tensor, "*people free"]
    """Linear weights, one number for both sides of the face; in training, one row per person."""
    decoder: Decoder | None
    shapes: Float[Tensor, "expressions verts 3"]
    subtree: Float[Tensor, "joints joints"]

    @staticmethod
    def build(
        name: str,
        rest: Float[np.ndarray, "verts 3"],
        faces: Int[np.ndarray, "faces 3"],
        bind: Float[np.ndarray, "joints 3"],
        weights: SymmetricWeights,
        motions: tuple[Motion, ...],
        decoder: Decoder | None = None,
        shapes: Float[np.ndarray, "expressions verts 3"] | None = None,
        lever: Float[np.ndarray, "joints 3"] | None = None,
    ) -> "JnrModel":
        """From plain arrays (metres, template frame); no `lever` means none."""
        joints, slots = weights.slots()
        kind = torch.float64
        offsets = np.zeros((0, len(rest), 3)) if shapes is None else shapes
        codes = 0 if decoder is None else decoder.codes
        return JnrModel(
            name,
            jnr_table(motions, codes, len(offsets)),
            torch.as_tensor(np.ascontiguousarray(faces), dtype=torch.long),
            torch.as_tensor(np.ascontiguousarray(rest), dtype=kind),
            torch.as_tensor(np.ascontiguousarray(bind), dtype=kind),
            torch.as_tensor(held_by(weights, lever), dtype=kind),
            torch.as_tensor(motion_matrix(motions), dtype=kind),
            torch.from_numpy(joints),
            torch.from_numpy(slots),
            torch.as_tensor(weights.value, dtype=kind),
            None if decoder is None else decoder.to(kind),
            torch.as_tensor(offsets, dtype=kind),
            subtree_matrix(JNR_PARENTS).to(kind),
        )

    @property
    def joint_names(self) -> tuple[str, ...]:
        """The 52 semantic names."""
        return JNR_NAMES

    @property
    def parents(self) -> tuple[int, ...]:
        """Parent of each joint, -1 for the root."""
        return JNR_PARENTS

    @property
    def variables(self) -> int:
        """Free variables of the joints, without code and expressions."""
        return self.spread.shape[1]

    def to(self, *args, **kwargs) -> "JnrModel":
        """The model with its tensors on another device or in another floating dtype."""
        moved = {}
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                kept = value.to(*args, **kwargs)
                moved[name] = kept if value.is_floating_point() else kept.to(value.dtype)
        if self.decoder is not None:
            moved["decoder"] = self.decoder.to(*args, **kwargs)
        return replace(self, **moved)

    def at(self, verts: Int[Tensor, " some"]) -> "JnrModel":
        """The same model of some vertices only; its faces are left as they are."""
        return replace(
            self,
            rest=self.rest[verts],
            influences=self.influences[verts],
            slots=self.slots[verts],
            arms=self.arms[verts],
            shapes=self.shapes[:, verts],
        )

    def without_shapes(self) -> "JnrModel":
        """The same model without expression weights."""
        names = (name for name in self.table.slices if name != "expression")
        kept = ParameterTable([self.table[name] for name in names])
        return replace(self, table=kept, shapes=self.shapes[:0])

    def joint_numbers(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch joints 9"]:
        """(r, t, log s) of every joint."""
        flat = x[..., : self.variables] @ self.spread.T
        return flat.unflatten(-1, (len(JNR_NAMES), 9))

    def world_from_joint(
        self, x: Float[Tensor, "*batch params"]
    ) -> Float[Tensor, "*batch joints 4 4"]:
        """M_j; bind rotations are the identity."""
        rotation, translation, log_scale = self.joint_numbers(x).split(3, dim=-1)
        parent = [max(p, 0) for p in JNR_PARENTS]
        is_child = self.bind.new_tensor([float(p >= 0) for p in JNR_PARENTS])[:, None]
        offset = self.bind - is_child * self.bind[parent]
        linear = rotation_from_vector(rotation) * log_scale.exp()[..., None, :]
        return world_from_local(affine(linear, offset + translation), JNR_PARENTS)

    def transforms(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch joints 3 4"]:
        """T_j = M_j B_j^-1, top three rows."""
        world = self.world_from_joint(x)
        shift = world[..., :3, 3] - (world[..., :3, :3] @ self.bind[..., None])[..., 0]
        return torch.cat([world[..., :3, :3], shift[..., None]], dim=-1)

    def weights(
        self, x: Float[Tensor, "*batch params"]
    ) -> Float[Tensor, "*batch verts influences"]:
        """w of every influence; rows sum to one."""
        linear = self.gathered(self.free)
        if self.decoder is None:
            return linear.expand(*x.shape[:-1], *linear.shape[-2:])
        return self.with_residuals(self.decoder(self._code(x)))

    def with_residuals(
        self, residuals: Float[Tensor, "*batch free"]
    ) -> Float[Tensor, "*batch verts influences"]:
        """Linear weights plus residuals, clipped at zero; rows sum to one.

        What the residuals of a vertex sum to is taken from its weights in proportion, so that
        weights are linear in the residuals until one is clipped.
        """
        return self.with_added(self.at_slots(residuals))

    def with_added(
        self, added: Float[Tensor, "*batch verts influences"]
    ) -> Float[Tensor, "*batch verts influences"]:
        """The same from residuals of every influence."""
        raw = self._clipped(*self._unclipped(added))
        return raw / raw.sum(-1, keepdim=True)

    def _unclipped(self, added: Tensor) -> tuple[Tensor, Tensor]:
        """Weights that may be negative, and the linear ones."""
        linear = self.gathered(self.free)
        return linear + added - linear * added.sum(-1, keepdim=True), linear

    def _clipped(self, weights: Tensor, linear: Tensor) -> Tensor:
        """A thousandth of the linear weights remains: a vertex never loses all."""
        return weights.clamp_min(0.0) + _LEAST_SHARE * linear

    def gathered(
        self, free: Float[Tensor, "*batch free"]
    ) -> Float[Tensor, "*batch verts influences"]:
        """Free weights at their influences, rows scaled to one."""
        raw = self.at_slots(free)
        return raw / raw.sum(-1, keepdim=True).clamp_min(_LEAST_SUM)

    def at_slots(
        self, free: Float[Tensor, "*batch free"]
    ) -> Float[Tensor, "*batch verts influences"]:
        """Numbers of the free weights at every influence, zero where there is none."""
        return at_slots(free, self.slots)

    def moved(
        self, x: Float[Tensor, "*batch params"]
    ) -> Float[Tensor, "*batch verts influences 3"]:
        """T_j v for every influence: where each joint alone would take the vertex."""
        rows = self.transforms(x)[..., self.influences, :, :]
        held = self.expressive_rest(x)[..., None, :] + self.arms
        return (rows[..., :3] @ held[..., None])[..., 0] + rows[..., 3]

    def expressive_rest(
        self, x: Float[Tensor, "*batch params"]
    ) -> Float[Tensor, "*#batch verts 3"]:
        """Rest shape plus expression offsets."""
        if len(self.shapes) == 0:
            return self.rest
        weights = x[..., self.table.slices["expression"]]
        return self.rest + torch.tensordot(weights, self.shapes, dims=1)

    def vertices(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch verts 3"]:
        """Posed skin in model space (metres); Eq. 2."""
        return self.posed(x, self.weights(x))

    def posed(
        self,
        x: Float[Tensor, "*batch params"],
        weights: Float[Tensor, "*batch verts influences"],
    ) -> Float[Tensor, "*batch verts 3"]:
        """The skin with these weights instead of the model's."""
        return (weights[..., None] * self.moved(x)).sum(-2)

    def skinning(
        self,
        x: Float[Tensor, "*batch params"],
        weights: Float[Tensor, "*batch verts influences"],
    ) -> Float[Tensor, "*batch verts 3 3"]:
        """Linear part of every vertex's blended transform: what it makes of rest offsets."""
        linear = self.transforms(x)[..., self.influences, :, :3]
        return (weights[..., None, None] * linear).sum(-3)

    def linearize(self, x: Float[Tensor, " params"]) -> LinearJacobian:
        """Vertices and the analytic derivative, dense: JNR has few variables."""
        return LinearJacobian(*self.columns(x))

    def columns(
        self, x: Float[Tensor, "*batch params"]
    ) -> tuple[Float[Tensor, "*batch verts 3"], Float[Tensor, "*batch params verts 3"]]:
        """Vertices and what a unit of each parameter adds to them."""
        with torch.no_grad():
            moved, weights = self.moved(x), self.weights(x)
            vertices = (weights[..., None] * moved).sum(-2)
            parts = [self._joint_columns(x, weights, moved)]
            if self.decoder is not None:
                parts.append(self._code_columns(x, moved - vertices[..., None, :]))
            if len(self.shapes):
                parts.append(self._shape_columns(x, weights))
            return vertices, torch.cat(parts, dim=-3)

    def _code(self, x: Tensor) -> Tensor:
        return x[..., self.table.slices[CODE]]

    def _joint_columns(
        self, x: Tensor, weights: Tensor, moved: Tensor
    ) -> Float[Tensor, "*batch variables verts 3"]:
        """dM_j M_j^-1 y_j(v) with y_j(v) = sum over d in subtree(j) of w_d (T_d v, 1)."""
        numbers, world = self.joint_numbers(x), self.world_from_joint(x)
        rows = joint_motion_rows(numbers[..., :3], numbers[..., 6:], world, JNR_PARENTS)
        spread = torch.cat([moved, torch.ones_like(moved[..., :1])], dim=-1) * weights[..., None]
        *batch, verts, _, _ = spread.shape
        place = self.influences[:, None].expand(*batch, verts, 4, -1)
        summed = spread.new_zeros(*batch, verts, 4, len(JNR_NAMES))
        summed.scatter_add_(-1, place, spread.transpose(-1, -2))
        below = (summed @ self.subtree.T).movedim(-1, -3)
        used, column = torch.nonzero(self.spread, as_tuple=True)
        joint = used // 9
        motion = rows.flatten(-4, -3)[..., used, :, :]
        motion = motion * self.spread[used, column][:, None, None]
        parts = below[..., joint, :, :] @ motion.transpose(-1, -2)
        out = spread.new_zeros(*batch, self.variables, verts, 3)
        return out.index_add_(-3, column, parts)

    def _code_columns(self, x: Tensor, lever: Tensor) -> Float[Tensor, "*batch codes verts 3"]:
        """dv = sum_i du_i (T_i v - v') / sum u over unclipped u_i = w_i + r_i - w_i sum_j r_j."""
        assert self.decoder is not None
        code = self._code(x)
        loose, linear = self._unclipped(self.at_slots(self.decoder(code)))
        total = self._clipped(loose, linear).sum(-1)
        pull = lever * (loose > 0)[..., None] / total[..., None, None]
        pull = pull - (linear[..., None] * pull).sum(-2, keepdim=True)
        return self.decoder.pulled(code, self.slots, pull)

    def _shape_columns(
        self, x: Tensor, weights: Tensor
    ) -> Float[Tensor, "*batch expressions verts 3"]:
        return torch.einsum("...vij,kvj->...kvi", self.skinning(x, weights), self.shapes)
