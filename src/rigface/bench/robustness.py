"""What the default recipe makes of spoiled scans, and whether that is what was promised."""

import time
from dataclasses import dataclass

from rigface.bench.registration_data import BenchScan
from rigface.bench.registration_fits import DEFAULT
from rigface.bench.scan_variants import Variant
from rigface.errors import RigfaceError
from rigface.fit.scan import ScanConfig, fit_scan
from rigface.metrics.distance import scan_to_mesh
from rigface.metrics.outer import outer_surface

FACTOR, FLOOR_MM = 2.0, 0.35


def promised(clean_mm: float) -> float:
    """The mean error (mm) up to which a fit to a spoiled scan is good, from the clean one's."""
    return max(FACTOR * clean_mm, FLOOR_MM)


@dataclass(frozen=True)
class Outcome:
    """One fit, measured against the clean scan's region."""

    name: str
    seconds: float
    failure: str | None
    """Exit code and reason, if the user is told that this is no good fit."""
    mean: float = float("nan")
    """Millimetres, as `p95`; NaN where there is no fit at all."""
    p95: float = float("nan")
    coverage: float = float("nan")

    def kept(self, clean_mm: float) -> bool:
        """Good, or a failure that says so: never silently bad."""
        return self.failure is not None or self.mean <= promised(clean_mm)


def try_variant(variant: Variant, case: BenchScan, config: ScanConfig = DEFAULT) -> Outcome:
    """Fit without landmarks, start or any other hint."""
    began = time.perf_counter()
    try:
        result = fit_scan(variant.scan, config)
    except RigfaceError as error:
        seconds = time.perf_counter() - began
        return Outcome(variant.name, seconds, f"exit {error.exit_code}: {error}")
    seconds = time.perf_counter() - began
    vertices = variant.in_metres(result.vertices_in_scan, case)
    errors = scan_to_mesh(variant.region(case), outer_surface(result.template), vertices)
    failure = None if result.ok else f"exit 4: {result.reason}"
    return Outcome(variant.name, seconds, failure, errors.mean, errors.p95, errors.coverage)
