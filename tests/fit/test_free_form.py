"""Free form meets its target, keeps what no scan shows, and affine maps cost it nothing."""

import numpy as np
import scipy.sparse as sp
import torch
from synthetic_fits import truth

from rigface.fit.free_form import FreeForm, _Solver, affine_image, register_free_form
from rigface.fit.matching import Matcher, MatchRule, SkinTopology
from rigface.fit.stages import Wavelengths
from rigface.fit.target import prepare_target
from rigface.rig.template_io import load_template

MM = 1e-3


def test_it_reproduces_its_target():
    template = load_template()
    target = prepare_target(truth().scan, truth().scan_from_model.inverse(), template, 3000)
    matcher = Matcher(SkinTopology.of_template(template), target)
    skin = template.parts["skin"].vertices
    goal = truth().vertices[skin]
    start = goal + 2 * MM * np.sin(40 * goal)
    rule = MatchRule(8 * MM, 0.5, 1 * MM, slide=0.05, reverse=0.3)
    schedule = FreeForm(rule, (Wavelengths(0.03, 0.12), Wavelengths(0.02, 0.1)), 4 * MM)
    found = register_free_form(template.mesh.vertices[skin], start, matcher, schedule)
    surface = target.surface
    assert surface is not None
    face = template.regions["face"][skin]

    def distance(vertices: np.ndarray) -> float:
        near = surface.closest(torch.from_numpy(np.ascontiguousarray(vertices[face])))
        return float(near.distance.median())

    assert distance(start) > 0.5 * MM
    assert distance(found) < 0.15 * MM
    error = np.linalg.norm(found - goal, axis=1)[face].mean()
    assert error < np.linalg.norm(start - goal, axis=1)[face].mean()


def test_affine_image_undoes_affine_maps(rng):
    points = rng.standard_normal((50, 3))
    moved = points @ rng.standard_normal((3, 3)) + 2.0
    used = np.arange(0, 50, 3)
    np.testing.assert_allclose(affine_image(points, moved, used), moved, atol=1e-12)


def test_a_factor_of_before_solves_the_next_system_too():
    rng = np.random.default_rng(0)
    spring = sp.diags([2.0 + rng.random(300), -np.ones(299), -np.ones(299)], [0, 1, -1])
    first = sp.csr_matrix(spring)
    second = sp.csr_matrix(first + sp.diags(0.3 * rng.random(300)))
    right = rng.standard_normal(300)
    solver = _Solver()
    np.testing.assert_allclose(first @ solver.solve(first, right), right, atol=1e-4)
    factor = solver._factor
    np.testing.assert_allclose(second @ solver.solve(second, right), right, atol=2e-3)
    assert solver._factor is factor
    far = sp.csr_matrix(first * 1e3 + sp.diags(1e6 * rng.random(300)))
    np.testing.assert_allclose(far @ solver.solve(far, right), right, atol=2e-3)
    assert solver._factor is not factor
