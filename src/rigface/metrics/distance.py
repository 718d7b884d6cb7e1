"""How far a fit is from the scan it was made for: scan to outer skin and eyeballs, millimetres."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from rigface.geometry.mesh import Mesh
from rigface.metrics.closest import closest_on_mesh
from rigface.metrics.outer import OuterSurface
from rigface.metrics.region import REGION_RADIUS, FaceRegion, region_vertices

COVERED = 0.003
"""Metres: a region point farther than this from the skin is not covered by it."""
_MM = 1000.0


@dataclass(frozen=True)
class ErrorSamples:
    """One distance per point of the face region; nothing is dropped after looking at the fit."""

    mm: Float[np.ndarray, " points"]
    covered: Bool[np.ndarray, " points"]
    """Closest to the outer skin, not to its rim, within 3 mm."""
    region: Int[np.ndarray, " points"]
    """Template region of the closest place, an index into `regions`."""
    regions: tuple[str, ...]

    @property
    def mean(self) -> float:
        return _or_nan(np.mean, self.mm)

    @property
    def median(self) -> float:
        return _or_nan(np.median, self.mm)

    @property
    def rms(self) -> float:
        return float(np.sqrt(_or_nan(np.mean, self.mm**2)))

    @property
    def p95(self) -> float:
        return self.percentile(95.0)

    @property
    def max(self) -> float:
        return _or_nan(np.max, self.mm)

    @property
    def coverage(self) -> float:
        """Share of the points that are covered, 0 to 1."""
        return _or_nan(np.mean, self.covered.astype(float))

    def percentile(self, share: float | int) -> float:
        """Millimetres that `share` percent of the points do not exceed."""
        return float(np.percentile(self.mm, share)) if len(self.mm) else float("nan")

    def summary(self) -> dict[str, float]:
        """The figures under the names of result.json."""
        return {
            "mean_mm": self.mean,
            "median_mm": self.median,
            "rms_mm": self.rms,
            "p95_mm": self.p95,
            "max_mm": self.max,
            "coverage": self.coverage,
            "points": float(len(self.mm)),
        }

    def by_region(self) -> dict[str, "ErrorSamples"]:
        """The samples of each region that received any, in the order of `regions`."""
        return {
            name: self.subset(self.region == index)
            for index, name in enumerate(self.regions)
            if (self.region == index).any()
        }

    def region_rows(self) -> list[dict[str, float | str]]:
        """The per-region table: `summary` of each region, its name and its share of all points."""
        total = max(len(self.mm), 1)
        return [
            {"name": name, "share": len(part.mm) / total, **part.summary()}
            for name, part in self.by_region().items()
        ]

    def subset(self, keep: Bool[np.ndarray, " points"]) -> "ErrorSamples":
        """The samples of a mask."""
        return ErrorSamples(self.mm[keep], self.covered[keep], self.region[keep], self.regions)

    def histogram(
        self, edges: Float[np.ndarray, " edges"] | None = None
    ) -> tuple[Float[np.ndarray, " bins"], Float[np.ndarray, " edges"]]:
        """Shares of the points per bin, and the bin edges in mm (default 0 to 3 mm by 0.1).

        The last bin also takes everything beyond it, so the shares sum to one.
        """
        edges = np.linspace(0, 3, 31) if edges is None else edges
        count, _ = np.histogram(np.minimum(self.mm, edges[-1]), edges)
        return count / max(len(self.mm), 1), edges


def scan_to_mesh(
    region: FaceRegion, outer: OuterSurface, vertices: Float[np.ndarray, "verts 3"]
) -> ErrorSamples:
    """Distance from every point of the region to the outer skin and eyeballs of a fit.

    `vertices` are the fit's, metres, in the region's frame; `outer.faces` indexes them.
    """
    return points_to_mesh(region.points, outer, vertices)


def points_to_mesh(
    points: Float[np.ndarray, "points 3"],
    outer: OuterSurface,
    vertices: Float[np.ndarray, "verts 3"],
) -> ErrorSamples:
    """`scan_to_mesh` for any points in metres."""
    found = closest_on_mesh(points, vertices, outer.faces)
    covered = outer.on_skin(found.face, found.bary) & (found.distance <= COVERED)
    return ErrorSamples(found.distance * _MM, covered, outer.region[found.face], outer.regions)


def vertex_errors(
    scan: Mesh,
    nose_tip: Float[np.ndarray, "3"],
    outer: OuterSurface,
    vertices: Float[np.ndarray, "verts 3"],
    radius: float = REGION_RADIUS,
) -> Float[np.ndarray, " scan_verts"]:
    """Millimetres per scan vertex for a heat map; NaN outside the face region. Metres in."""
    inside = region_vertices(scan, nose_tip, radius)
    out = np.full(len(scan.vertices), np.nan)
    out[inside] = points_to_mesh(scan.vertices[inside], outer, vertices).mm
    return out


def _or_nan(reduce, values: np.ndarray) -> float:
    return float(reduce(values)) if len(values) else float("nan")
