"""JNR with a prior: its joints and code move by a few identity coefficients, x = mean + z . modes.

JNR's own variables have limits and typical sizes, but no picture tells a hundred of them. So those
of the identity prior (z ~ N(0, I)) are carried to them (`fit.identity_space`), as its vertex modes
were to ASM's bones. Everything else of JNR stays: joints, weights, decoder, limits.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.models.identity import identity_table
from rigface.models.jnr import JnrModel
from rigface.models.linear import LinearJacobian
from rigface.models.parameters import ParameterTable
from rigface.models.skin_points import mixing


@dataclass(frozen=True)
class JnrIdentity:
    """A FaceModel whose zero is the mean head of the prior, with ARKit weights."""

    name: str
    table: ParameterTable
    jnr: JnrModel
    mean: Float[Tensor, " own"]
    """Joint variables and code of JNR."""
    modes: Float[Tensor, "modes own"]

    @staticmethod
    def of(
        jnr: JnrModel, mean: Float[Tensor, " own"], modes: Float[Tensor, "modes own"]
    ) -> "JnrIdentity":
        """Any directions of JNR's variables; its shapes become the expressions."""
        table = identity_table(len(modes), len(jnr.shapes))
        return JnrIdentity(jnr.name, table, jnr, mean, modes)

    @property
    def faces(self) -> Int[Tensor, "faces 3"]:
        """Skin triangles."""
        return self.jnr.faces

    def own(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch own"]:
        """JNR's variables and code, within their limits."""
        free = self.mean + torch.tensordot(x[..., : len(self.modes)], self.modes, dims=1)
        lower, upper = self._limits
        return torch.minimum(torch.maximum(free, lower), upper)

    def jnr_parameters(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch jnr"]:
        """The whole parameter vector of `jnr`."""
        return torch.cat([self.own(x), x[..., len(self.modes) :]], dim=-1)

    def vertices(self, x: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch verts 3"]:
        """Skin in model space (metres)."""
        return self.jnr.vertices(self.jnr_parameters(x))

    def linearize(self, x: Float[Tensor, " params"]) -> LinearJacobian:
        """Vertices and the dense derivative of all of them."""
        return LinearJacobian(*self._columns(self.jnr, x))

    def points(
        self,
        x: Float[Tensor, " params"],
        corners: Int[np.ndarray, "points corners"],
        bary: Float[np.ndarray, "points corners"],
    ) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points 3 params"]]:
        """Points on the skin, given as vertices and their weights, and their derivative."""
        used, mix = mixing(corners, bary, x)
        vertices, columns = self._columns(self.jnr.at(torch.from_numpy(used)), x)
        moved = mix(columns.permute(1, 2, 0).flatten(1))
        return mix(vertices), moved.unflatten(1, (3, -1))

    def places(
        self,
        x: Float[Tensor, " params"],
        corners: Int[np.ndarray, "points corners"],
        bary: Float[np.ndarray, "points corners"],
    ) -> Float[Tensor, "points 3"]:
        """The points of `points` alone."""
        used, mix = mixing(corners, bary, x)
        with torch.no_grad():
            return mix(self.jnr.at(torch.from_numpy(used)).vertices(self.jnr_parameters(x)))

    @property
    def _limits(self) -> tuple[Tensor, Tensor]:
        table, run = self.jnr.table, slice(0, len(self.mean))
        lower, upper = table.column("lower")[run], table.column("upper")[run]
        return lower.to(self.mean), upper.to(self.mean)

    def _columns(
        self, jnr: JnrModel, x: Float[Tensor, " params"]
    ) -> tuple[Float[Tensor, "some 3"], Float[Tensor, "params some 3"]]:
        """Chain rule: JNR's columns along every mode (none where a limit holds), then shapes."""
        own = self.own(x)
        lower, upper = self._limits
        loose = ((own > lower) & (own < upper)).to(self.modes)
        count = len(self.mean)
        vertices, columns = jnr.columns(torch.cat([own, x[len(self.modes) :]]))
        moved = torch.tensordot(self.modes * loose, columns[:count], dims=1)
        return vertices, torch.cat([moved, columns[count:]])
