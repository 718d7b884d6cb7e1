"""Peers on one scan beside our default recipe: their rows and their table."""

from collections.abc import Sequence
from pathlib import Path

from rigface.bench.peers import (
    AMBERG_SCHEDULES,
    PEERS,
    PeerFit,
    measure_peer,
    peer_start,
    peer_target,
    run_peer,
)
from rigface.bench.registration_fits import Fits, FittedCase
from rigface.bench.registration_ict import fit_ict
from rigface.bench.registration_setup import Prepared
from rigface.bench.table import Grid, Row, format_number
from rigface.errors import RigfaceError
from rigface.fit.scan import ScanConfig
from rigface.metrics.distance import ErrorSamples
from rigface.metrics.outer import outer_surface
from rigface.rig.template_io import load_template

HEADER = ("method", "variables", "mean mm", "p95 mm", "coverage %", "flipped %", "crossings", "s")
OWN = {
    "linear 3DMM, our template": ScanConfig(model="linear"),
    "ASM, the paper's recipe": ScanConfig(recipe="paper"),
}
ALL_PEERS = tuple(PEERS)
assert all(f"nricp_amberg {name}" in PEERS for name in AMBERG_SCHEDULES)

Cells = tuple[str, ...]


def peer_report(
    fits: Fits, ours: FittedCase, prepared: Prepared, names: Sequence[str], data: Path | None
) -> tuple[list[Row], Grid]:
    """Other people's methods by `names`, and with `data` our own simpler ones and ICT's."""
    case, on = ours.case, ours.case.name
    rows, table = [], [_own_cells("ASM, default recipe", ours)]
    template = load_template()
    aligned = case.in_metres(prepared.scan_from_fit.apply(template.mesh.vertices))
    start = peer_start(aligned, outer_surface(template).skin_faces)
    target = peer_target(case.clean, case.in_metres(case.nose_tip))
    for name in names:
        fits.say(f"peer {name}")
        found = run_peer(name, start, target)
        if isinstance(found, str):
            fits.notes.append(found)
            rows += _ratio_rows(name, on, float("nan"), float("nan"), 1.0)
            continue
        errors, quality = measure_peer(found, start, case.region)
        table.append(_cells(found, errors, 100 * quality.flipped_share, quality.self_intersections))
        rows += _ratios(name, ours, errors, found.seconds, 1.0)
    if data is not None:
        own_rows, own_cells = _simpler(fits, ours, prepared, data)
        rows, table = rows + own_rows, table + own_cells
    return rows, Grid(f"Peers on {on}", HEADER, table)


def _simpler(
    fits: Fits, ours: FittedCase, prepared: Prepared, data: Path
) -> tuple[list[Row], list[Cells]]:
    rows, table = [], []
    apart = Fits(fits.say, fits.notes, fits.starts)
    for name, config in OWN.items():
        fitted = apart.of(ours.case, config)
        if fitted is not None:
            table.append(_own_cells(name, fitted))
            rows += _ratios(name, ours, fitted.errors, fitted.seconds, None)
    try:
        found, errors, quality = fit_ict(data, prepared)
    except RigfaceError as error:
        fits.notes.append(f"No linear 3DMM of ICT-FaceKit: {error}")
        return rows, table
    table.append(_cells(found, errors, 100 * quality.flipped_share, quality.self_intersections))
    return rows + _ratios(found.name, ours, errors, found.seconds, None), table


def _ratios(
    name: str, ours: FittedCase, errors: ErrorSamples, seconds: float, limit: float | None
) -> list[Row]:
    mean = errors.mean / ours.errors.mean
    return _ratio_rows(name, ours.case.name, mean, seconds / ours.seconds, limit)


def _ratio_rows(name: str, on: str, mean: float, seconds: float, limit: float | None) -> list[Row]:
    return [
        Row(f"mean error of {name} over ours", on, mean, "x", limit, "higher"),
        Row(f"time of {name} over ours", on, seconds, "x", limit, "higher"),
    ]


def _own_cells(name: str, fitted: FittedCase) -> Cells:
    quality = fitted.result.quality
    found = PeerFit(name, fitted.in_metres, fitted.seconds, 0.0, fitted.result.variables, "")
    crossings = quality["self_intersections"]
    return _cells(found, fitted.errors, 100 * quality["flipped"], crossings)


def _cells(fit: PeerFit, errors: ErrorSamples, flipped: float, crossings: int) -> Cells:
    numbers = (errors.mean, errors.p95, 100 * errors.coverage, flipped, crossings, fit.seconds)
    return (fit.name, f"{fit.variables:,}", *map(format_number, numbers))
