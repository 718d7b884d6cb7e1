"""ASM, the adaptive skinning model (Yang et al., ICCV 2023): bones, movable anchors, GMM weights.

Every bone j carries a pose tau_j = (r, t, log s), a chart offset zeta_j and K Gaussians; all are
stored as offsets from the bind state, so zero parameters give the template exactly.
"""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.geometry.rotations import rotation_from_vector
from rigface.models.asm_jacobian import BONE_FIELDS, AsmJacobian
from rigface.models.parameters import Parameter, ParameterTable
from rigface.rig.chart import ChartLocator
from rigface.rig.kinematics import affine, subtree_matrix, world_from_local
from rigface.rig.rig import Rig
from rigface.rig.skinning import skin_dense
from rigface.rig.template import Template


def asm_table(num_bones: int, num_gaussians: int, expressions: int = 0) -> ParameterTable:
    """The 84 (11 + 6K) variables of ASM, plus the expression weights if they are wanted."""
    j, k = num_bones, num_gaussians
    parameters = [
        Parameter("rotation", (j, 3), "rad", 0.15, max_step=0.3, meaning="r of tau_j"),
        Parameter("translation", (j, 3), "m", 0.006, max_step=0.01, meaning="t of tau_j"),
        Parameter("log_scale", (j, 3), "1", 0.15, max_step=0.3, meaning="log s of tau_j"),
        Parameter("zeta", (j, 2), "chart", 0.05, max_step=0.04, meaning="anchor in the chart"),
        Parameter("log_pi", (j, k), "1", 0.5, max_step=0.7, meaning="log pi_jk / pi'_jk"),
        Parameter("mu", (j, k, 2), "chart", 0.05, max_step=0.06, meaning="mu_jk - mu'_jk"),
        Parameter(
            "chol",
            (j, k, 3),
            "chart",
            0.3,
            max_step=0.4,
            meaning="Cholesky of Sigma_jk: log l11, l21 / sqrt(l11' l22'), log l22 offsets",
        ),
    ]
    if expressions:
        meaning = "ARKit weights"
        parameters.append(Parameter("expression", (expressions,), "1", 0.3, 0.0, 1.0, 0.5, meaning))
    return ParameterTable(parameters)


@dataclass(frozen=True)
class AsmState:
    """All intermediate quantities of one forward pass, in the order of the paper."""

    weights: Float[Tensor, "*batch verts joints"]
    """w_j(v)."""
    shares: Float[Tensor, "*batch gaussians verts joints"]
    """Responsibility of each Gaussian inside its bone's density."""
    anchor_gradient: Float[Tensor, "*batch joints 3 2"]
    """dF/dzeta in the triangle that holds the anchor."""
    bind: Float[Tensor, "*batch joints 3"]
    """psi_j, supplement Eq. 4."""
    world_from_joint: Float[Tensor, "*batch joints 4 4"]
    """M_j."""
    transforms: Float[Tensor, "*batch joints 4 4"]
    """T_j = M_j B_j^-1, Eq. 6."""
    rest: Float[Tensor, "*batch verts 3"]
    """Template plus expression offsets."""
    vertices: Float[Tensor, "*batch verts 3"]


