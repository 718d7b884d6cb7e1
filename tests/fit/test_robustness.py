"""However a scan comes, its fit is as good as promised, or the user is told that it is not.

Whole fits without landmarks or a start, measured against the clean scan: at most twice its mean
error or 0.35 mm, whichever is larger. A synthetic head and a short schedule by default; real scans
and the default schedule with `-m slow`.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from synthetic_fits import SHORT, truth

from rigface.bench.registration_data import BenchScan, named_scan
from rigface.bench.robustness import FLOOR_MM, Outcome, try_variant
from rigface.bench.scan_variants import (
    Variant,
    all_variants,
    cut,
    flipped_winding,
    in_unit,
    mirrored,
    noisy,
    rotated,
    with_floaters,
    with_outliers,
)
from rigface.fit.scan import ScanConfig
from rigface.geometry.mesh import Mesh
from rigface.rig.template_io import load_template

QUICK = ScanConfig(samples=2000, registration=SHORT)


@lru_cache(maxsize=1)
def synthetic() -> BenchScan:
    scan, template = truth().scan, load_template()
    assert scan.faces is not None
    where = template.landmarks.positions(truth().vertices, template.mesh.faces)
    nose = truth().scan_from_model.apply(where[template.landmarks.names.index("ibug.30")])
    clean = Mesh(scan.vertices * 0.001, scan.faces)
    return BenchScan("synthetic", scan, 0.001, nose, "made here", clean)


def after(first: Variant, change, *options) -> Variant:
    """Another change on top of one that keeps the vertices."""
    case = synthetic()
    spoiled = BenchScan(case.name, first.scan, 0.001, case.nose_tip, case.credit, case.clean)
    second = change(spoiled, *options)
    return Variant(
        f"{first.name}, {second.name}", second.scan, first.linear @ second.linear, first.kept_faces
    )


def damaged(name: str) -> Variant:
    case = synthetic()
    turn = Rotation.random(rng=np.random.default_rng(3)).as_matrix()
    upside_down = Rotation.from_euler("z", 180, degrees=True).as_matrix()
    return {
        "turned, in inches, inside out": lambda: after(
            after(flipped_winding(case), in_unit, "inch", 0.0254), rotated, turn, "turned"
        ),
        "mirrored, noisy": lambda: after(mirrored(case), noisy),
        "half, upside down": lambda: after(cut(case, "left"), rotated, upside_down, "upside down"),
        "a fifth of the points strays": lambda: with_outliers(case),
        "a fifth of the triangles strays": lambda: with_floaters(case),
    }[name]()


@pytest.mark.parametrize(
    "name",
    [
        "turned, in inches, inside out",
        "mirrored, noisy",
        "half, upside down",
        "a fifth of the points strays",
        "a fifth of the triangles strays",
    ],
)
def test_a_spoiled_synthetic_scan_is_fitted(name):
    outcome = try_variant(damaged(name), synthetic(), QUICK)
    assert outcome.failure is None
    assert outcome.mean < FLOOR_MM
    assert outcome.coverage > 0.95


def test_the_back_of_a_head_fails_aloud():
    """The back of the head alone: refused, or a fit that is marked as bad."""
    case = synthetic()
    behind = case.scan.vertices[:, 2] < np.percentile(case.scan.vertices[:, 2], 45)
    assert case.scan.faces is not None
    faces = case.scan.faces[behind[case.scan.faces].all(axis=1)]
    used, flat = np.unique(faces, return_inverse=True)
    scan = type(case.scan)(case.scan.vertices[used], flat.reshape(-1, 3))
    outcome = try_variant(Variant("back", scan, np.eye(3)), case, QUICK)
    assert outcome.failure is not None


REAL = {
    # Cut open, this head shows its modelled mouth bag: too little face, or too much else.
    "lee_perry_smith": ("left half cut away", "right half cut away"),
    "meshmonk_fullres": (),
}
"""Scans, and the variants that may fail if they say so; all others must be fitted."""
VARIANTS = (
    "upside down", "facing away", "rotated 1", "rotated 2", "rotated 3", "in mm", "in cm", "in m",
    "in inch", "flipped winding", "mirrored", "decimated to 10 %", "0.3 mm noise",
    "left half cut away", "right half cut away", "20 % outlier points", "20 % floating triangles",
    "bare point cloud",
)  # fmt: skip


@lru_cache(maxsize=1)
def real(name: str, folder: Path) -> tuple[BenchScan, Outcome, dict[str, Variant]]:
    case = named_scan(name, folder)
    clean = try_variant(Variant("clean", case.scan, np.eye(3)), case)
    return case, clean, {variant.name: variant for variant in all_variants(case)}


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", REAL)
def test_a_spoiled_real_scan_is_fitted_or_named(data_dir, name, variant):
    case, clean, variants = real(name, data_dir)
    assert tuple(variants) == VARIANTS
    assert clean.failure is None and clean.coverage > 0.95
    outcome = try_variant(variants[variant], case)
    assert outcome.kept(clean.mean)
    assert outcome.failure is None or variant in REAL[name]
