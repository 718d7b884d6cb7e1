"""Whether a fit puts every part of the template where it belongs, not only somewhere close.

Two meshes A and B of one topology give exact correspondences. The template is registered to both
without knowing of them; a vertex of A is then carried through the template: to the closest place
on the fit to A, then to the same place on the fit to B. Its distance from the vertex of B with the
same number is the correspondence error.
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
    def mean(self) -> float:
        """Over the whole region, covered or not: nothing is dropped after looking at the fit."""
        return _mean(self.mm[self.region])

    @property
    def mean_covered(self) -> float:
        return _mean(self.mm[self.region & self.covered])

    @property
    def mean_everywhere(self) -> float:
        """Over all vertices of the mesh, its border and what lies beyond the region too."""
        return _mean(self.mm)

    @property
    def p95(self) -> float:
        """Over the whole region."""
        return float(np.percentile(self.mm[self.region], 95)) if self.region.any() else np.nan

    @property
    def coverage(self) -> float:
        """Share of the region's vertices that are covered by the fit to A."""
        return _mean(self.covered[self.region])


def correspondence_errors(
    meshes: tuple[Mesh, Mesh],
    fits: tuple[Float[np.ndarray, "verts 3"], Float[np.ndarray, "verts 3"]],
    outer: OuterSurface,
    nose_tip: Float[np.ndarray, "3"],
    radius: float = REGION_RADIUS,
    to_surface: bool = False,
) -> CorrespondenceErrors:
    """Errors of A carried to B through the outer skin of two fits of the same topology.

    Each fit lies in the frame of its own mesh, all in metres; `nose_tip` is A's. With
    `to_surface` the carried point is moved on to the closest point of B before it is compared,
    which forgives the part of the error along the normal.

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
    # The skin comes first in an outer surface, so the face numbers agree.
    covered = outer.on_skin(found.face, found.bary) & (found.distance <= COVERED)
    return CorrespondenceErrors(error * _MM, _region(a, nose_tip, radius), covered)


def _region(mesh: Mesh, nose_tip: np.ndarray, radius: float) -> np.ndarray:
    inside = np.linalg.norm(mesh.vertices - nose_tip, axis=1) <= radius
    inside[boundary_edges(mesh.faces).ravel()] = False
    return inside


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
