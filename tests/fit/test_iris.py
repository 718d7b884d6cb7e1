"""Where an eye looks, and how large the head is: from irises of known eyeballs."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from rigface.cameras import Camera
from rigface.cameras.camera import orbiting
from rigface.evidence.face import FaceObservation, FaceQuality
from rigface.fit.iris import IRIS_MM, IRIS_SIGMA_MM, gaze, head_size, reading, width
from rigface.rig.landmark_embedding import load_landmark_embedding
from rigface.rig.template_io import load_template

SIZE = (800, 800)
POPULATION = 0.05


def camera(yaw: float = 0.0) -> Camera:
    return orbiting((0.0, -0.03, 0.03), yaw, 0.05, 0.55, 1400.0, SIZE)


def balls() -> tuple[np.ndarray, np.ndarray]:
    eyes = [load_template().eyeballs[side] for side in "RL"]
    return np.array([eye.centre for eye in eyes]), np.array([eye.radius for eye in eyes])


def seen(view: Camera) -> FaceObservation:
    """The template's landmarks, exactly."""
    places = load_landmark_embedding().positions(load_template().mesh.vertices)
    return FaceObservation(
        landmarks=view.project(torch.from_numpy(places))[0].numpy(),
        z=np.zeros(478),
        sigma=np.ones(478),
        visible=np.ones(478, dtype=bool),
        presence=1.0,
        source="test",
        image_size=SIZE,
        quality=FaceQuality(0.5, 0.5, 0.05, 0.0),
    )


def widened(face: FaceObservation, times: float) -> FaceObservation:
    marks = face.landmarks.copy()
    for middle in (468, 473):
        rim = slice(middle + 1, middle + 5)
        marks[rim] = marks[middle] + times * (marks[rim] - marks[middle])
    return replace(face, landmarks=marks)


@pytest.mark.parametrize("yaw", [-0.5, 0.0, 0.5])
def test_the_width_is_that_of_the_iris_from_wherever_it_is_seen(yaw: float) -> None:
    view, (centres, radii) = camera(yaw), balls()
    for iris, centre, radius in zip(seen(view).iris, centres, radii, strict=True):
        found = width(iris, centre, float(radius), view)
        assert found is not None
        assert 1000 * found.metres == pytest.approx(IRIS_MM, rel=0.06)


def test_an_iris_seen_too_flat_tells_nothing() -> None:
    view, (centres, radii) = camera(1.2), balls()
    assert width(seen(view).iris[0], centres[0], float(radii[0]), view) is None


def test_an_iris_tells_millimetres() -> None:
    view, (centres, radii) = camera(), balls()
    size = head_size(seen(view), centres, radii, view, POPULATION)
    assert size.how == "iris" and size.from_iris is not None
    assert size.scale == pytest.approx(1.0, abs=0.02)
    low, high = size.interval()
    assert low < size.scale < high
    assert high / size.scale == pytest.approx(math.exp(1.96 * size.log_sigma))


def test_a_wider_iris_is_a_smaller_head_and_more_so_than_the_detector_says() -> None:
    view, (centres, radii) = camera(), balls()
    size = head_size(seen(view), centres, radii, view, POPULATION)
    other = head_size(widened(seen(view), 1.1), centres, radii, view, POPULATION)
    assert size.from_iris is not None and other.from_iris is not None
    said = math.log(size.from_iris / other.from_iris)
    assert 1.2 * math.log(1.1) < said < 2 * math.log(1.1)
    # the population has its say
    assert 0 < math.log(size.scale / other.scale) < 0.5 * said


def test_the_size_is_no_surer_than_people_are_alike() -> None:
    view, (centres, radii) = camera(), balls()
    sigma = head_size(seen(view), centres, radii, view, POPULATION).log_sigma
    perfect = ((IRIS_SIGMA_MM / IRIS_MM) ** -2 + POPULATION**-2) ** -0.5
    assert perfect < sigma < POPULATION


def test_without_an_iris_the_size_is_the_populations() -> None:
    view, (centres, radii) = camera(), balls()
    closed = replace(seen(view), visible=np.arange(478) < 468)
    size = head_size(closed, centres, radii, view, POPULATION)
    assert (size.scale, size.log_sigma, size.from_iris) == (1.0, POPULATION, None)
    assert size.how == "population"


def test_an_iris_is_read_narrower_and_less_surely_from_the_side() -> None:
    def at(degrees: float, is_left: bool) -> tuple[float, float]:
        turn = math.radians(degrees)
        return reading(np.array([math.sin(turn), 0.0, math.cos(turn)]), is_left, 20.0)

    assert at(0, True)[0] == at(0, False)[0] == 0.0
    temple, nose = at(40, True), at(-40, True)
    assert nose[0] < temple[0] < 0
    assert nose[1] > temple[1] > 1.5 * at(0, True)[1]
    assert at(40, True) == pytest.approx(at(-40, False)), "the eyes mirror each other"
    assert reading(np.array([0.0, 0.0, 1.0]), True, 5.0)[1] > at(0, True)[1]


def test_gaze_points_where_the_iris_is() -> None:
    view, centre, radius = camera(0.3), np.array([0.03, 0.0, 0.02]), 0.012
    for left, up in ((0.0, 0.0), (0.3, -0.2), (-0.25, 0.1)):
        way = np.array([math.sin(left) * math.cos(up), math.sin(up), math.cos(left) * math.cos(up)])
        iris = centre + radius * math.sqrt(1 - 0.45**2) * way
        pixel = view.project(torch.from_numpy(iris[None]))[0][0].numpy()
        look = gaze(centre, radius, pixel, view)
        assert (look.left, look.up) == pytest.approx((left, up), abs=1e-6)
