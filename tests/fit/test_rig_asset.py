"""Both layouts of a fitted head: exact at rest, a jaw that takes the lower face along, lids that
shut, colours by anatomy."""

import numpy as np
import pytest
from fitted_head import fitted_head

from rigface.errors import UsageError
from rigface.export.evaluate import posed_vertices
from rigface.fit.jaw import follow_jaw, jaw_share
from rigface.fit.materials import MATERIALS, face_materials
from rigface.fit.parts import posed
from rigface.fit.rig_asset import rig_asset
from rigface.rig.template_io import load_template

HALF = np.deg2rad(20.0) / 2
JAW = {"jaw": [np.cos(HALF), np.sin(HALF), 0, 0]}


@pytest.mark.parametrize("layout", ["baked", "asm"])
def test_rest_and_expressions_are_the_fitted_head(layout: str) -> None:
    result = fitted_head()
    asset = rig_asset(result, layout)
    # The baked layout is exact; ASM's hierarchy goes through an inverse.
    assert np.abs(posed_vertices(asset) - result.head.vertices).max() < 1e-7
    opened = posed_vertices(asset, {}, {"jawOpen": 1.0})
    assert np.abs(opened - posed(result.head, ("jawOpen",))).max() < 1e-6


def test_jaw_takes_the_lower_face_along() -> None:
    result = fitted_head()
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


@pytest.mark.parametrize("side", ["Left", "Right"])
def test_blink_shuts_the_eye(side: str) -> None:
    """As tight as on the template, where the lids stay apart by a hair."""
    result = fitted_head()
    template = result.template
    upper, lower = (template.loops[f"lid.{row}.{side[0]}"] for row in ("upper", "lower"))
    rest, shut = result.head.vertices, posed(result.head, (f"eyeBlink{side}",))

    def opening(vertices: np.ndarray) -> float:
        nearest = np.linalg.norm(vertices[upper][:, None] - vertices[lower], axis=-1).min(axis=1)
        return float(nearest.max())

    at_rest = template.mesh.vertices
    index, offset = template.expressions.of(f"eyeBlink{side}")
    closed = at_rest.copy()
    closed[index] += offset
    assert opening(rest) > 5e-3
    assert opening(shut) < opening(closed) + 0.4e-3


def test_materials_follow_the_anatomy() -> None:
    template = load_template()
    material = face_materials(template)
    names = np.array([m.name for m in MATERIALS])[material]
    centre = template.mesh.vertices[template.mesh.faces].mean(axis=1)
    for side, ball in template.eyeballs.items():
        run = template.parts[f"eyeball.{side}"].faces
        away = np.linalg.norm((centre[run] - ball.centre)[:, :2], axis=1)
        front = centre[run][:, 2] > ball.centre[2]
        iris = names[run] == "iris"
        assert iris.any() and front[iris].all()
        assert away[names[run] == "pupil"].max() < away[iris].min() + 1e-3 < 6e-3
    skin = template.parts["skin"].faces
    assert set(names[skin]) == {"skin", "mouth"}
    inside = template.regions["mouth_cavity"][template.mesh.faces[skin]].all(axis=1)
    assert np.array_equal(names[skin] == "mouth", inside)


def test_finer_skin_keeps_weights_and_materials() -> None:
    result = fitted_head()
    coarse, fine = rig_asset(result), rig_asset(result, lod=1)
    count = len(coarse.vertices[result.template.parts["skin"].vertices])
    assert np.allclose(posed_vertices(fine, JAW)[:count], posed_vertices(coarse, JAW)[:count])
    share = np.bincount(fine.face_material, minlength=7)[:2]
    assert np.array_equal(share, 4 * np.bincount(coarse.face_material, minlength=7)[:2])


def test_asm_layout_has_one_level_of_detail() -> None:
    with pytest.raises(UsageError, match="--lod 0"):
        rig_asset(fitted_head(), "asm", lod=1)
