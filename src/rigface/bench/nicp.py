"""Our optimal-step NICP beside trimesh's `nricp_amberg`: one scan, one start, equal schedules."""

import time
from pathlib import Path

from rigface.bench.peers import (
    AMBERG_SCHEDULES,
    PeerFit,
    measure_peer,
    peer_start,
    peer_target,
    run_peer,
)
from rigface.bench.registration_data import lee_perry_smith
from rigface.bench.table import Grid, Row, format_number
from rigface.fit.alignment import align
from rigface.fit.nicp import NicpSettings, NicpStep, nicp
from rigface.geometry.mesh import Mesh
from rigface.metrics.distance import ErrorSamples
from rigface.metrics.outer import outer_surface
from rigface.rig.template_io import load_template

SCHEDULES = ("annealed", "long")
HEADER = ("method", "mean mm", "p95 mm", "coverage %", "flipped %", "crossings", "CPU s")
SOONER = 3.0


def nicp_report(
    data: Path, schedules: tuple[str, ...] = SCHEDULES, peer: bool = True
) -> tuple[list[Row], Grid, list[str]]:
    """Rows, table and notes; without `peer` only ours are measured.

    Both get the outer skin of the template, aligned, and the visible part of the scan (`peers`).
    Seconds are those of this process, so that a busy machine does not decide.
    """
    case = lee_perry_smith(data)
    template = load_template()
    aligned = case.in_metres(
        align(case.scan, template).scan_from_model.apply(template.mesh.vertices)
    )
    start = peer_start(aligned, outer_surface(template).skin_faces)
    target = peer_target(case.clean, case.in_metres(case.nose_tip))
    register(start, target, schedules[0])  # the first call pays for compiling the queries
    rows, cells, notes = [], [], []
    for name in schedules:
        own = register(start, target, name)
        errors, quality = measure_peer(own, start, case.region)
        faults = (100 * quality.flipped_share, quality.self_intersections)
        cells.append(_cells(own, errors, *faults))
        found = run_peer(f"nricp_amberg {name}", start, target) if peer else "the peer was left out"
        if isinstance(found, str):
            notes.append(found)
            rows.append(Row(f"NICP, mean error ({name})", case.name, errors.mean, "mm"))
            continue
        theirs, quality = measure_peer(found, start, case.region)
        faults = (100 * quality.flipped_share, quality.self_intersections)
        cells.append(_cells(found, theirs, *faults))
        sooner = found.cpu_seconds / own.cpu_seconds
        rows += [
            Row(f"NICP, mean error ({name})", case.name, errors.mean, "mm", theirs.mean),
            Row(f"CPU time of nricp_amberg over ours ({name})", case.name, sooner, "x", SOONER,
                "higher"),
        ]  # fmt: skip
    return rows, Grid(f"NICP on {case.name}, equal stiffness", HEADER, cells), notes


def register(start: Mesh, target: Mesh, schedule: str) -> PeerFit:
    """Ours with the stiffness and iterations of one of the peer's schedules."""
    steps = [
        NicpStep(stiffness, iterations=int(iterations))
        for stiffness, _, _, iterations in AMBERG_SCHEDULES[schedule] or ()
    ]
    wall, cpu = time.perf_counter(), time.process_time()
    settings = NicpSettings(steps=steps)
    found = nicp(start.vertices, start.faces, target.vertices, target.faces, settings=settings)
    return PeerFit(
        f"rigface NICP ({schedule})",
        found.vertices,
        time.perf_counter() - wall,
        time.process_time() - cpu,
        12 * len(start.vertices),
        f"{found.iterations} pair searches, {found.factored} factorisations",
    )


def _cells(fit: PeerFit, errors: ErrorSamples, flipped: float, crossings: int) -> tuple[str, ...]:
    numbers = (errors.mean, errors.p95, 100 * errors.coverage, flipped, crossings, fit.cpu_seconds)
    return (fit.name, *map(format_number, numbers))
