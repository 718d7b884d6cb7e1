"""A stage frees what it names, glides its settings, and gets nearer to the scan."""

import numpy as np
import pytest
import torch
from synthetic_fits import truth

from rigface.fit.matching import Matcher, Matches, MatchRule, SkinTopology
from rigface.fit.models import build_models
from rigface.fit.stages import Stage, Wavelengths, box_for, prior_for, run_stage
from rigface.fit.target import prepare_target
from rigface.models.posed import POSE, PosedModel
from rigface.rig.template_io import load_template
from rigface.terms.smoothness import DeformationEnergy

MM = 1e-3


class Listening(Matcher):
    """Keeps the rules it was asked with."""

    rules: tuple[MatchRule, ...] = ()

    def match(self, vertices: np.ndarray, rule: MatchRule) -> Matches:
        self.rules = (*self.rules, rule)
        return super().match(vertices, rule)


@pytest.fixture(scope="module")
def matcher() -> Listening:
    template = load_template()
    target = prepare_target(truth().scan, truth().scan_from_model.inverse(), template, 1500)
    return Listening(SkinTopology.of_template(template), target)


@pytest.fixture(scope="module")
def model() -> PosedModel:
    return PosedModel.build(build_models(load_template(), "linear", 2, False).shape)


def gap(matcher: Matcher, model: PosedModel, x: torch.Tensor) -> float:
    """Median distance of the scan's samples from the skin."""
    skin = model.vertices(x).detach().numpy()
    matches = matcher.match(skin, MatchRule(0.05, cosine=-2.0))
    place = np.einsum("nc,ncd->nd", matches.bary, skin[matches.corners])
    return float(np.median(np.linalg.norm(place - matcher.target.points, axis=1)))


def test_only_the_named_parameters_move_and_the_skin_gets_nearer(matcher, model):
    start = model.table.zeros()
    start[POSE.slices["pose_translation"]] = torch.tensor([4.0, -3.0, 5.0]) * MM
    free = ("pose_rotation", "pose_translation")
    stage = Stage("pose", 4, free, MatchRule(20 * MM, 0.5, 2 * MM), 12 * MM)
    x, report = run_stage(model, matcher, stage, start)
    moved = (x != start).nonzero().ravel().tolist()
    assert moved == list(range(6))
    assert gap(matcher, model, x) < 0.7 * gap(matcher, model, start)
    assert (report.name, report.steps) == ("pose", 4)
    assert report.matched > 0.8 and report.result.ok and report.seconds > 0


def test_the_trim_distance_shrinks_by_a_constant_factor(matcher, model):
    matcher.rules = ()
    told = []
    stage = Stage("pose", 5, ("pose_translation",), MatchRule(16 * MM, 0.5, 2 * MM), 1 * MM)
    report = lambda share, name: told.append((share, name))  # noqa: E731
    run_stage(model, matcher, stage, model.table.zeros(), progress=report)
    assert [rule.trim for rule in matcher.rules] == pytest.approx(
        [0.016, 0.008, 0.004, 0.002, 0.001]
    )
    assert told == [(pytest.approx(step / 5), "pose") for step in range(1, 6)]
    matcher.rules = ()
    run_stage(model, matcher, Stage("still", 2, (), MatchRule(9 * MM)), model.table.zeros())
    assert [rule.trim for rule in matcher.rules] == [9 * MM, 9 * MM]


def test_a_strong_prior_and_a_stiff_plate_hold_the_shape(matcher, model):
    run = model.table.slices["identity"]
    rule = MatchRule(20 * MM, 0.5, 1 * MM)
    skin = model.vertices(model.table.zeros()).detach().numpy()
    plate = DeformationEnergy(skin, matcher.faces)

    def size(prior: float, waves: Wavelengths | None) -> float:
        weights = {"identity": prior}
        stage = Stage("shape", 1, (*POSE.slices, "identity"), rule, None, weights, waves, waves)
        x, _ = run_stage(model, matcher, stage, model.table.zeros(), plate)
        return float(x[run].norm())

    free = size(1.0, None)
    assert size(1e8, None) < 0.05 * free
    assert size(1.0, Wavelengths(0.5, 0.5)) < 0.5 * free


def test_limits_and_prior_come_from_the_parameter_table(model):
    table = model.table
    box = box_for(model, ("pose_log_scale", "identity"))
    free = torch.as_tensor(box.free)
    assert free[table.slices["pose_log_scale"]].all() and free[table.slices["identity"]].all()
    assert not free[table.slices["pose_rotation"]].any()
    sigma = table["pose_rotation"].sigma
    prior = prior_for(model, {"pose_rotation": 3.0, "of another model": 1.0})
    np.testing.assert_allclose(prior.weight[table.slices["pose_rotation"]], 3.0 / sigma**2)
    assert prior.weight[3:].max() == 0 and not prior.mean.any()


def test_wavelengths_blend_geometrically_and_stiffen_with_the_fourth_power():
    short, long = Wavelengths(0.01, 0.04), Wavelengths(0.04, 0.16, 0.02)
    half = short.blend(long, 0.5)
    assert (half.normal, half.tangent) == (pytest.approx(0.02), pytest.approx(0.08))
    assert half.membrane == pytest.approx(0.01)  # from nothing: linearly
    assert short.blend(long, 0.0) == short
    soft, stiff = short.stiffness(MM), long.stiffness(MM)
    assert stiff.bend_normal / soft.bend_normal == pytest.approx(4**4)
    assert stiff.bend_tangent / soft.bend_tangent == pytest.approx(4**4)
    assert short.stiffness(2 * MM).bend_normal == pytest.approx(soft.bend_normal / 4)
