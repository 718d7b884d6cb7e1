"""ASM with a prior: its bones move by a few identity coefficients, tau = mean + z . modes.

Everything else of ASM stays: bones, weights, export. With anchors and Gaussians at bind the
skinning weights are constants, so a vertex is linear in the bone transforms,

    v' = sum_j w_j (T_j [v; 1]) = F_v . T,   F_v = (w_j v_x, w_j v_y, w_j v_z, w_j)_j,

and its derivative is the same product with dT / dz, which costs 84 bones instead of all vertices.
A point inside a triangle has the weighted mean of its corners' F, hence a photo fit pays for its
landmarks and contour points, or for their corners if these are fewer (texels).

Bones bend a face and do not carve it. `with_rests` adds directions of the rest mesh itself: further
identity coefficients y that move it before skinning as ARKit weights do, v = v0 + y . rests.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.geometry.rotations import rotation_derivatives, rotation_from_vector
from rigface.models.asm import AsmModel
from rigface.models.identity_prior import IdentityPrior, load_prior
from rigface.models.linear import LinearJacobian
from rigface.models.parameters import Parameter, ParameterTable
from rigface.models.skin_points import mixing
from rigface.rig.kinematics import affine, fronts
from rigface.rig.rig import load_rig
from rigface.rig.template import Template
from rigface.rig.template_io import load_template

LIMIT = 3.0
"""Identity coefficients stay within this many standard deviations."""


def identity_table(modes: int, expressions: int) -> ParameterTable:
    """Identity coefficients and ARKit weights."""
    meaning = "modes of the identity prior"
    parameters = [Parameter("identity", (modes,), "sigma", 1.0, -LIMIT, LIMIT, 2.0, meaning)]
    if expressions:
        meaning = "ARKit weights"
        parameters.append(Parameter("expression", (expressions,), "1", 0.3, 0.0, 1.0, 0.5, meaning))
    return ParameterTable(parameters)


@dataclass(frozen=True)
class AsmIdentity:
    """A FaceModel whose zero is the mean head of the prior, not the template."""

    name: str
    table: ParameterTable
    asm: AsmModel
    mean: Float[Tensor, "bones 9"]
    modes: Float[Tensor, "modes bones 9"]
    weights: Float[Tensor, "verts bones"]
    """w_j(v) at bind."""
    shapes: Float[Tensor, "verts 3 shapes"]
    """Offsets of the rest mesh: `rests` of the identity, then expressions."""
    rests: int = 0
    memory: dict[str, tuple[Tensor, tuple[Tensor, Tensor]]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """The last bone transforms and their derivative."""

    @staticmethod
    def build(
        prior: IdentityPrior | None = None,
        template: Template | None = None,
        expressions: bool = True,
        dtype: torch.dtype = torch.float64,
    ) -> "AsmIdentity":
        """The shipped prior on the shipped template unless told otherwise."""
        prior = load_prior() if prior is None else prior
        template = load_template() if template is None else template
        asm = AsmModel.build(template, load_rig(k=prior.gaussians), expressions, dtype)
        return AsmIdentity.of(
            asm, torch.as_tensor(prior.mean).to(dtype), torch.as_tensor(prior.modes).to(dtype)
        )

    @staticmethod
    def of(
        asm: AsmModel, mean: Float[Tensor, "bones 9"], modes: Float[Tensor, "modes bones 9"]
    ) -> "AsmIdentity":
        """Any directions of tau on an ASM, of any number."""
        with torch.no_grad():
            weights = asm.weights(asm.table.zeros(dtype=mean.dtype))
        shapes = asm.shapes.permute(1, 2, 0).contiguous()
        table = identity_table(len(modes), len(asm.shapes))
        return AsmIdentity("asm_identity", table, asm, mean, modes, weights, shapes)

    def with_rests(self, rests: Float[Tensor, "rests verts 3"]) -> "AsmIdentity":
        """The same head with more identity coefficients, behind those of the modes."""
        table = identity_table(len(self.modes) + len(rests), len(self.asm.shapes))
        own = torch.cat([rests.to(self.mean), self.asm.shapes]).permute(1, 2, 0).contiguous()
        return replace(self, table=table, shapes=own, rests=len(rests), memory={})

    @property
    def faces(self) -> Int[Tensor, "faces 3"]:
        """Skin triangles."""
        return self.asm.faces

    def rest_offset(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch verts 3"]:
        """What `rests` add to the template; `asm_parameters` do not hold it."""
        y = self._offsets(x)[..., : self.rests]
        return torch.einsum("...k,vck->...vc", y, self.shapes[..., : self.rests])

    def tau(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch bones 9"]:
        """Bone variables of the identity."""
        return self.mean + torch.tensordot(x[..., : len(self.modes)], self.modes, dims=1)

    def asm_parameters(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch asm"]:
        """The whole parameter vector of `asm`, for export and for fits that free more.

        On the template plus `rest_offset` it is the same head.
        """
        values = self.asm.table.unpack(self.asm.table.zeros(*x.shape[:-1], dtype=x.dtype))
        rotation, translation, log_scale = self.tau(x).split(3, dim=-1)
        values |= {"rotation": rotation, "translation": translation, "log_scale": log_scale}
        if "expression" in self.table:
            values["expression"] = self.table.unpack(x)["expression"]
        return self.asm.table.pack(values)

    def vertices(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch verts 3"]:
        """Skin in model space (metres), the full ASM of tau(z)."""
        transforms = self._transforms(x)
        rest = self.asm.template + torch.einsum("...k,vck->...vc", self._offsets(x), self.shapes)
        homogeneous = torch.cat([rest, torch.ones_like(rest[..., :1])], dim=-1)
        carried = torch.einsum("vj,...jrd->...vrd", self.weights, transforms)
        return (carried @ homogeneous[..., None])[..., 0]

    def skinning(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch verts 3 3"]:
        """Linear part of every vertex's blended transform: what it makes of rest offsets."""
        linear = self._transforms(x)[..., :3]
        return torch.einsum("vj,...jrc->...vrc", self.weights, linear)

    def linearize(self, x: Float[Tensor, " params"]) -> LinearJacobian:
        """Vertices and the dense derivative of all of them (tenths of a second; see `points`)."""
        everything = np.arange(len(self.weights))
        vertices, jacobian = self.points(x, everything[:, None], np.ones((len(everything), 1)))
        return LinearJacobian(vertices, jacobian.permute(2, 0, 1).contiguous())

    def jacobian(
        self, x: Float[Tensor, " params"], vertex_ids: Int[np.ndarray, " some"]
    ) -> Float[Tensor, "some 3 params"]:
        """The derivative of a few vertices."""
        return self.points(x, vertex_ids[:, None], np.ones((len(vertex_ids), 1)))[1]

    def points(
        self,
        x: Float[Tensor, " params"],
        corners: Int[np.ndarray, "points corners"],
        bary: Float[np.ndarray, "points corners"],
    ) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3 params"]]:
        """Points on the skin, given as vertices and their weights, and their derivative."""
        used, mix = mixing(corners, bary, x)
        with torch.no_grad():
            transforms, motion = self._moving_transforms(x)
            weights, shapes = self.weights[used], self.shapes[used]
            rest = self.asm.template[used] + shapes @ self._offsets(x)
            homogeneous = torch.cat([rest, torch.ones_like(rest[:, :1])], dim=-1)
            factors = (weights[:, :, None] * homogeneous[:, None]).flatten(1)
            linear = (weights @ transforms[:, :, :3].flatten(1)).unflatten(-1, (3, 3))
            places = mix(factors @ transforms.transpose(1, 2).reshape(-1, 3))
            spread = motion.permute(1, 3, 2, 0).reshape(factors.shape[1], -1)
            # The large product runs over the fewer of vertices and points.
            few = len(used) < len(corners)
            moved = mix(factors @ spread) if few else mix(factors) @ spread
            shaped = mix((linear @ shapes).flatten(1))
            parts = [moved.unflatten(1, (3, -1)), shaped.unflatten(1, (3, -1))]
            return places, torch.cat(parts, dim=-1)

    def places(
        self,
        x: Float[Tensor, " params"],
        corners: Int[np.ndarray, "points corners"],
        bary: Float[np.ndarray, "points corners"],
    ) -> Float[Tensor, "points 3"]:
        """The points of `points` alone."""
        used, mix = mixing(corners, bary, x)
        with torch.no_grad():
            return mix(self.vertices(x)[used])

    def _offsets(self, x: Tensor) -> Float[Tensor, "*batch shapes"]:
        return x[..., len(self.modes) :]

    def _transforms(self, x: Tensor) -> Float[Tensor, "*batch bones 3 4"]:
        """T_j = M_j B_j^-1 (Eq. 6)."""
        rotation, translation, log_scale = self.tau(x).split(3, dim=-1)
        values = {"rotation": rotation, "translation": translation, "log_scale": log_scale}
        return _unbound(self.asm.joint_chain(values, self.asm.bind0), self.asm.bind0)

    def _moving_transforms(
        self, x: Float[Tensor, " params"]
    ) -> tuple[Float[Tensor, "bones 3 4"], Float[Tensor, "modes bones 3 4"]]:
        """T_j and dT_j / dz: M_j = M_p L_j, so dM_j = dM_p L_j + M_p dL_j down the chain.

        Those of the last identity are remembered: solvers ask for many points of one head.
        """
        z = x[: len(self.modes)]
        last = self.memory.get("moving")
        if last is None or last[0].dtype != z.dtype or not torch.equal(last[0], z):
            last = self.memory["moving"] = (z.clone(), self._chain_motion(x))
        return last[1]

    def _chain_motion(
        self, x: Float[Tensor, " params"]
    ) -> tuple[Float[Tensor, "bones 3 4"], Float[Tensor, "modes bones 3 4"]]:
        local, local_motion = self._locals(self.tau(x))
        world, motion = torch.empty_like(local), torch.empty_like(local_motion)
        first, *deeper = fronts(self.asm.parents)
        roots = list(first)
        world[roots], motion[:, roots] = local[roots], local_motion[:, roots]
        for level in deeper:
            own, parent = list(level), [self.asm.parents[joint] for joint in level]
            world[own] = world[parent] @ local[own]
            motion[:, own] = motion[:, parent] @ local[own] + world[parent] @ local_motion[:, own]
        return _unbound(world, self.asm.bind0), _unbound(motion, self.asm.bind0)

    def _locals(
        self, tau: Float[Tensor, "bones 9"]
    ) -> tuple[Float[Tensor, "bones 4 4"], Float[Tensor, "modes bones 4 4"]]:
        """L_j = B_p^-1 B_j M(tau_j) (Eq. 8, 9) and its derivative along every mode."""
        asm = self.asm
        vector, translation, log_scale = tau.split(3, dim=-1)
        child = asm.bind0.new_tensor([float(p >= 0) for p in asm.parents])[:, None]
        offset = asm.bind0 - child * asm.bind0[[max(p, 0) for p in asm.parents]]
        rotation, scale = rotation_from_vector(vector), log_scale.exp()[:, None, :]
        turned, shifted, stretched = self.modes.split(3, dim=-1)
        turning = torch.einsum("kja,jarc->kjrc", turned, rotation_derivatives(vector))
        linear = (turning + rotation * stretched[:, :, None, :]) * scale
        motion = affine(linear, shifted)
        motion[..., 3, 3] = 0.0
        return affine(rotation * scale, offset + translation), motion


def _unbound(
    world: Float[Tensor, "*batch bones 4 4"], bind: Float[Tensor, "bones 3"]
) -> Float[Tensor, "*batch bones 3 4"]:
    """The upper rows of M B^-1 for bind matrices without rotation."""
    linear = world[..., :3, :3]
    translation = world[..., :3, 3] - (linear @ bind[..., None])[..., 0]
    return torch.cat([linear, translation[..., None]], dim=-1)
