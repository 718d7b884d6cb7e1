"""Sweeps on one scan: Gaussians per bone, ablation of ASM, robustness to spoiled scans."""

from dataclasses import replace

from rigface.bench.registration_data import BenchScan
from rigface.bench.registration_fits import Fits, FittedCase
from rigface.bench.robustness import promised, try_variant
from rigface.bench.scan_variants import all_variants
from rigface.bench.table import Grid, Row, format_number
from rigface.export.pruning import measure_pruning
from rigface.fit.registration_settings import BINDING, MIXTURE, TAU
from rigface.fit.rig_asset import baked_asset
from rigface.fit.scan import ScanConfig

ABLATION = {
    "fixed weights": TAU,
    "+ GMM": TAU + MIXTURE,
    "+ binding": TAU + BINDING,
    "+ both": TAU + BINDING + MIXTURE,
}
GAUSSIANS = (1, 2, 3, 4, 5)


def gaussians_grid(fits: Fits, case: BenchScan) -> Grid:
    """K = 1..5: variables, closeness, time, and what four influences per vertex cost."""
    rows = []
    for k in GAUSSIANS:
        fitted = fits.of(case, ScanConfig(gaussians=k))
        if fitted is None:
            continue
        pruning = measure_pruning(baked_asset(fitted.result))
        numbers = (*_closeness(fitted), fitted.seconds, pruning.mean_mm, pruning.max_mm)
        rows.append((str(k), f"{fitted.result.variables:,}", *map(format_number, numbers)))
    header = ("K", "variables", "mean mm", "p95 mm", "s", "pruning mean mm", "pruning max mm")
    return Grid(f"Gaussians per bone, {case.name}", header, rows)


def ablation_grid(fits: Fits, case: BenchScan) -> Grid:
    """What the free Gaussians and the free binding add to the bones, K = 2."""
    rows = []
    for name, free in ABLATION.items():
        default = ScanConfig()
        config = replace(default, registration=replace(default.registration, free=free))
        fitted = fits.of(case, default if config == default else config)
        if fitted is None:
            continue
        table = fitted.result.model.inner.table
        count = sum(table[block].size for block in free)
        quality = fitted.result.quality
        numbers = (
            *_closeness(fitted),
            100 * quality["flipped"],
            quality["self_intersections"],
            fitted.seconds,
        )
        rows.append((name, f"{count:,}", *map(format_number, numbers)))
    header = ("ASM", "free variables", "mean mm", "p95 mm", "flipped %", "crossings", "s")
    return Grid(f"Ablation, {case.name}", header, rows)


def regions_grid(fitted: FittedCase) -> Grid:
    """Where on the face the error is: what to look at when a figure is missed."""
    rows = [
        (
            name,
            *map(format_number, (100 * len(part.mm) / len(fitted.errors.mm), part.mean, part.p95)),
        )
        for name, part in fitted.errors.by_region().items()
    ]
    return Grid(
        f"By region, {fitted.case.name}", ("region", "% of points", "mean mm", "p95 mm"), rows
    )


def robustness_sweep(fits: Fits, first: FittedCase) -> tuple[Row, Grid]:
    """Every spoiled version of the scan, measured against the clean region."""
    case, clean = first.case, first.errors.mean
    rows, broken = [], 0
    for variant in all_variants(case):
        outcome = try_variant(variant, case)
        fits.say(f"{outcome.name}: {outcome.mean:.3f} mm {outcome.failure or ''}".rstrip())
        broken += not outcome.kept(clean)
        numbers = (outcome.mean, outcome.p95, 100 * outcome.coverage, outcome.seconds)
        verdict = outcome.failure or ("ok" if outcome.kept(clean) else "silently bad")
        rows.append((outcome.name, *map(format_number, numbers), verdict[:100]))
    header = ("variant", "mean mm", "p95 mm", "coverage %", "s", "verdict")
    title = f"Robustness, {case.name}: {clean:.3f} mm clean, {promised(clean):.3f} mm promised"
    row = Row("spoiled scans with a bad fit that is not named", case.name, broken, "", 0)
    return row, Grid(title, header, rows)


def _closeness(fitted: FittedCase) -> tuple[float, float]:
    return fitted.errors.mean, fitted.errors.p95
