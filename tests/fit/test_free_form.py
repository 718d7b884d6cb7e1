"""Free form meets its target, keeps what no scan shows, and affine maps cost it nothing."""

import numpy as np
import torch
from synthetic_fits import truth

from rigface.fit.free_form import FreeForm, affine_image, register_free_form
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
