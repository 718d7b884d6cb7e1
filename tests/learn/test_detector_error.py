"""Expectation maximisation finds a known error again; training runs from heads to the file."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from rigface.cameras.camera import orbiting
from rigface.cli.train_detector import DetectorCommand
from rigface.errors import InputError
from rigface.evidence.face import FaceObservation
from rigface.evidence.photo import Photo
from rigface.learn import train_detector
from rigface.learn.detector_card import detector_card
from rigface.learn.detector_error import (
    EmConfig,
    ErrorModel,
    ErrorRows,
    error_rows,
    fit_detector_error,
    posterior,
)
from rigface.learn.detector_figures import explained
from rigface.learn.detector_views import DetectedView, ViewsConfig, detect_views, head_views
from rigface.learn.ict_heads import CarriedIct
from rigface.learn.population import Population, PopulationConfig
from rigface.learn.train_detector import DetectorRecipe, learn_from_views
from rigface.rig.detector_error import load_detector_error, read_detector_error
from rigface.rig.landmark_embedding import load_landmark_embedding
from rigface.rig.template_io import load_template

MM = 1e-3
MARKS, RANK, VIEWS = 40, 2, 400
NEVER = 7
"""A landmark that no view shows."""


@lru_cache(maxsize=1)
def truth() -> tuple[ErrorModel, ErrorRows]:
    """A known error on points of a face, seen from many sides by cameras that are slightly off."""
    rng = np.random.default_rng(4)
    at = load_landmark_embedding().positions(load_template().mesh.vertices)
    place = at[np.linspace(0, 467, MARKS).astype(int)]
    mean, modes = rng.normal(size=(MARKS, 3)) * MM, rng.normal(size=(MARKS, 3, RANK)) * 3 * MM
    sigma = rng.uniform(0.4, 1.5, size=MARKS) * MM
    model = ErrorModel(*(torch.from_numpy(part) for part in (mean, modes, sigma)))
    views = []
    for _ in range(VIEWS):
        yaw, pitch = np.radians(rng.uniform((-60, -30), (60, 30))).tolist()
        camera = orbiting((0.0, -0.03, 0.03), yaw, pitch, 0.9, 1500.0, (600, 600))
        seen, _ = camera.project(torch.from_numpy(place))
        visible = rng.random(MARKS) < 0.8
        visible[NEVER] = False
        views.append(DetectedView(0, place, camera, seen.numpy(), visible, "known"))
    rows = error_rows(views)
    c, a = rng.normal(size=(VIEWS, RANK)), rng.normal(size=(VIEWS, 1, 7, 1)) * 0.3
    # of zero mean and unit covariance: the sample says what the truth says
    c = np.linalg.qr(c - c.mean(axis=0))[0].reshape(VIEWS, 1, RANK, 1) * np.sqrt(VIEWS)
    beside = model.mean[..., None] + model.modes @ torch.from_numpy(c)
    error = (rows.slope @ beside + rows.pose @ torch.from_numpy(a))[..., 0]
    noise = torch.from_numpy(rng.normal(size=error.shape)) * model.sigma[:, None]
    return model, replace(rows, error=error + noise)


@lru_cache(maxsize=1)
def learned() -> tuple[ErrorModel, list[float]]:
    return fit_detector_error(
        truth()[1], EmConfig(rank=RANK, iterations=25, ridge=1e-5, sigma_views=2.0)
    )


def in_pictures(model: ErrorModel, rows: ErrorRows) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean error and covariance by the modes, in the pictures, of what no camera can take back."""
    shown = rows.visible.clone()[:, :, None].expand(-1, -1, 2).flatten(1)
    hull, _ = torch.linalg.qr(rows.pose.flatten(1, 2) * shown[..., None])
    rest = torch.eye(hull.shape[1]) - hull @ hull.mT
    modes = rest @ ((rows.slope @ model.modes).flatten(1, 2) * shown[..., None])
    mean = rest @ ((rows.slope @ model.mean[..., None]).flatten(1, 2) * shown[..., None])
    return mean, modes @ modes.mT


def test_the_known_error_is_found_again():
    known, rows = truth()
    model, _ = learned()
    few = rows.only(slice(0, 12))
    (mean, covariance), (mean0, covariance0) = in_pictures(model, few), in_pictures(known, few)
    assert (mean - mean0).norm() < 0.15 * mean0.norm()
    assert (covariance - covariance0).norm() < 0.1 * covariance0.norm()
    seen = torch.arange(MARKS) != NEVER
    ratio = (model.sigma / known.sigma)[seen]
    assert ratio.min() > 0.85 and ratio.max() < 1.15


