"""Steps of the default recipe: sockets that follow their lids, expressions that are told apart."""

import numpy as np
import pytest
from synthetic_fits import SHORT, random_head, scan_of

from rigface.fit.registration import carry_inside
from rigface.fit.scan import ScanConfig, fit_scan
from rigface.rig.template_io import load_template


def socket(side: str) -> np.ndarray:
    """Skin vertices of a socket that no scan shows."""
    template = load_template()
    skin = template.parts["skin"].vertices
    hidden = ~template.regions["outer"][skin]
    return np.flatnonzero(template.regions[f"socket.{side}"][skin] & hidden)


def test_sockets_go_where_their_lids_go():
    template = load_template()
    before = template.mesh.vertices[template.parts["skin"].vertices]
    outer = template.regions["outer"][: len(before)]
    shift = np.array([0.002, -0.003, 0.005])
    goal = before.copy()
    goal[outer & (before[:, 0] > 0)] += shift  # the left half of the outer skin
    found = carry_inside(template, before, goal)
    left, right = socket("L"), socket("R")
    assert len(left) > 20 and len(right) > 20
    assert np.abs(found[left] - before[left] - shift).max() < 1e-4
    np.testing.assert_allclose(found[right], before[right], atol=1e-12)
    others = np.setdiff1d(np.arange(len(before)), np.concatenate([left, right]))
    np.testing.assert_array_equal(found[others], goal[others])


def test_expressions_are_recovered_roughly():
    template = load_template()
    wanted = {"jawOpen": 0.5, "mouthSmileLeft": 0.6, "mouthSmileRight": 0.6, "browInnerUp": 0.7}
    vertices = random_head(5)
    for name, weight in wanted.items():
        index, offset = template.expressions.of(name)
        vertices[index] += weight * offset
    scan, scan_from_model = scan_of(vertices)
    config = ScanConfig(expression="fit", samples=2000, registration=SHORT)
    result = fit_scan(scan, config, start=scan_from_model)
    found = np.array([result.expression.get(name, 0.0) for name in template.expressions.names])
    true = np.array([wanted.get(name, 0.0) for name in template.expressions.names])
    assert np.corrcoef(found, true)[0, 1] > 0.6
    for name in ("jawOpen", "mouthSmileLeft", "mouthSmileRight"):
        assert result.expression[name] == pytest.approx(wanted[name], abs=0.3), name
    assert result.errors.mean < 0.3 and result.ok
