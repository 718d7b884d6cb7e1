"""JNR with known correspondences: our recipe finds what it made, the paper's goes the same way."""

from dataclasses import replace

import numpy as np
import torch

from rigface.fit.jnr import Folds, fit_known
from rigface.fit.jnr_paper import JnrPaperRecipe, fit_known_paper
from rigface.metrics.outer import outer_surface
from rigface.models.jnr import JnrModel
from rigface.models.jnr_asset import load_jnr
from rigface.models.posed import PosedModel
from rigface.rig.jnr_expression import EXPRESSION_SHAPES
from rigface.rig.template_io import load_template


def coarse() -> JnrModel:
    """Every twentieth vertex, with made-up triangles between them."""
    model = load_jnr(load_template(), "jnr").at(torch.arange(0, 4200, 20))
    count = len(model.rest)
    ids = torch.arange(count)
    return replace(model, faces=torch.stack([ids, (ids + 1) % count, (ids + 2) % count], dim=1))


def goal(model: JnrModel) -> np.ndarray:
    noise = torch.randn(
        model.table.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    x = 0.3 * noise * model.table.column("sigma")
    for name, run in model.table.slices.items():
        if name.startswith("Root."):
            x[run] = 0.0
    return model.vertices(x).numpy()


def error_mm(vertices: torch.Tensor, targets: np.ndarray) -> float:
    return 1e3 * float(np.linalg.norm(vertices.numpy() - targets, axis=1).mean())


def test_known_correspondences_are_met():
    model = coarse()
    targets = goal(model)
    posed = PosedModel.build(model)
    start = posed.table.zeros()
    before = error_mm(posed.vertices(start), targets)
    x, reports = fit_known(posed, start, targets, np.ones(len(targets)))
    assert error_mm(posed.vertices(x), targets) < 0.15 * before
    assert all(report.result.ok for report in reports)


def test_the_papers_recipe_descends_and_the_printed_reading_barely_moves():
    model = coarse()
    targets = goal(model)
    before = error_mm(model.rest, targets)
    short = JnrPaperRecipe(steps=60, cycles=1, rate=3e-3)
    moved = error_mm(model.vertices(fit_known_paper(model, targets, short)), targets)
    printed = replace(short, reading="printed")
    held = error_mm(model.vertices(fit_known_paper(model, targets, printed)), targets)
    assert moved < 0.8 * before
    assert held > moved


def test_expression_shapes_are_fitted_beside_the_joints():
    model = load_jnr(load_template(), "jnr", asymmetric=True, expressions=True)
    model = model.at(torch.arange(0, 4200, 20))
    smiling = model.table.zeros()
    weights = model.table.slices["expression"]
    smiling[weights.start + EXPRESSION_SHAPES.index("cheekPuff")] = 0.6
    smiling[model.table.slices["Jaw_Root.translation"].start] = 0.004
    targets = model.vertices(smiling).numpy()
    posed = PosedModel.build(model)
    x, _ = fit_known(posed, posed.table.zeros(), targets, np.ones(len(targets)))
    assert error_mm(posed.vertices(x), targets) < 0.1
    found = x[posed.table.slices["expression"]]
    assert float((found - smiling[weights]).abs().max()) < 0.1


def test_folds_of_a_mouth_are_found_and_cost_nothing_where_there_are_none():
    template = load_template()
    calm = template.mesh.vertices[template.parts["skin"].vertices]
    folds = Folds(outer_surface(template).skin_faces, calm, calm)
    assert folds.barriers(calm) == (0, ())
    bitten = calm.copy()
    bitten[template.loops["lip.upper"][3:-3]] -= [0.0, 0.004, 0.0]
    count, terms = folds.barriers(bitten)
    assert count > 0
    for term in terms:
        assert term.energy(bitten) > 0
        assert term.energy(calm) == 0
