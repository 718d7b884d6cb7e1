"""Smooth colour fields over the skin: means at vertices, and what lies between and beyond them.

All smoothing runs over the surface, so it neither sees nor stops at the cuts of the UV layout.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.linalg import splu
from torch import Tensor

from rigface.geometry.laplacian import cotangent_laplacian
from rigface.rig.template import Template

MM = 1e-3
_DARKEST = 1e-3
"""Linear value below which ratios of colours mean nothing."""
MOUTH = (0.16, 0.035, 0.03)
"""Linear RGB of the mouth's inside, which no photo lights well enough to be measured."""
_SOCKET_TINT = (0.85, 0.68, 0.62)
_SKIN_SOURCES = ("cheeks", "nose")
_HAIR_AREA = 5e-4
"""Square metres of the scalp that must be seen before what is seen there counts as its colour."""
_FILL_REACH, _FAR, _INNER = 2.5 * MM, 60 * MM, 6 * MM
_MATCH_REACH, _MATCH_FAR = 20 * MM, 150 * MM


@dataclass(frozen=True)
class VertexMeans:
    """Colours of the texels around each vertex of the skin."""

    colour: Float[np.ndarray, "verts 3"]
    """Linear RGB, zeros where nothing is seen."""
    share: Float[np.ndarray, " verts"]
    """0 to 1: how much of the texels around is seen."""


def vertex_means(
    faces: Int[Tensor, "samples 3"],
    bary: Float[Tensor, "samples 3"],
    colour: Float[Tensor, "samples 3"],
    trust: Float[Tensor, " samples"],
    around: Float[np.ndarray, " verts"],
) -> VertexMeans:
    """Means by trust; `around` is what `vertex_totals` gives for all texels."""
    verts, weight = len(around), bary * trust[:, None]
    index = faces.reshape(-1).numpy()
    total = np.bincount(index, weight.reshape(-1).numpy(), verts)
    sums = [
        np.bincount(index, (weight * colour[:, channel, None]).reshape(-1).numpy(), verts)
        for channel in range(3)
    ]
    mean = np.stack(sums, axis=1) / np.maximum(total, 1e-12)[:, None]
    return VertexMeans(mean, (total / np.maximum(around, 1e-12)).clip(0, 1))


def vertex_totals(
    faces: Int[Tensor, "samples 3"], bary: Float[Tensor, "samples 3"], verts: int
) -> Float[np.ndarray, " verts"]:
    """How many texels each vertex stands for."""
    return np.bincount(faces.reshape(-1).numpy(), bary.reshape(-1).numpy(), verts)


@dataclass(frozen=True)
class SkinFields:
    """The Laplace operator of the template's skin."""

    template: Template
    stiffness: sp.csr_matrix
    area: Float[np.ndarray, " verts"]
    """Square metres."""

    @staticmethod
    def of_template(template: Template) -> "SkinFields":
        verts = template.parts["skin"].vertices
        faces = template.mesh.faces[template.parts["skin"].faces]
        return SkinFields(template, *cotangent_laplacian(template.mesh.vertices[verts], faces))

    def smooth(
        self,
        values: Float[np.ndarray, "verts channels"],
        weight: Float[np.ndarray, " verts"],
        reach: float,
        pull: Float[np.ndarray, " verts"],
        towards: Float[np.ndarray, "verts channels"],
    ) -> Float[np.ndarray, "verts channels"]:
        """The field x of least integral of
        weight |x - values|^2 + reach^2 |grad x|^2 + pull |x - towards|^2.

        Where weight is 0 it falls from its surroundings to `towards` over reach / sqrt(pull).
        """
        own, calm = self.area * weight, self.area * pull
        system = sp.diags(own + calm) + reach**2 * self.stiffness
        known = own[:, None] * values + calm[:, None] * towards
        return splu(system.tocsc()).solve(known)

    def match(self, seen: VertexMeans) -> Float[np.ndarray, "verts 3"]:
        """Log of the factor that turns a colour of the other side into one of this side.

        Known where both sides are seen, smooth over centimetres beyond.
        """
        other = self.template.mirror[: len(self.area)]
        log = np.log(np.maximum(seen.colour, _DARKEST))
        weight = seen.share * seen.share[other]
        outer = self.template.regions["outer"][: len(self.area)]
        pull = np.full(len(weight), (_MATCH_REACH / _MATCH_FAR) ** 2)
        ratio = np.clip(log - log[other], -1.5, 1.5)
        return self.smooth(ratio, weight * outer, _MATCH_REACH, pull, np.zeros_like(log))

    def fill(self, seen: VertexMeans) -> Float[np.ndarray, "verts 3"]:
        """A colour for every vertex: what is seen, and its smooth continuation.

        Far from all that is seen it tends to the tone of the skin, inside the mouth to `MOUTH`;
        the scalp tends to what is seen of it, if that is enough.
        """
        skin = slice(0, len(self.area))
        regions = {name: mask[skin] for name, mask in self.template.regions.items()}
        tone = self._tone(seen, regions)
        towards = np.tile(tone, (len(self.area), 1))
        reach = np.full(len(self.area), _FAR)
        clearly = self.area * seen.share * (regions["scalp"] & (seen.share > 0.5))
        if clearly.sum() > _HAIR_AREA:
            towards[regions["scalp"]] = _weighted_median(seen.colour, clearly)
        for side in "LR":
            towards[regions[f"socket.{side}"]] = tone * _SOCKET_TINT
        towards[regions["mouth_cavity"]] = MOUTH
        reach[regions["inner"]] = _INNER
        weight = seen.share * ~regions["inner"]
        pull = (_FILL_REACH / reach) ** 2
        return self.smooth(seen.colour, weight, _FILL_REACH, pull, towards)

    def _tone(self, seen: VertexMeans, regions: dict[str, np.ndarray]) -> np.ndarray:
        weight = seen.share**2 * self.area
        source = np.any([regions[name] for name in _SKIN_SOURCES], axis=0)
        if weight[source].sum() <= 0:
            source = regions["outer"]
        if weight[source].sum() <= 0:
            return np.full(3, 0.4)
        return _weighted_median(seen.colour[source], weight[source])


def _weighted_median(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Per column."""
    order = values.argsort(axis=0)
    sums = weight[order].cumsum(axis=0)
    middle = (sums < 0.5 * sums[-1:]).sum(axis=0).clip(max=len(values) - 1)
    columns = np.arange(values.shape[1])
    return values[order[middle, columns], columns]
