"""What an observation derives from its landmarks."""

import math

import numpy as np
import pytest

from rigface.evidence.face import FaceObservation, FaceQuality
from rigface.evidence.face_mesh import MESH_COUNT, RIGHT_SIDE, face_mesh


def symmetric_points(rng: np.random.Generator) -> np.ndarray:
    """478 points, x to the subject's left, y down, z away from the camera; origin between."""
    points = rng.normal(size=(MESH_COUNT, 3)) * [40.0, 60.0, 20.0]
    mirror = face_mesh().mirror
    points[list(RIGHT_SIDE), 0] = -np.abs(points[list(RIGHT_SIDE), 0])
    points[mirror[list(RIGHT_SIDE)]] = points[list(RIGHT_SIDE)] * [-1, 1, 1]
    return points


def observation(points: np.ndarray, **given) -> FaceObservation:
    return FaceObservation(
        landmarks=points[:, :2].copy(),
        z=points[:, 2].copy(),
        sigma=np.ones(MESH_COUNT),
        visible=np.ones(MESH_COUNT, dtype=bool),
        presence=1.0,
        source="test",
        image_size=(640, 480),
        **given,
    )


@pytest.mark.parametrize("degrees", [-40.0, 0.0, 25.0])
def test_yaw_and_roll_of_a_turned_face(rng, degrees):
    points, angle = symmetric_points(rng), math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    # To the own left: the subject's left, image right, goes away from the camera.
    left_turn = np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    face = observation(points @ left_turn.T)
    assert face.yaw == pytest.approx(angle)
    assert face.roll == pytest.approx(0.0, abs=1e-12)
    clockwise = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    face = observation(points @ clockwise.T)
    assert face.roll == pytest.approx(angle)
    assert face.yaw == pytest.approx(0.0, abs=1e-12)


def test_ibug_points_are_means_of_their_pairs(rng):
    face = observation(symmetric_points(rng))
    ibug = face.ibug68()
    np.testing.assert_array_equal(ibug[8], face.landmarks[152])
    np.testing.assert_allclose(ibug[3], (face.landmarks[132] + face.landmarks[58]) / 2)
    np.testing.assert_array_equal(face.ibug68_sigma(), np.ones(68))
    assert face.interocular == pytest.approx(np.linalg.norm(ibug[45] - ibug[36]))
    assert face.iris.shape == (2, 5, 2)
    np.testing.assert_array_equal(face.iris[1, 0], face.landmarks[473])


def test_given_ibug_points_replace_the_mesh(rng):
    given = rng.uniform(100, 300, (68, 2))
    face = observation(np.full((MESH_COUNT, 3), np.nan), given_ibug68=given)
    np.testing.assert_array_equal(face.ibug68(), given)
    np.testing.assert_array_equal(face.contour("lips_inner"), given[60:])
    low, high = given.min(axis=0), given.max(axis=0)
    assert face.box == (*low, *high)
    assert face.size == pytest.approx(math.sqrt(np.prod(high - low)))
    assert math.isnan(face.yaw)
    assert np.isfinite(face.ibug68_sigma()).all()


@pytest.mark.parametrize(
    ("recrop", "mirror", "trusted"),
    [(0.5, 1.0, True), (4.1, 1.0, False), (0.5, 4.1, False), (math.nan, math.nan, True)],
)
def test_gate(recrop, mirror, trusted):
    assert FaceQuality(recrop, mirror).trusted is trusted


def test_blur_is_only_told_where_it_was_measured():
    assert FaceQuality(sharpness=0.001).blurred
    assert not FaceQuality(sharpness=0.05).blurred
    assert not FaceQuality().blurred
