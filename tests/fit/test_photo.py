"""A head before a camera comes back from its landmarks alone."""

import math
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch

from rigface.cameras import Camera
from rigface.cameras.camera import orbiting
from rigface.errors import InputError
from rigface.evidence.face import FaceObservation, FaceQuality
from rigface.evidence.photo import Photo
from rigface.fit.first_camera import first_camera
from rigface.fit.models import ModelName
from rigface.fit.parts import assemble_head
from rigface.fit.photo import (
    PhotoConfig,
    PhotoSettings,
    fit_photos,
    head_space,
    identity_model,
)
from rigface.fit.photo_gate import judge_photos
from rigface.fit.photo_result import PhotoResult
from rigface.geometry.similarity import align_points
from rigface.models.linear import LinearModel
from rigface.progress import NullProgress
from rigface.report.photo_outputs import photo_numbers
from rigface.rig.detector_error import load_detector_error
from rigface.rig.landmark_embedding import SKIN_COUNT, load_landmark_embedding
from rigface.rig.template_io import load_template

SIZE = (800, 800)


@lru_cache(maxsize=4)
def person(seed: int) -> np.ndarray:
    """All parts of a neutral head of the identity space."""
    model, template = identity_model(), load_template()
    x = model.table.zeros()
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(len(model.modes), generator=generator, dtype=torch.float64)
    x[: len(model.modes)] = z.clamp(-2, 2)
    skin = model.vertices(x).numpy()
    linear = np.tile(np.eye(3), (len(skin), 1, 1))
    return assemble_head(template, skin, linear).vertices


def camera(yaw: float, focal: float = 1400.0) -> Camera:
    return orbiting((0.0, -0.03, 0.03), yaw, 0.05, 0.55, focal, SIZE)


def seen(
    vertices: np.ndarray, view: Camera, noise: float = 0.0, seed: int = 0, annotator: bool = False
) -> FaceObservation:
    """What the detector says by the model of its error, and some noise (pixels) of its own.

    An annotator hits the places themselves.
    """
    places, error = load_landmark_embedding().positions(vertices), load_detector_error()
    if not annotator:
        c = np.random.default_rng(seed).standard_normal(error.rank)
        places[:SKIN_COUNT] += error.mean + error.modes @ c
    pixels, _ = view.project(torch.from_numpy(places))
    shaken = pixels.numpy() + noise * np.random.default_rng(seed).standard_normal((478, 2))
    return FaceObservation(
        landmarks=shaken,
        z=np.zeros(478),
        sigma=np.full(478, max(noise, 1.0)),
        visible=np.ones(478, dtype=bool),
        presence=1.0,
        source="test",
        image_size=SIZE,
        quality=FaceQuality(0.5, 0.5, 0.05, 0.0),
    )


def photo(focal: float | None = None) -> Photo:
    return Photo(np.zeros((SIZE[1], SIZE[0], 3), dtype=np.uint8), focal)


def fitted(vertices: np.ndarray, yaw: float, noise: float = 0.0, told: bool = True) -> PhotoResult:
    view = camera(yaw)
    focal = float(view.focal[0]) if told else None
    return fit_photos([photo(focal)], [seen(vertices, view, noise)])


def distance(result: PhotoResult, truth: np.ndarray) -> float:
    """Mean distance over the face after rigid + scale alignment, mm."""
    face = np.flatnonzero(load_template().regions["face"])
    moved = align_points(result.neutral[face], truth[face]).apply(result.neutral[face])
    return 1000 * float(np.linalg.norm(moved - truth[face], axis=1).mean())


@pytest.mark.parametrize("yaw", [0.0, 0.5])
def test_a_known_head_is_nearer_than_the_mean_head(yaw: float) -> None:
    truth = person(3)
    mean = identity_model().vertices(identity_model().table.zeros()).numpy()
    face = np.flatnonzero(load_template().regions["face"])
    before = align_points(mean[face], truth[face]).apply(mean[face]) - truth[face]
    result = fitted(truth, yaw, noise=1.0)
    assert result.ok
    assert distance(result, truth) < 0.6 * 1000 * np.linalg.norm(before, axis=1).mean()
    assert result.reprojection_percent < 3.5  # of the places themselves: the detector's error
    assert math.degrees(abs(result.views[0].yaw)) == pytest.approx(math.degrees(yaw), abs=3.0)