@dataclass(frozen=True)
class AsmModel:
    """The skin of a template driven by an ASM rig. Tensors may live on any device and dtype."""

    name: str
    table: ParameterTable
    faces: Int[Tensor, "faces 3"]
    bone_names: tuple[str, ...]
    parents: tuple[int, ...]
    template: Float[Tensor, "verts 3"]
    chart: Float[Tensor, "verts 2"]
    locator: ChartLocator
    """Finds the triangle under an anchor; lives on the CPU."""
    bind0: Float[Tensor, "joints 3"]
    """psi^0."""
    zeta0: Float[Tensor, "joints 2"]
    anchor0: Float[Tensor, "joints 3"]
    """F(zeta^0)."""
    log_pi0: Float[Tensor, "joints gaussians"]
    mu0: Float[Tensor, "joints gaussians 2"]
    chol0: Float[Tensor, "joints gaussians 3"]
    """Lower Cholesky factor (l11, l21, l22) of Sigma'."""
    shapes: Float[Tensor, "expressions verts 3"]
    """Expression offsets, zero of them in the plain model."""
    subtree: Float[Tensor, "joints joints"]
    memory: dict[str, tuple[Tensor, AsmState]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """The last state, see `state`."""

    @staticmethod
    def build(
        template: Template, rig: Rig, expressions: bool = False, dtype: torch.dtype = torch.float64
    ) -> "AsmModel":
        """ASM on a template with its rig; K is the rig's number of Gaussians per bone."""
        skin = template.parts["skin"]
        vertices = torch.as_tensor(template.mesh.vertices[skin.vertices], dtype=dtype)
        faces = torch.as_tensor(template.mesh.faces[skin.faces], dtype=torch.long)
        shapes = torch.zeros(0, len(vertices), 3, dtype=dtype)
        if expressions:
            dense = template.expressions.dense(len(template.mesh.vertices))
            shapes = torch.as_tensor(dense[:, skin.vertices], dtype=dtype)
        chart = torch.as_tensor(rig.chart, dtype=dtype)
        zeta0 = torch.as_tensor(rig.zeta0, dtype=dtype)
        locator = ChartLocator(rig.chart, template.mesh.faces[skin.faces])
        anchor0, _ = _surface_at(locator, chart, faces, vertices, zeta0)
        count, gaussians = rig.log_pi.shape
        return AsmModel(
            name="asm",
            table=asm_table(count, gaussians, len(shapes)),
            faces=faces,
            bone_names=tuple(rig.names),
            parents=tuple(int(p) for p in rig.parents),
            template=vertices,
            chart=chart,
            locator=locator,
            bind0=torch.as_tensor(rig.bind_positions, dtype=dtype),
            zeta0=zeta0,
            anchor0=anchor0,
            log_pi0=torch.as_tensor(rig.log_pi, dtype=dtype),
            mu0=torch.as_tensor(rig.mu, dtype=dtype),
            chol0=torch.as_tensor(rig.chol, dtype=dtype),
            shapes=shapes,
            subtree=subtree_matrix(tuple(int(p) for p in rig.parents)).to(dtype),
        )

    def to(self, *args, **kwargs) -> "AsmModel":
        """The model with its tensors on another device or in another floating dtype."""
        moved = {}
        for name, value in vars(self).items():
            if name == "memory":
                continue
            if isinstance(value, Tensor):
                kept = value.to(*args, **kwargs)
                moved[name] = kept if value.is_floating_point() else kept.to(value.dtype)
            else:
                moved[name] = value
        return AsmModel(**moved)

    def vertices(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch verts 3"]:
        """Posed skin in model space (metres)."""
        return self.state(x).vertices

    def weights(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch verts joints"]:
        """Skinning weights w_j(v), rows sum to one."""
        return self._weights(self.table.unpack(x))[0]

    def acting_on(
        self, x: Float[Tensor, " params"], verts: Bool[Tensor, " verts"], least: float = 0.05
    ) -> Bool[Tensor, " params"]:
        """Parameters of the bones that have a weight of `least` or more on any of the vertices."""
        with torch.no_grad():
            bones = (self.weights(x)[verts] >= least).any(dim=0)
        mask = torch.zeros(self.table.size, dtype=torch.bool)
        for name in BONE_FIELDS:
            run = self.table.slices[name]
            mask[run] = bones.repeat_interleave((run.stop - run.start) // len(bones))
        return mask

    def linearize(self, x: Float[Tensor, " params"]) -> AsmJacobian:
        """Vertices and the analytic derivative with respect to every parameter."""
        with torch.no_grad():
            return AsmJacobian(self, x, self.state(x))

    def state(self, x: Float[Tensor, "*batch params"]) -> AsmState:
        """The forward pass: weights, dynamic binding (Algorithm 1), transforms, skinning.

        The last single state without gradient is remembered: solvers ask for the energy, the
        pairs and the derivative at the same place.
        """
        if x.dim() > 1 or torch.is_grad_enabled():
            return self._forward(x)
        last = self.memory.get("state")
        if last is None or last[0].dtype != x.dtype or not torch.equal(last[0], x):
            last = self.memory["state"] = (x.clone(), self._forward(x))
        return last[1]

    def _forward(self, x: Float[Tensor, "*batch params"]) -> AsmState:
        values = self.table.unpack(x)
        weights, shares = self._weights(values)
        bind, gradient = self._bind(values["zeta"])
        joints = self.joint_chain(values, bind)
        translation = joints[..., :3, 3] - (joints[..., :3, :3] @ bind[..., None])[..., 0]
        transforms = affine(joints[..., :3, :3], translation)
        rest = self.template
        if "expression" in values:
            rest = rest + torch.tensordot(values["expression"], self.shapes, dims=1)
        posed = skin_dense(weights, transforms, rest)
        rest = rest.expand(posed.shape)
        return AsmState(weights, shares, gradient, bind, joints, transforms, rest, posed)

    def cholesky(self, values: dict[str, Tensor]) -> Float[Tensor, "*batch joints gaussians 3"]:
        """(l11, l21, l22) of Sigma_jk; the diagonal stays positive whatever the offsets."""
        l11, l21, l22 = self.chol0.unbind(-1)
        d11, d21, d22 = values["chol"].unbind(-1)
        return torch.stack([l11 * d11.exp(), l21 + d21 * (l11 * l22).sqrt(), l22 * d22.exp()], -1)

    def whitened(self, values: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """y = L^-1 (u_v - zeta_j - mu_jk) as two tensors (*batch, gaussians, verts, joints).

        The exponent of a Gaussian is -|y|^2 / 2. Gaussians come first, so that sums over them run
        over contiguous memory.
        """
        centre = (self.zeta0 + values["zeta"])[..., :, None, :] + self.mu0 + values["mu"]
        cx, cy = _gaussians_first(centre)
        l11, l21, l22 = _gaussians_first(self.cholesky(values))
        first = (self.chart[:, :1] - cx) / l11
        return first, (self.chart[:, 1:] - cy - l21 * first) / l22

    def _weights(self, values: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        first, second = self.whitened(values)
        (log_pi,) = _gaussians_first((self.log_pi0 + values["log_pi"])[..., None])
        log_density = log_pi - 0.5 * (first * first + second * second)
        peak = log_density.detach().amax(dim=(-3, -1), keepdim=True)
        density = (log_density - peak).exp()
        bone = density.sum(-3)
        shares = density / bone.clamp_min(torch.finfo(bone.dtype).tiny)[..., None, :, :]
        return bone / bone.sum(-1, keepdim=True), shares

    def on(self, template: Float[Tensor, "verts 3"]) -> "AsmModel":
        """The same rig and weights on another rest mesh; bones stay where they are."""
        anchor, _ = _surface_at(self.locator, self.chart, self.faces, template, self.zeta0)
        return replace(self, template=template, anchor0=anchor, memory={})

    def _bind(self, zeta: Tensor) -> tuple[Tensor, Tensor]:
        """psi_j = F(zeta_j) - F(zeta_j^0) + psi_j^0 (Eq. 4, without its jump at zeta^0)."""
        surface, gradient = _surface_at(
            self.locator, self.chart, self.faces, self.template, self.zeta0 + zeta
        )
        return surface - self.anchor0 + self.bind0, gradient

    def joint_chain(
        self, values: dict[str, Tensor], bind: Float[Tensor, "*#batch joints 3"]
    ) -> Float[Tensor, "*batch joints 4 4"]:
        """M_j = M_p B_p^-1 B_j M(tau_j) (Eq. 8, 9); bind rotations are the identity."""
        parent = [max(p, 0) for p in self.parents]
        is_child = bind.new_tensor([float(p >= 0) for p in self.parents])[:, None]
        offset = bind - is_child * bind[..., parent, :]
        rotation = rotation_from_vector(values["rotation"])
        linear = rotation * values["log_scale"].exp()[..., None, :]
        return world_from_local(affine(linear, offset + values["translation"]), self.parents)


def _gaussians_first(values: Tensor) -> tuple[Tensor, ...]:
    """Components of (*batch, joints, gaussians, c) as (*batch, gaussians, 1, joints)."""
    return values.transpose(-3, -2)[..., None, :, :].unbind(-1)


def _surface_at(
    locator: ChartLocator, chart: Tensor, faces: Tensor, vertices: Tensor, zeta: Tensor
) -> tuple[Float[Tensor, "*batch joints 3"], Float[Tensor, "*batch joints 3 2"]]:
    """F: chart to template surface, and its derivative in the triangle found.

    Outside the chart F is constant across the border: the nearest chart point is used, so the
    derivative keeps only the direction along the border (zero beyond a corner).
    """
    flat = zeta.reshape(-1, 2)
    face_ids, bary = locator.locate(flat.detach().cpu().double().numpy())
    face = torch.as_tensor(face_ids, device=faces.device)
    corners = faces[face]
    a, b, c = chart[corners].unbind(-2)
    va, vb, vc = vertices[corners].unbind(-2)
    chart_edges = torch.stack([a - c, b - c], dim=-1)
    surface_edges = torch.stack([va - vc, vb - vc], dim=-1)
    gradient = surface_edges @ torch.linalg.inv(chart_edges)
    found = torch.as_tensor(bary, dtype=chart.dtype, device=chart.device)
    inside_point = (found[..., None] * chart[corners]).sum(-2)
    gradient = gradient @ _border_projector(flat.detach() - inside_point, found, a, b, c)
    start = (found[..., None] * vertices[corners]).sum(-2)
    surface = start + (gradient @ (flat - flat.detach())[..., None])[..., 0]
    shape = zeta.shape[:-1]
    return surface.reshape(*shape, 3), gradient.reshape(*shape, 3, 2)


def _border_projector(outside: Tensor, bary: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Identity inside; along the nearest border edge outside; zero beyond a border vertex."""
    eye = torch.eye(2, dtype=outside.dtype, device=outside.device)
    is_out = outside.norm(dim=-1) > 1e-9
    on_edge = (bary.abs() < 1e-9).sum(-1) == 1
    edges = torch.stack([c - b, a - c, b - a], dim=-2)
    zero_corner = bary.abs().argmin(-1)
    along = torch.take_along_dim(edges, zero_corner[:, None, None].expand(-1, 1, 2), -2)[:, 0]
    along = torch.nn.functional.normalize(along, dim=-1)
    edge_projector = along[:, :, None] * along[:, None, :]
    outer = torch.where(on_edge[:, None, None], edge_projector, torch.zeros_like(edge_projector))
    return torch.where(is_out[:, None, None], outer, eye)