def test_the_log_posterior_never_decreases():
    _, history = learned()
    steps = np.diff(history)
    assert (steps > -1e-6 * abs(history[-1])).all()
    assert history[-1] - history[0] > 1000


def test_a_landmark_that_is_never_visible_has_no_error():
    model, _ = learned()
    assert not model.mean[NEVER].any()
    assert not model.modes[NEVER].any()
    assert model.sigma[NEVER] == pytest.approx(EmConfig().sigma_guess)


def test_the_likelihood_is_that_of_the_whole_covariance():
    """The slow way: one big Gaussian for every landmark of a view."""
    known, rows = truth()
    one = rows.only(slice(3, 4))
    shown = one.visible[0]
    a = torch.cat([one.slope @ known.modes, one.pose], dim=-1)[0][shown].flatten(0, 1)
    prior = torch.cat([torch.ones(RANK), torch.full((7,), 100.0)]).double()
    noise = known.sigma[shown].square().repeat_interleave(2)
    covariance = a @ torch.diag(prior) @ a.mT + torch.diag(noise)
    mean = (one.slope[0] @ known.mean[..., None])[..., 0][shown].flatten()
    slow = torch.distributions.MultivariateNormal(mean, covariance)
    found = posterior(one, known)
    left = one.error[0][shown].flatten()
    assert float(found.log_likelihood) == pytest.approx(float(slow.log_prob(left)), rel=1e-6)
    gain = torch.diag(prior) @ a.mT @ torch.linalg.inv(covariance)
    torch.testing.assert_close(found.mean[0], gain @ (left - mean), rtol=1e-5, atol=1e-7)


def test_a_view_alone_is_the_view_in_a_batch():
    known, rows = truth()
    batch, alone = (
        posterior(rows.only(slice(0, 5)), known),
        posterior(rows.only(slice(2, 3)), known),
    )
    torch.testing.assert_close(batch.mean[2], alone.mean[0])
    torch.testing.assert_close(batch.covariance[2], alone.covariance[0])


def test_modes_are_orthogonal_and_training_repeats():
    model, _ = learned()
    flat = model.modes.flatten(0, 1)
    gram = flat.mT @ flat
    torch.testing.assert_close(
        gram, torch.diag(gram.diagonal()), atol=1e-9 * float(gram.max()), rtol=0
    )
    assert gram[0, 0] >= gram[1, 1]
    few = truth()[1].only(slice(0, 50))
    config = EmConfig(rank=RANK, iterations=2)
    once, again = (fit_detector_error(few, config)[0] for _ in range(2))
    assert torch.equal(once.modes, again.modes)


def test_nuisances_are_what_another_camera_would_do():
    """A turned head, a shifted head and a longer lens, against true projections."""
    at = load_landmark_embedding().positions(load_template().mesh.vertices)[:468]
    camera = orbiting((0.0, -0.03, 0.03), 0.4, 0.1, 0.9, 1500.0, (600, 600))
    pixels, _ = camera.project(torch.from_numpy(at))
    view = DetectedView(0, at, camera, pixels.numpy(), np.ones(468, dtype=bool), "known")
    rows = error_rows([view])
    unit = camera.project_jacobian(torch.from_numpy(at)).abs().max()
    step, centre = 1e-6, np.array([0.0, -0.04, 0.0])
    changes = [np.cross(axis, at - centre) * 0.1 for axis in np.eye(3)]
    changes += [np.broadcast_to(axis, at.shape) * 0.01 for axis in np.eye(3)]
    moved = [camera.project(torch.from_numpy(at + step * change))[0] for change in changes]
    moved.append(camera.focused(camera.focal * (1 + 0.1 * step)).project(torch.from_numpy(at))[0])
    for column, one in enumerate(moved):
        slow = (one - pixels) / step / unit
        torch.testing.assert_close(rows.pose[0, ..., column], slow, atol=1e-6, rtol=1e-4)


