"""Rows of `rigface bench registration` that our own fits alone answer, with their limits."""

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rigface.bench.peers import icp, peer_start, peer_target
from rigface.bench.registration_data import BenchScan
from rigface.bench.registration_fits import Fits, FittedCase
from rigface.bench.table import Row
from rigface.errors import RigfaceError
from rigface.fit.outcome import MIN_COVERAGE
from rigface.fit.scan import ScanConfig
from rigface.metrics.correspondence import correspondence_errors
from rigface.metrics.outer import label_surface, outer_surface
from rigface.rig.template_io import load_template

NAN = float("nan")
EXPRESSION_FIT = ScanConfig(expression="fit")
SCAN_LIMITS: dict[str, tuple[float, float | None]] = {
    "lee_perry_smith": (0.20, 0.60),
    "meshmonk_fullres": (0.25, 0.75),
    "meshmonk_10k": (0.45, None),
}
"""Mean and p95, millimetres."""
HEAVY = ("torch", "warp", "trimesh", "anny")
"""What `rigface --help` must not import."""


def scan_rows(fits: Fits, case: BenchScan) -> list[Row]:
    """Mean, p95 and coverage of the default recipe on a real scan."""
    fitted = fits.of(case)
    mean_limit, p95_limit = SCAN_LIMITS[case.name]
    mean, p95, coverage = NAN, NAN, NAN
    if fitted is not None:
        mean, p95, coverage = fitted.errors.mean, fitted.errors.p95, fitted.errors.coverage
    return [
        Row("scan-to-mesh mean", case.name, mean, "mm", mean_limit),
        Row("scan-to-mesh p95", case.name, p95, "mm", p95_limit),
        _coverage_row(case.name, coverage),
    ]


def expression_rows(fits: Fits, heads: Sequence[BenchScan]) -> list[Row]:
    """Noisy ICT heads with identity and expression, `--expression fit`."""
    fitted = [fits.of(head, EXPRESSION_FIT) for head in heads]
    means = [NAN if one is None else one.errors.mean for one in fitted]
    coverage = [NAN if one is None else one.errors.coverage for one in fitted]
    on = f"{len(heads)} ICT heads"
    return [
        Row("with expression: mean", on, float(np.mean(means)), "mm", 0.30),
        Row("with expression: worst mean", on, float(np.max(means)), "mm"),
        _coverage_row(on, float(np.min(coverage))),
    ]


def correspondence_rows(fits: Fits, pairs: Sequence[tuple[BenchScan, BenchScan]]) -> list[Row]:
    """One simulated face carried to another through our fits, and through plain ICP."""
    outer = outer_surface(load_template())
    ours, plain, coverage = [], [], []
    for a, b in pairs:
        fitted = fits.of(a), fits.of(b)
        ours.append(_carried(fitted, outer))
        coverage += [NAN if one is None else one.errors.coverage for one in fitted]
        plain.append(_carried_by_icp(fits, a, b))
    on = f"{len(pairs)} simulated pairs"
    return [
        Row("correspondence error, mean", on, float(np.mean(ours)), "mm", 2.0),
        Row("correspondence error, worst pair", on, float(np.max(ours)), "mm", 2.5),
        Row("correspondence error of plain ICP, mean", on, float(np.mean(plain)), "mm"),
        _coverage_row(on, float(np.min(coverage))),
    ]


def quality_rows(fits: Fits) -> list[Row]:
    """The worst mesh among all fits made so far."""
    good = fits.all_good()
    on = f"worst of {len(good)} fits"

    def worst(key: str) -> float | int:
        return max((one.result.quality[key] for one in good), default=NAN)

    contact = "(rest, blink, jawOpen)"
    return [
        Row("flipped triangles", on, 100 * worst("flipped"), "%", 0.1),
        Row("self-intersecting pairs", on, worst("self_intersections"), "", 0),
        Row(f"lid-eyeball crossings {contact}", on, worst("lid_eyeball"), "", 0),
        Row(f"lip-teeth crossings {contact}", on, worst("lip_teeth"), "", 0),
    ]


def lod_rows(fitted: FittedCase) -> list[Row]:
    """Mean error of the refined levels over that of level 0."""
    on, base = fitted.case.name, fitted.errors.mean
    return [
        Row(f"error at lod {lod} over lod 0", on, fitted.errors_at(lod).mean / base, "x", 1.1)
        for lod in (1, 2)
    ]


def time_row(fitted: FittedCase) -> Row:
    """Wall clock of the fit stage."""
    return Row("fit stage", fitted.case.name, fitted.seconds, "s", 10.0)


def help_row() -> Row:
    """How many heavy packages `rigface --help` imports."""
    code = (
        "import sys\nfrom rigface.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"sys.stderr.write(str(sum(name in sys.modules for name in {HEAVY!r})))"
    )
    source = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=source
    )
    value = int(done.stderr) if done.stderr.isdigit() else NAN
    return Row("imports of " + ", ".join(HEAVY), "rigface --help", value, "", 0)


def _coverage_row(on: str, share: float) -> Row:
    return Row("coverage", on, 100 * share, "%", 100 * MIN_COVERAGE, "higher")


def _carried(fitted: tuple[FittedCase | None, FittedCase | None], outer) -> float:
    a, b = fitted
    if a is None or b is None:
        return NAN
    nose = a.case.in_metres(a.case.nose_tip)
    meshes = a.case.clean, b.case.clean
    return correspondence_errors(meshes, (a.in_metres, b.in_metres), outer, nose).mean


def _carried_by_icp(fits: Fits, a: BenchScan, b: BenchScan) -> float:
    template = load_template()
    outer = outer_surface(template)
    moved, faces = [], None
    for case in (a, b):
        try:
            aligned = case.in_metres(fits.start(case).apply(template.mesh.vertices))
        except RigfaceError as error:
            fits.notes.append(f"No start for ICP on {case.name}: {error}")
            return NAN
        start = peer_start(aligned, outer.skin_faces)
        target = peer_target(case.clean, case.in_metres(case.nose_tip))
        moved.append(icp(start, target).vertices)
        faces = start.faces
    assert faces is not None
    surface = label_surface(faces, np.zeros((0, 3), dtype=np.int64))
    meshes = a.clean, b.clean
    error = correspondence_errors(
        meshes, (moved[0], moved[1]), surface, a.in_metres(a.nose_tip)
    ).mean
    return error if math.isfinite(error) else NAN
