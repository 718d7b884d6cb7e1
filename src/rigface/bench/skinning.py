"""`rigface bench skinning`: what JNR's weights reach, at what size, on heads, scans and depth."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from rigface.bench.depth import LIMIT_MM as DEPTH_LIMIT_MM
from rigface.bench.depth import OTHERS, depth_report
from rigface.bench.machine import describe_machine
from rigface.bench.nicp import SCHEDULES, nicp_report
from rigface.bench.registration_data import data_dir
from rigface.bench.registration_fits import Fits
from rigface.bench.skinning_figure import draw_sizes
from rigface.bench.skinning_scans import KINDS, NAMES, PRIORS, scans_report
from rigface.bench.table import Grid, Report, Row, format_number
from rigface.datasets.ict import load_ict
from rigface.errors import RigfaceError
from rigface.learn.head_fit import HeadFit, fit_heads, vertex_errors
from rigface.learn.linear_skinning import symmetric_variables
from rigface.learn.skinning_heads import SkinningHeads, ict_skinning_heads
from rigface.learn.train_skinning import held_out_errors
from rigface.models.jnr_asset import JnrKind, Skinning, load_jnr, load_jnr_rig, load_skinning
from rigface.rig.template import Template
from rigface.rig.template_io import load_template
from rigface.solve.threads import one_thread

_RANKS = (5, 10, 20, 30, 50, 68, 84)
_LIMIT_MM, _TIMES_LOWER = 0.20, 3.0
_PAPER_LINEAR, _PAPER_NEURAL, _PAPER_VERTS = 24_698, 225_400, 5_236


@dataclass(frozen=True)
class Scope:
    """How much of the benchmark is run."""

    held: int | None = None
    """Symmetric held-out heads; None: all."""
    whole: int | None = None
    """Full ones."""
    scans: tuple[str, ...] = NAMES
    kinds: tuple[JnrKind, ...] = KINDS
    priors: tuple[float, ...] = PRIORS
    schedules: tuple[str, ...] = SCHEDULES
    peer: bool = True
    """nricp_amberg beside our NICP."""
    frames: tuple[int, ...] = OTHERS
    """Depth frames that the fit is measured on; none leaves it out."""


QUICK = Scope(2, 1, ("SIMPOP_01",), ("jnr-neural",), (10.0,), ("annealed",), False, ())


@dataclass(frozen=True)
class PcaError:
    """A vertex PCA of the training heads on the held-out ones."""

    modes: int
    floats: int
    mm: float


def skinning_report(
    data: Path | None, quick: bool, say: Callable[[str], None], figure: Path | None = None
) -> Report:
    """All rows that JNR is judged by; Figure 3 to `figure`. Raises InputError without data."""
    folder, scope = data_dir(data), QUICK if quick else Scope()
    rows, sizes, grids, notes = _heads_report(folder, scope, say, None if quick else figure)
    say("(c) scans")
    fits = Fits(say)
    scans, seconds, grid, told = scans_report(folder, fits, scope.scans, scope.kinds, scope.priors)
    rows, grids = [*rows, *scans, *sizes, seconds], [*grids, grid]
    notes += [*told, *dict.fromkeys(fits.notes)]
    for more, grid, told in (_nicp(folder, scope, say), _depth(folder, scope, say)):
        rows, grids, notes = [*rows, *more], [*grids, *grid], [*notes, *told]
    return Report("skinning", "JNR skinning", rows, describe_machine(), notes, grids)


def _heads_report(
    folder: Path, scope: Scope, say: Callable[[str], None], figure: Path | None
) -> tuple[list[Row], list[Row], list[Grid], list[str]]:
    """Known correspondences: rows of (a) and (b), rows of sizes and times, tables, notes."""
    template = load_template()
    say("heads")
    full = ict_skinning_heads(load_ict(folder / "ict_facekit"), template)
    even, learned = full.symmetrised(template), load_skinning(template)
    held, whole = even.held_out[: scope.held], full.held_out[: scope.whole]
    with one_thread():
        say("(a) symmetric heads")
        began = time.process_time()
        errors = held_out_errors(learned, held, template)
        seconds = (time.process_time() - began) / len(held)
        on_template = _on_template(held, template)
        say("(b) full heads")
        both = held_out_errors(learned, whole, template, asymmetric=True)
    symmetric_pca = [pca_error(even, held, rank) for rank in _RANKS]
    full_pca = [pca_error(full, whole, rank) for rank in _RANKS]
    rows = [
        *_known_rows(errors, on_template, len(held)),
        *_asymmetric_rows(both, full_pca[-1], len(whole), template),
    ]
    if figure is not None:
        figures = {name: float(e.mean()) for name, e in errors.items()}
        curve = [(p.floats, p.mm) for p in symmetric_pca]
        draw_sizes(figure, model_sizes(learned, template), figures, curve)
    grids = [_regions(errors, template), _pca_grid(symmetric_pca, full_pca)]
    sizes = [*_size_rows(learned), *_time_rows(learned, seconds)]
    return rows, sizes, grids, _notes(learned, full)


def _nicp(
    folder: Path, scope: Scope, say: Callable[[str], None]
) -> tuple[list[Row], list[Grid], list[str]]:
    say("NICP")
    with one_thread():
        rows, grid, notes = nicp_report(folder, scope.schedules, scope.peer)
    return rows, [grid], notes


def _depth(
    folder: Path, scope: Scope, say: Callable[[str], None]
) -> tuple[list[Row], list[Grid], list[str]]:
    """One depth frame; a fit that does not come out has a row that says so."""
    if not scope.frames:
        return [], [], ["The depth frame was left out."]
    say("depth")
    try:
        rows, grid, notes = depth_report(folder, scope.frames)
    except RigfaceError as error:
        row = Row("one depth frame, median distance", "TrueDepth mannequin", float("nan"), "mm",
            DEPTH_LIMIT_MM)  # fmt: skip
        return [row], [], [f"No fit to a depth frame: {error}"]
    return rows, [grid], notes


def model_sizes(learned: Skinning, template: Template) -> dict[str, int]:
    """Floats of each kind of weights."""
    initial = 3 * len(learned.rest) + len(load_jnr_rig(template).weights)
    return {"initial": initial, "linear": learned.linear_floats, "neural": learned.floats}


def pca_error(
    heads: SkinningHeads, held: Float[np.ndarray, "heads verts 3"], modes: int
) -> PcaError:
    """Mean distance of the held-out heads from the span of the first modes about the mean."""
    rows = heads.train.reshape(len(heads.train), -1)
    mean = rows.mean(axis=0)
    basis = np.linalg.svd(rows - mean, full_matrices=False)[2][:modes]
    lack = held.reshape(len(held), -1) - mean
    lack = (lack - (lack @ basis.T) @ basis).reshape(held.shape)
    return PcaError(modes, basis.size, 1e3 * float(np.linalg.norm(lack, axis=-1).mean()))


def _on_template(held: np.ndarray, template: Template) -> float:
    """Initial weights on the template itself instead of the mean head."""
    model = load_jnr(template, "jnr").to(torch.float32)
    targets = torch.from_numpy(held).float()
    start = model.table.zeros(len(targets)).float()
    x = fit_heads(model, targets, start, HeadFit(15), symmetric_variables(model))
    return float(vertex_errors(model, targets, x).mean())


def _known_rows(errors: dict[str, np.ndarray], on_template: float, heads: int) -> list[Row]:
    on = f"{heads} held-out symmetric ICT heads"
    mean = {name: float(e.mean()) for name, e in errors.items()}
    rows = [
        Row("(a) point to point: initial weights on the template", on, on_template, "mm"),
        Row("(a) point to point: initial weights on the mean head", on, mean["initial"], "mm"),
        Row("(a) learned linear weights", on, mean["linear"], "mm", mean["initial"]),
    ]
    if "neural" in mean:
        times = mean["initial"] / mean["neural"]
        rows += [
            Row("(a) neural weights", on, mean["neural"], "mm", _LIMIT_MM),
            Row("(a) neural below linear, difference", on, mean["linear"] - mean["neural"], "mm",
                1e-3, "higher"),
            Row("(a) initial error over neural error", on, times, "times", _TIMES_LOWER, "higher"),
        ]  # fmt: skip
    return rows


def _asymmetric_rows(
    errors: dict[str, np.ndarray], pca: PcaError, heads: int, template: Template
) -> list[Row]:
    model = load_jnr(template, "jnr-neural", asymmetric=True)
    on = f"{heads} held-out full ICT heads"
    rows = [Row(f"(b) PCA of the same 85 heads, {pca.modes} modes", on, pca.mm, "mm")]
    for name, error in errors.items():
        limit = pca.mm if name == "neural" else None
        count = model.table.size if name == "neural" else model.variables
        label = f"(b) {name} weights, asymmetric, {count} variables"
        rows.append(Row(label, on, float(error.mean()), "mm", limit))
    return rows


def _size_rows(learned: Skinning) -> list[Row]:
    verts = len(learned.rest)
    by_vertex = verts / _PAPER_VERTS
    return [
        Row("floats, linear", "3 per vertex + free weights", learned.linear_floats, "", 25_000),
        Row("floats, linear, the paper's scaled by vertices", f"{verts:,} vertices",
            round(_PAPER_LINEAR * by_vertex), ""),
        Row("floats, neural", "linear + decoder", learned.floats, "", 226_000),
        Row("floats, neural, the paper's scaled by vertices", f"{verts:,} vertices",
            round(_PAPER_NEURAL * by_vertex), ""),
    ]  # fmt: skip


def _time_rows(learned: Skinning, seconds: float) -> list[Row]:
    facts = learned.facts
    return [
        Row("training the linear weights, CPU time", "85 heads, as shipped",
            facts["linear_cpu_s"] / 60, "min", 15),
        Row("training the decoder (steps), CPU time", "as shipped",
            facts.get("neural_cpu_s", float("nan")) / 60, "min", 180),
        Row("fitting one head with all three kinds of weights, CPU time", "known correspondences",
            seconds, "s"),
    ]  # fmt: skip


def _regions(errors: dict[str, np.ndarray], template: Template) -> Grid:
    skin = template.parts["skin"].vertices
    names = ("face", "outer", "inner", "forehead", "eyes", "nose", "lips", "ears", "scalp")
    rows = []
    for region in names:
        mask = template.regions[region][skin]
        rows.append((region, *(format_number(float(e[:, mask].mean())) for e in errors.values())))
    return Grid("(a) by region, mm", ("region", *errors), rows)


def _pca_grid(symmetric: list[PcaError], full: list[PcaError]) -> Grid:
    rows = [
        (str(s.modes), f"{s.floats:,}", format_number(s.mm), format_number(f.mm))
        for s, f in zip(symmetric, full, strict=True)
    ]
    header = ("modes", "floats", "symmetric heads, mm", "full heads, mm")
    return Grid("PCA of the same training heads", header, rows)


def _notes(learned: Skinning, heads: SkinningHeads) -> list[str]:
    train, validation, test = learned.facts["heads"]
    return [
        f"Data: {heads.source}, registered to the template with exact correspondences; {train} for "
        f"training, {validation} for validation, {test} held out. Symmetric heads have their "
        "antisymmetric modes zeroed.",
        "Metric: mean distance between corresponding vertices, over all skin vertices (mouth bag "
        "and eye sockets included), no alignment besides the root joint.",
        "All three kinds of weights start from the mean training head as rest shape and have the "
        "same 105 variables (neural: 50 more); `initial weights on the template` does not know it.",
        "Size: rest vertices and free weights count (left and right share theirs), for PCA the "
        "basis only, as in the paper.",
    ]
