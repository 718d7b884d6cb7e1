"""Whether a fit puts every part of the template where it belongs, not only somewhere close.

Two meshes A and B of one topology give exact correspondences. The template is registered to both
without knowing of them; a vertex of A is then carried through the template: to the closest place
on the fit to A, to the same place on the fit to B, to the closest point of B. Its distance from
the vertex of B with the same number is the correspondence error.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from rigface.geometry.mesh import Mesh, boundary_edges
from rigface.metrics.closest import closest_on_mesh
from rigface.metrics.distance import COVERED
from rigface.metrics.outer import OuterSurface
from rigface.metrics.region import REGION_RADIUS

_MM = 1000.0


@dataclass(frozen=True)
class CorrespondenceErrors:
    """One error per vertex of A."""

    mm: Float[np.ndarray, " verts"]
    region: Bool[np.ndarray, " verts"]
    """Vertices within the face region of A and off its open border, known before any fit."""
    covered: Bool[np.ndarray, " verts"]
    """Their closest place on the fit to A is outer skin, not its rim, within 3 mm."""

    @property
    def counted(self) -> Bool[np.ndarray, " verts"]:
        """What the mean is taken over."""
        return self.region & self.covered

    @property
    def share(self) -> float:
        """Counted vertices over those of the region; a low value makes the mean worthless."""
        return float(self.counted.sum() / max(self.region.sum(), 1))

    @property
    def mean(self) -> float:
        return float(self.mm[self.counted].mean()) if self.counted.any() else float("nan")

    @property
    def mean_all(self) -> float:
        """Over the whole region, covered or not."""
        return float(self.mm[self.region].mean()) if self.region.any() else float("nan")

    @property
    def p95(self) -> float:
        return float(np.percentile(self.mm[self.counted], 95)) if self.counted.any() else np.nan


def correspondence_errors(
    meshes: tuple[Mesh, Mesh],
    fits: tuple[Float[np.ndarray, "verts 3"], Float[np.ndarray, "verts 3"]],
    outer: OuterSurface,
    nose_tip: Float[np.ndarray, "3"],
    radius: float = REGION_RADIUS,
    to_surface: bool = True,
) -> CorrespondenceErrors:
    """Errors of A carried to B through the outer skin of two fits of the same topology.

    Each fit lies in the frame of its own mesh, all in metres; `nose_tip` is A's. With
    `to_surface` the last step goes to the closest point of B, as in plain closest-point
    registration; without it the place on the fit itself is compared.

    Raises ValueError if the meshes do not share their faces.
    """
    a, b = meshes
    if not np.array_equal(a.faces, b.faces):
        raise ValueError("correspondence errors need two meshes with the same faces")
    skin = outer.skin_faces
    found = closest_on_mesh(a.vertices, fits[0], skin)
    carried = np.einsum("nc,ncd->nd", found.bary, fits[1][skin[found.face]])
    if to_surface:
        carried = closest_on_mesh(carried, b.vertices, b.faces).point
    error = np.linalg.norm(carried - b.vertices, axis=1)
    # Skin faces come first in an outer surface, so their numbers agree.
    covered = outer.on_skin(found.face, found.bary) & (found.distance <= COVERED)
    return CorrespondenceErrors(error * _MM, _region(a, nose_tip, radius), covered)


def _region(mesh: Mesh, nose_tip: np.ndarray, radius: float) -> np.ndarray:
    inside = np.linalg.norm(mesh.vertices - nose_tip, axis=1) <= radius
    inside[boundary_edges(mesh.faces).ravel()] = False
    return inside
