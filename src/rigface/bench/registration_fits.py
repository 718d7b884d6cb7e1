"""Fits of `rigface bench registration`: each made once, measured in true millimetres."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from rigface.bench.registration_data import BenchScan
from rigface.errors import RigfaceError
from rigface.fit.alignment import align
from rigface.fit.outcome import refined
from rigface.fit.result import ScanResult
from rigface.fit.scan import ScanConfig, fit_scan
from rigface.geometry.similarity import Similarity
from rigface.metrics.distance import ErrorSamples, scan_to_mesh
from rigface.metrics.outer import label_surface, outer_surface
from rigface.rig.template import Template
from rigface.rig.template_io import load_template

Say = Callable[[str], None]
DEFAULT = ScanConfig()


@dataclass(frozen=True)
class FittedCase:
    """A case with our fit to it."""

    case: BenchScan
    result: ScanResult
    errors: ErrorSamples
    """Over the case's region, whose unit is known; the fit's own unit is not used."""

    @property
    def seconds(self) -> float:
        """Wall clock of the stage "fit": without load, import, search for the face, export."""
        return self.result.seconds["fit"]

    @property
    def in_metres(self) -> Float[np.ndarray, "verts 3"]:
        """All parts in the frame of the case's region."""
        return self.case.in_metres(self.result.vertices_in_scan)

    def errors_at(self, lod: int) -> ErrorSamples:
        """The errors of another level of detail of the same fit."""
        template, fitted = self.result.template, self.result
        fine = fitted.scan_from_model.apply(refined(template, fitted.head.vertices, lod))
        outer = outer_surface(template, lod)
        return scan_to_mesh(self.case.region, outer, self.case.in_metres(fine))


@dataclass
class Fits:
    """Makes fits and remembers them, with the failures as notes for the report."""

    say: Say
    notes: list[str] = field(default_factory=list)
    starts: dict[str, Similarity] = field(default_factory=dict)
    made: dict[tuple[str, ScanConfig], FittedCase | None] = field(default_factory=dict)

    def of(self, case: BenchScan, config: ScanConfig = DEFAULT) -> FittedCase | None:
        """The fit without landmarks or any other hint; None if it failed, which is noted."""
        key = (case.name, config)
        if key not in self.made:
            self.made[key] = self._make(case, config)
        return self.made[key]

    def start(self, case: BenchScan) -> Similarity:
        """Where the face is, scan_from_model (metres to the scan's unit); searched for once.

        Raises InputError if there is none.
        """
        if case.name not in self.starts:
            self.starts[case.name] = align(case.scan, load_template()).scan_from_model
        return self.starts[case.name]

    def all_good(self) -> list[FittedCase]:
        """Every fit that came out."""
        return [fitted for fitted in self.made.values() if fitted is not None]

    def _make(self, case: BenchScan, config: ScanConfig) -> FittedCase | None:
        try:
            result = fit_scan(case.scan, config, start=self.start(case))
        except RigfaceError as error:
            self.notes.append(f"No fit to {case.name}: {error}")
            self.say(self.notes[-1])
            return None
        vertices = case.in_metres(result.vertices_in_scan)
        errors = scan_to_mesh(case.region, outer_surface(result.template), vertices)
        fitted = FittedCase(case, result, errors)
        self.say(
            f"{case.name}: mean {errors.mean:.3f} mm, p95 {errors.p95:.3f} mm, "
            f"{fitted.seconds:.1f} s"
        )
        return fitted


def skin_errors(
    case: BenchScan, template: Template, skin: Float[np.ndarray, "skin 3"]
) -> ErrorSamples:
    """Errors of a bare skin (scan frame and unit) without eyeballs."""
    surface = label_surface(outer_surface(template).skin_faces, np.zeros((0, 3), dtype=np.int64))
    return scan_to_mesh(case.region, surface, case.in_metres(skin))
