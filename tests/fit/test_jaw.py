"""The share of the jaw in the skin's motion, and weights that follow it."""

import numpy as np
import pytest
from synthetic_fits import fitted

from rigface.export.evaluate import posed_vertices
from rigface.fit.jaw import follow_jaw, jaw_share
from rigface.fit.rig_asset import rig_asset
from rigface.rig.template_io import load_template

HALF = np.deg2rad(20.0) / 2
JAW = {"jaw": [np.cos(HALF), np.sin(HALF), 0, 0]}


def test_jaw_takes_the_lower_face_along() -> None:
    result = fitted()
    template = result.template
    asset = rig_asset(result, "baked")
    moved = posed_vertices(asset, JAW) - posed_vertices(asset)
    teeth = template.parts["teeth.lower"].vertices
    drop = -moved[teeth, 1].mean()
    middle = len(template.loops["lip.lower"]) // 2
    lower, upper = (template.loops[f"lip.{row}"][middle] for row in ("lower", "upper"))
    assert -moved[lower, 1] > 0.8 * drop > 0.008
    assert np.linalg.norm(moved[upper]) < 0.2 * drop
    assert np.abs(moved[template.parts["teeth.upper"].vertices]).max() < 1e-12
    assert np.abs(moved[template.regions["forehead"]]).max() < 1e-4


def test_jaw_share_lies_between_still_and_teeth() -> None:
    template = load_template()
    share = jaw_share(template)
    assert share[template.parts["teeth.lower"].vertices] == pytest.approx(1.0, abs=1e-3)
    assert share[template.regions["forehead"]].max() < 1e-3


def test_follow_jaw_keeps_sums() -> None:
    weights = np.array([[0.5, 0.3, 0.2, 0.0], [0.1, 0.9, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    share = np.array([0.9, 0.2, 0.0])
    out = follow_jaw(weights, share, below_jaw=[1, 3], jaw=3, head=0)
    assert out.sum(axis=1) == pytest.approx([1, 1, 1])
    assert out[:, [1, 3]].sum(axis=1) == pytest.approx(share)
    assert out[0, 1] == 0.3 and out[2].tolist() == weights[2].tolist()
