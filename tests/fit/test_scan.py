"""A head that is known exactly is scanned, fitted and compared, vertex by vertex."""

import numpy as np
import pytest
from synthetic_fits import SHORT, fitted, truth

from rigface.errors import InputError
from rigface.evidence.scan import Scan
from rigface.fit.scan import ScanConfig, fit_scan
from rigface.fit.unit import METRES_PER_UNIT, decide_unit
from rigface.geometry.similarity import Similarity
from rigface.rig.template_io import load_template


def correspondence_mm(result) -> np.ndarray:
    """Distance of each face vertex to where it truly belongs."""
    face = load_template().regions["face"]
    expected = truth().scan_from_model.apply(truth().vertices)
    return np.linalg.norm(result.vertices_in_scan - expected, axis=1)[face]


def test_the_truth_is_found_again():
    result = fitted()
    assert result.ok and result.reason is None and result.warnings == ()
    assert result.errors.mean < 0.25 and result.errors.coverage > 0.99
    error = correspondence_mm(result)
    assert error.mean() < 1.6
    assert result.variables == 84 * 23


def test_the_fitted_mesh_is_clean():
    quality = fitted().quality
    assert quality["flipped_triangles"] == 0 and quality["self_intersections"] == 0
    assert quality["lid_eyeball"] == 0 and quality["lip_teeth"] == 0


def test_unit_and_size_come_from_the_face():
    result = fitted()
    assert result.unit.name == "mm" and result.unit.metres_per_unit == 1e-3
    assert result.scan_from_model.scale == pytest.approx(1000.0)
    skin = load_template().parts["skin"].vertices
    spans = [np.ptp(v[skin][:, 1]) for v in (result.vertices, truth().vertices)]
    assert spans[0] == pytest.approx(spans[1], rel=0.05)


def test_eyes_are_in_the_true_sockets():
    result = fitted()
    for side in "LR":
        run = load_template().parts[f"eyeball.{side}"].vertices
        expected = truth().scan_from_model.apply(truth().vertices)[run].mean(axis=0)
        assert np.linalg.norm(result.vertices_in_scan[run].mean(axis=0) - expected) < 4.0


def test_model_and_parameters_reproduce_the_skin():
    result = fitted()
    inner = result.model.inner.vertices(result.x[7:]).detach().numpy()
    skin = result.rig.metric_scale * inner
    np.testing.assert_allclose(skin, result.vertices[: len(skin)], atol=1e-12)


def test_every_stage_left_its_time():
    assert set(fitted().seconds) == {"find", "prepare", "fit", "measure"}
    assert fitted().seconds["measure"] > 0 and fitted().seconds["fit"] > 0


def test_a_scan_far_from_its_alignment_is_refused():
    scan, config = truth().scan, ScanConfig(samples=500, registration=SHORT)
    away = Similarity(1000.0, np.eye(3), np.array([0.0, 0.0, 5000.0]))
    with pytest.raises(InputError, match="0 points of the scan lie near the face"):
        fit_scan(Scan(scan.vertices, scan.faces), config, start=away)


@pytest.mark.parametrize(
    ("per_metre", "unit"),
    [
        (1000.0, "mm"),
        (719.0, "arbitrary"),
        (721.0, "mm"),
        (1399.0, "mm"),
        (1401.0, "arbitrary"),
        (100.0, "cm"),
        (1.0, "m"),
        (39.4, "inch"),
        (3.0, "arbitrary"),
        (1e6, "arbitrary"),
    ],
)
def test_units_by_the_size_of_a_face(per_metre, unit):
    decided = decide_unit(per_metre)
    assert decided.name == unit
    # A face of unknown unit is as large as the template's.
    assert decided.metres_per_unit == METRES_PER_UNIT.get(unit, 1 / per_metre)


def test_a_unit_that_was_given_is_not_argued_with():
    assert decide_unit(1000.0, "inch").metres_per_unit == 0.0254


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "model"), [("detail", "asm"), ("default", "linear")])
def test_other_recipes_find_the_truth_too(recipe, model):
    result = fitted(recipe, model)
    assert result.ok and result.errors.mean < fitted().errors.mean
    assert correspondence_mm(result).mean() < 1.6