@pytest.mark.parametrize("name", ["jnr-linear", "jnr-neural", "linear"])
def test_other_models_find_a_known_head_too(name: ModelName) -> None:
    truth, view = person(3), camera(0.4)
    model = head_space(name)
    mean = model.vertices(model.table.zeros()).numpy()
    face = np.flatnonzero(load_template().regions["face"][: len(mean)])
    before = align_points(mean[face], truth[face]).apply(mean[face]) - truth[face]
    config = PhotoConfig(recipe="landmarks")
    result = fit_photos(
        [photo(float(view.focal[0]))], [seen(truth, view, noise=1.0)], config, model=model
    )
    assert result.ok and result.model.name == name
    assert distance(result, truth) < 0.8 * 1000 * np.linalg.norm(before, axis=1).mean()
    skin = result.model.vertices(result.x).numpy() * result.size.scale
    assert np.abs(result.neutral[: len(skin)] - skin)[face].max() < 3e-4  # lids clear the eyeballs


def test_expression_is_told_from_identity() -> None:
    template, truth = load_template(), person(5)
    smiling = truth.copy()
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        index, offset = template.expressions.of(name)
        smiling[index] += 0.7 * offset
    result = fitted(smiling, 0.0)
    weights = result.views[0].expression
    assert min(weights.get(f"mouthSmile{side}", 0.0) for side in ("Left", "Right")) > 0.35
    neutral = fitted(truth, 0.0)
    assert abs(distance(result, truth) - distance(neutral, truth)) < 0.4


def test_several_photos_beat_one() -> None:
    truth = person(7)
    cameras = [camera(yaw) for yaw in (-0.6, 0.0, 0.6)]
    photos = [photo(float(c.focal[0])) for c in cameras]
    faces = [seen(truth, c, 2.0, seed) for seed, c in enumerate(cameras)]
    alone = fit_photos(photos[1:2], faces[1:2])
    together = fit_photos(photos, faces, PhotoConfig(shared_expression=True))
    assert distance(together, truth) < distance(alone, truth)
    assert np.median(together.sigma) < np.median(alone.sigma)


def test_the_same_input_gives_the_same_parameters() -> None:
    first, second = (fitted(person(3), 0.2, noise=1.0) for _ in range(2))
    torch.testing.assert_close(first.x, second.x, rtol=0, atol=0)


def test_sixty_eight_points_are_enough() -> None:
    truth, view = person(3), camera(0.0)
    face = seen(truth, view, annotator=True)
    given = face.ibug68()
    blind = replace(
        face,
        landmarks=np.full((478, 2), np.nan),
        sigma=np.full(478, np.inf),
        visible=np.zeros(478, dtype=bool),
        given_ibug68=given,
    )
    result = fit_photos([photo(float(view.focal[0]))], [blind])
    assert result.ok and result.reprojection_percent < 1.5


def test_numbers_that_are_none_are_refused() -> None:
    face = seen(person(3), camera(0.0))
    broken = replace(face, landmarks=np.full((478, 2), np.nan))
    with pytest.raises(InputError, match="not all finite"):
        fit_photos([photo()], [broken])


def test_landmarks_of_no_face_fail_the_gate() -> None:
    face = seen(person(3), camera(0.0))
    order = np.random.default_rng(0).permutation(468)
    mixed = face.landmarks.copy()
    mixed[:468] = mixed[order]
    result = fit_photos([photo()], [replace(face, landmarks=mixed)])
    assert not result.ok
    assert result.reason is not None and "landmarks" in result.reason


def test_a_bad_photo_is_outvoted_by_more_good_ones_and_named() -> None:
    view = camera(0.0)
    result = fit_photos([photo(float(view.focal[0]))], [seen(person(3), view)])
    (good,) = result.views
    bad = replace(good, reprojection_percent=20.0)
    verdict = judge_photos([good, bad, good], None, result.size)
    assert verdict.reason is None
    assert any("20.0 %" in said and "outweigh" in said for said in verdict.warnings)
    for views in ([bad], [good, bad], [bad, good, bad]):
        assert "20.0 %" in str(judge_photos(views, None, result.size).reason)


def test_skin_weighs_more_the_more_photos_there_are() -> None:
    weights = [PhotoSettings().skin_weight(count) for count in (2, 3, 4, 5, 6, 8, 16, 40)]
    assert weights == sorted(weights) and weights[3] == 1.0
    assert weights[0] == pytest.approx(0.1) and weights[-2] == pytest.approx(3.75**0.5)
    assert PhotoSettings(photometric=0.5).skin_weight(5) == 0.5


