"""Visibility on a face whose depth is known: the canonical model, turned."""

import math

import numpy as np
import pytest

from rigface.evidence.face_mesh import RIGHT_SIDE, face_mesh
from rigface.perception.visibility import _hidden, visible_landmarks


@pytest.fixture
def canonical(data_dir) -> np.ndarray:
    lines = (data_dir / "mediapipe" / "face_model_with_iris.obj").read_text().splitlines()
    vertices = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float)
    return vertices * [10, -10, -10]  # into the image: y down, z away


def seen(points: np.ndarray, yaw: float) -> np.ndarray:
    cosine, sine = math.cos(yaw), math.sin(yaw)
    turned = points @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]]).T
    return visible_landmarks(turned[:, :2], turned[:, 2])


def test_turned_canonical_face(canonical):
    right = np.array(RIGHT_SIDE)
    left = face_mesh().mirror[right]
    assert seen(canonical, 0.0).mean() > 0.95
    to_left = seen(canonical, math.radians(60))
    assert to_left[right].mean() > 0.9
    assert to_left[left].mean() < 0.4
    assert to_left[468] and not to_left[473]
    np.testing.assert_array_equal(seen(canonical, math.radians(-60))[right], to_left[left])


def test_closed_eye_hides_its_iris(canonical):
    closed = canonical.copy()
    closed[[7, 163, 144, 145, 153, 154, 155]] = closed[[246, 161, 160, 159, 158, 157, 173]]
    visible = visible_landmarks(closed[:, :2], closed[:, 2])
    assert not visible[468:473].any()
    assert visible[473:].all()


def test_fast_occlusion_equals_one_by_one(rng):
    points = rng.normal(size=(468, 3)) * [1, 1, 0.2]
    triangles = face_mesh().triangles
    expected = np.zeros(468, dtype=bool)
    for index in range(0, 468, 9):
        p = points[index]
        for a, b, c in points[triangles]:
            matrix = np.column_stack([b[:2] - a[:2], c[:2] - a[:2]])
            v, w = np.linalg.solve(matrix, p[:2] - a[:2])
            depth = a[2] + v * (b[2] - a[2]) + w * (c[2] - a[2])
            if v > 1e-9 and w > 1e-9 and v + w < 1 - 1e-9 and depth < p[2] - 0.02:
                expected[index] = True
                break
    np.testing.assert_array_equal(_hidden(points)[::9], expected[::9])