def test_the_figures_tell_a_good_model_from_none():
    known, rows = truth()
    half = np.arange(VIEWS) < VIEWS // 2
    groups = {"all": np.ones(VIEWS, dtype=bool), "first": half, "none": np.zeros(VIEWS, dtype=bool)}
    all_of_them, first = explained(rows, known, groups)
    assert (all_of_them.views, first.views) == (VIEWS, VIEWS // 2)
    assert all_of_them.modes_mm < 0.6 * all_of_them.mean_mm < all_of_them.pose_mm
    assert all_of_them.z == pytest.approx(1.0, abs=0.05)
    assert 0.5 < all_of_them.share < 1.0


class FakeDetector:
    """Sees a face in any picture but an even one, somewhere, by numbers from the picture itself."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def detect(self, photo: Photo) -> list[FaceObservation]:
        self.sizes.append((photo.pixels.shape[1], photo.pixels.shape[0]))
        if photo.pixels.std() < 5:  # no face in an even picture
            return []
        rng = np.random.default_rng(int(photo.pixels.sum()) % 2**32)
        seen = rng.uniform(50, 70, size=(478, 2))
        seen[468:] = np.nan
        visible = np.arange(478) % 5 > 0
        return [
            FaceObservation(seen, np.zeros(478), np.ones(478), visible, 1.0, "fake 1", (96, 96))
        ]


SMALL = ViewsConfig(per_head=2, size=96, seed=3)


def test_a_head_s_pictures_do_not_depend_on_the_others():
    template = load_template()
    skin = template.mesh.vertices[template.parts["skin"].vertices]
    heads = np.stack([1.02 * skin, skin])
    both = detect_views(heads, template, FakeDetector(), SMALL)
    alone = head_views(1, skin, template, FakeDetector(), SMALL)
    assert [view.head for view in both] == [0, 0, 1, 1]
    for one, other in zip(both[2:], alone, strict=True):
        np.testing.assert_array_equal(one.seen, other.seen)
        np.testing.assert_array_equal(one.place, other.place)
        assert torch.equal(one.camera.rotation, other.camera.rotation)
    rest = load_landmark_embedding().positions(template.mesh.vertices)[:468]
    np.testing.assert_array_equal(alone[0].place, rest)
    assert np.abs(alone[1].place - rest).max() > 1 * MM, "the second shows an expression"
    assert not alone[0].visible[0] and alone[0].visible[1]


def test_training_end_to_end(tmp_path, monkeypatch):
    template = load_template()
    skin = template.mesh.vertices[template.parts["skin"].vertices]
    carried = CarriedIct(skin, 1e-3 * np.ones((1, *skin.shape)), np.ones(len(skin), dtype=bool))

    def two_heads(carried: CarriedIct, template, config: PopulationConfig) -> Population:
        weights = np.array([1.0, 0.0])
        heads = np.stack([skin, 1.01 * skin])
        return Population(heads, ("ict", "adult"), ("", "mixed"), np.zeros(2), weights, skin)

    monkeypatch.setattr(train_detector, "load_ict", lambda path: path)
    monkeypatch.setattr(train_detector, "carry_ict", lambda *given: carried)
    monkeypatch.setattr(train_detector, "sample_population", two_heads)
    recipe = DetectorRecipe(views=SMALL, em=EmConfig(rank=2, iterations=2))
    out, detector = tmp_path / "e.safetensors", FakeDetector()
    error = train_detector.train_detector_error(tmp_path, out, recipe, detector=detector)
    assert detector.sizes == [(96, 96)] * 4
    stored = read_detector_error(out)
    np.testing.assert_array_equal(stored.modes, error.modes.astype(np.float32))
    assert not stored.mean[::5].any(), "never visible"
    assert np.isfinite(stored.sigma).all()
    assert stored.facts["views"] == 4 and stored.facts["held_out"] == 1
    card = out.with_suffix(".md").read_text(encoding="utf-8")
    assert card == detector_card(error)
    for word in ("fake 1", "MIT", "CC0", "held-out", "| adult | 2 |", "4 of 4 pictures"):
        assert word in card
    again = tmp_path / "again.safetensors"
    train_detector.train_detector_error(tmp_path, again, recipe, detector=FakeDetector())
    assert again.read_bytes() == out.read_bytes()


def test_the_model_card_in_the_docs_is_that_of_the_shipped_file():
    card = Path(__file__).parents[2] / "docs" / "detector_card.md"
    assert card.read_text(encoding="utf-8") == detector_card(load_detector_error())


def test_no_faces_at_all_is_said():
    template = load_template()
    skin = template.mesh.vertices[template.parts["skin"].vertices]
    population = Population(np.stack([skin]), ("ict",), ("",), np.zeros(1), np.ones(1), skin)
    with pytest.raises(InputError, match="found 0 faces"):
        learn_from_views([], population)


def test_hopeless_settings_are_refused_at_once(tmp_path):
    def message(**given) -> str:
        out = given.pop("out", tmp_path / "e.safetensors")
        with pytest.raises(InputError) as stop:
            DetectorCommand(tmp_path, out, **given).run()
        return str(stop.value)

    assert "does not exist" in message(out=tmp_path / "no" / "e.safetensors")
    assert ".safetensors" in message(out=tmp_path / "e.npz")
    assert "1 to 100" in message(rank=0)
    assert "3 per group" in message(anny_per_group=1)
    assert "one picture" in message(views=0)