@pytest.mark.parametrize("yaw", [-0.7, 0.0, 0.4])
def test_the_first_camera_is_near(yaw: float) -> None:
    truth, view = person(3), camera(yaw)
    places = load_landmark_embedding().positions(truth)
    pixels, _ = view.project(torch.from_numpy(places))
    found = first_camera(places, pixels.numpy(), np.ones(478), SIZE, float(view.focal[0]))
    turn = found.rotation @ view.rotation.T
    angle = math.acos(min(1.0, (float(torch.trace(turn)) - 1) / 2))
    assert math.degrees(angle) < 12
    assert float(torch.det(found.rotation)) == pytest.approx(1.0)
    assert float(found.translation[2]) == pytest.approx(float(view.translation[2]), rel=0.15)


def test_a_linear_3dmm_goes_through_the_same_recipe() -> None:
    template = load_template()
    skin = template.parts["skin"]
    shapes = template.expressions.dense(len(template.mesh.vertices))[:, skin.vertices]
    own = LinearModel.of_template(template)
    faces = template.mesh.faces[skin.faces]
    model = LinearModel.build("shape", own.mean.numpy(), faces, own.basis.numpy(), shapes)
    truth, view = person(3), camera(0.0)
    result = fit_photos([photo(float(view.focal[0]))], [seen(truth, view)], model=model)
    assert result.ok and result.settings["model"] == "shape"
    assert len(result.identity) == own.table.size
    rest = own.vertices(torch.from_numpy(result.identity)).numpy()
    scale = result.size.scale
    np.testing.assert_allclose(result.neutral[: len(rest)], scale * rest, atol=1e-12)


def among_known_cameras(yaws: tuple[float, float], photos: int = 2, **more: Any) -> PhotoResult:
    """Person 3 in a world in which everything is 1.2 times as large and lies elsewhere."""
    views = [camera(yaw) for yaw in yaws]
    shift = torch.tensor([0.3, -0.2, 1.0], dtype=torch.float64)
    known = [v.moved(v.rotation, 1.2 * v.translation - v.rotation @ shift) for v in views]
    shown = [photo(), photo()]
    shown[1].pixels[0, 0] = 1  # not the same picture
    faces = [seen(person(3), view) for view in views]
    config = PhotoConfig(True, settings=PhotoSettings(photometric=0.0))
    few = slice(photos)
    return fit_photos(shown[few], faces[few], config, cameras=known[few], **more)


def test_known_cameras_tell_the_size() -> None:
    truth = person(3)
    result = among_known_cameras((-0.4, 0.4))
    alone = among_known_cameras((-0.4, 0.4), photos=1)
    assert alone.size.how != "cameras", "one camera tells no distance"
    assert alone.focal_how == "cameras", "but its lens"
    assert result.size.how == "cameras"
    assert result.size.from_iris is None
    face = np.flatnonzero(load_template().regions["face"])
    size = align_points(result.neutral[face], truth[face]).scale
    assert size == pytest.approx(1 / 1.2, rel=0.02)
    numbers = photo_numbers(result, None, NullProgress(), 0)
    assert numbers["scale"]["how"] == numbers["focal"]["how"] == "cameras"


def test_cameras_without_a_unit_leave_the_size_to_the_irises() -> None:
    known = among_known_cameras((-0.4, 0.4))
    unknown = among_known_cameras((-0.4, 0.4), metric_cameras=False)
    assert unknown.size.how == "iris"
    face = np.flatnonzero(load_template().regions["face"])
    size = align_points(unknown.neutral[face], person(3)[face]).scale
    assert size == pytest.approx(1.0, abs=0.06), "the world is 1.2 times as large"
    shape = unknown.neutral / unknown.size.scale
    np.testing.assert_allclose(shape, known.neutral / known.size.scale, atol=1e-9)


def test_cameras_at_one_place_hardly_tell_the_size() -> None:
    apart, together = among_known_cameras((-0.4, 0.4)), among_known_cameras((0.1, 0.11))
    assert apart.size.log_sigma < 0.01
    assert together.size.how != "cameras"
    assert together.size.log_sigma > 2 * apart.size.log_sigma


def test_a_photo_without_irises_is_told_what_holds() -> None:
    views = [camera(-0.4), camera(0.4)]
    photos = [photo(), photo()]
    photos[1].pixels[0, 0] = 1
    faces = [replace(seen(person(3), view), visible=np.arange(478) < 468) for view in views]
    config = PhotoConfig(True, settings=PhotoSettings(photometric=0.0))
    by_cameras = fit_photos(photos, faces, config, cameras=views)
    assert any("the size of the head is the cameras'" in said for said in by_cameras.warnings)
    blind = fit_photos(photos, faces, config)
    assert any("the size of the head is the population's" in said for said in blind.warnings)
    faces[1] = seen(person(3), views[1])
    one = fit_photos(photos, faces, config)
    (said,) = (text for text in one.warnings if "no iris" in text)
    assert "other photos have" in said
