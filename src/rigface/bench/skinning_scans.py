"""JNR on scans of a population that it was never trained on, beside the 3DMM of ICT-FaceKit.

Correspondences are unknown: every model gets the raw scan, the same place found for the face, and
goes through its own default recipe (`rigface scan --model ...`, identity only). The 3DMM is fitted
with several strengths of its prior; the one with the least mean over all scans counts.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rigface.bench.registration_data import BenchScan, named_scan, simulated_face
from rigface.bench.registration_fits import Fits
from rigface.bench.registration_ict import IctPeer
from rigface.bench.table import Grid, Row, format_number
from rigface.fit.scan import ScanConfig
from rigface.fit.target import prepare_target
from rigface.models.jnr_asset import JnrKind
from rigface.rig.template_io import load_template
from rigface.solve.threads import one_thread

KINDS: tuple[JnrKind, ...] = ("jnr", "jnr-linear", "jnr-neural")
PRIORS = (1.0, 10.0, 100.0, 1000.0)
"""Pull of each identity mode of the 3DMM to zero, per sigma."""
NAMES = (
    *(f"SIMPOP_{number:02d}" for number in range(1, 11)),
    "meshmonk_fullres",
    "meshmonk_10k",
    "lee_perry_smith",
)
LIMIT_MM, LIMIT_SECONDS = 0.30, 15.0
_NEURAL = "jnr-neural"
_NAN = float("nan")


@dataclass(frozen=True)
class OneFit:
    """What counts of one fit; a fit that failed has NaN."""

    mean: float
    """Millimetres, scan to mesh over the face region."""
    seconds: float
    """Of the clock, for the whole fit but the search for the face, its measurement included."""
    refused: bool
    """By its own quality gate."""


@dataclass(frozen=True)
class OneScan:
    """All models on one scan."""

    name: str
    jnr: dict[str, OneFit]
    ict: dict[float, float]
    """Mean millimetres by strength of the prior."""


def scans_report(
    data: Path,
    fits: Fits,
    names: Sequence[str] = NAMES,
    kinds: Sequence[JnrKind] = KINDS,
    priors: Sequence[float] = PRIORS,
) -> tuple[list[Row], Row, Grid, list[str]]:
    """Rows of (c), the row of the time, the table and notes; raises InputError without data."""
    peer = IctPeer.load(data)
    done = []
    for case in some_cases(data, names):
        found = OneScan(
            case.name,
            {kind: fit_jnr_on(case, fits, kind) for kind in kinds},
            fit_ict_on(case, fits, peer, priors),
        )
        fits.say(f"{case.name}: linear 3DMM {min(found.ict.values()):.3f} mm at its best")
        done.append(found)
    return error_rows(done), time_row(done), scans_grid(done), notes(done, peer)


def some_cases(data: Path, names: Iterable[str]) -> Iterable[BenchScan]:
    """One after the other, so that no more than one scan is in memory."""
    for name in names:
        number = name.removeprefix("SIMPOP_")
        yield simulated_face(data, int(number)) if number != name else named_scan(name, data)


def fit_jnr_on(case: BenchScan, fits: Fits, kind: JnrKind) -> OneFit:
    """As `rigface scan --model` does it."""
    fits.start(case)
    assert case.region is not None  # drawn before the clock starts
    began = time.perf_counter()
    fitted = fits.of(case, ScanConfig(model=kind))
    if fitted is None:
        return OneFit(_NAN, _NAN, True)
    if not fitted.result.ok:
        fits.notes.append(f"{kind} on {case.name} was refused: {fitted.result.reason}")
    return OneFit(fitted.errors.mean, time.perf_counter() - began, not fitted.result.ok)


def fit_ict_on(
    case: BenchScan, fits: Fits, peer: IctPeer, priors: Sequence[float]
) -> dict[float, float]:
    """Mean error by prior, from one shape fit; the scan's samples are those of our own fits."""
    start, config = fits.start(case), ScanConfig()
    target = prepare_target(
        case.scan, start.inverse(), load_template(), config.samples, config.seed
    )
    matcher = peer.matcher(target)
    with one_thread():
        first = peer.shape(matcher)
        done = {prior: peer.modes(first, matcher, prior) for prior in priors}
    return {prior: peer.errors(fit, case, start).mean for prior, fit in done.items()}


def best_prior(done: Sequence[OneScan]) -> tuple[float, float]:
    """The prior of the 3DMM with the least mean over all scans, and that mean."""
    means = {prior: float(np.mean([one.ict[prior] for one in done])) for prior in done[0].ict}
    best = min(means, key=means.__getitem__)
    return best, means[best]


def error_rows(done: Sequence[OneScan]) -> list[Row]:
    """Mean over scans of every model; a missing fit makes its mean NaN."""
    on = _on(done)
    prior, ict = best_prior(done)
    rows = [Row(f"(c) linear ICT 3DMM, 100 modes, best prior ({prior:g})", on, ict, "mm")]
    for kind in done[0].jnr:
        limit = LIMIT_MM if kind == _NEURAL else None
        rows.append(Row(f"(c) {kind}, scan to mesh", on, _mean(done, kind), "mm", limit))
    less = ict - _mean(done, _NEURAL)
    rows.append(Row("(c) neural below that 3DMM, difference", on, less, "mm", 1e-3, "higher"))
    refused = sum(one.jnr[_NEURAL].refused for one in done)
    rows.append(Row("(c) neural fits that the quality gate refuses", on, refused, "", 0))
    return rows


def time_row(done: Sequence[OneScan]) -> Row:
    """The slowest scan counts."""
    seconds = max((one.jnr[_NEURAL].seconds for one in done), default=_NAN)
    return Row("fit of one scan with jnr-neural", f"slowest of {_on(done)}",
        seconds, "s", LIMIT_SECONDS)  # fmt: skip


def scans_grid(done: Sequence[OneScan]) -> Grid:
    """A line per scan, and one of means."""
    kinds, priors = tuple(done[0].jnr), tuple(done[0].ict)
    header = ("scan", *kinds, *(f"3DMM, prior {prior:g}" for prior in priors))
    rows = [
        (one.name, *(format_number(fit.mean) for fit in one.jnr.values()),
         *(format_number(mean) for mean in one.ict.values()))
        for one in done
    ]  # fmt: skip
    means = [_mean(done, kind) for kind in kinds]
    means += [float(np.mean([one.ict[prior] for one in done])) for prior in priors]
    rows.append(("mean", *map(format_number, means)))
    return Grid("(c) scan to mesh, unknown correspondences, mm", header, rows)


def notes(done: Sequence[OneScan], peer: IctPeer) -> list[str]:
    """What (c) compares."""
    modes = peer.model.table["identity"].size
    return [
        f"(c) scan to outer skin and eyeballs over the face region (docs/metrics.md), true "
        f"millimetres, {_on(done)}; no landmarks, one alignment for all models; the 3DMM has "
        f"{modes} identity modes and both blinks in its own topology, started and matched as our "
        "own shape space is. Fits that the gate refuses count in the means."
    ]


def _mean(done: Sequence[OneScan], kind: str) -> float:
    return float(np.mean([one.jnr[kind].mean for one in done]))


def _on(done: Sequence[OneScan]) -> str:
    return f"{len(done)} scans" if len(done) > 1 else done[0].name
