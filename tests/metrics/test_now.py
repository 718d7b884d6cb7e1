"""The NoW protocol on faces whose distance is known."""

import time

import numpy as np
import pytest

from rigface.geometry.mesh import sample_surface, vertex_normals
from rigface.geometry.similarity import Similarity
from rigface.metrics.now import (
    PredictedFace,
    ScanFace,
    aligned_errors,
    now_errors,
    now_mask,
)
from rigface.metrics.outer import outer_surface
from rigface.rig.template_io import load_template

TURN = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
TURN = TURN * np.sign(np.linalg.det(TURN))
MOVED = Similarity(1.3, TURN, np.array([0.4, -2.0, 1.0]))


def head(shift: float = 0.0) -> PredictedFace:
    """The template's outer surface, blown up along its normals by `shift` metres."""
    template = load_template()
    faces = outer_surface(template).skin_faces
    vertices = template.mesh.vertices
    vertices = vertices + shift * vertex_normals(vertices, faces)
    return PredictedFace(vertices, faces, template.landmarks.positions(vertices, faces_of()))


def faces_of() -> np.ndarray:
    return load_template().mesh.faces


@pytest.fixture(scope="module")
def scan() -> ScanFace:
    face = head()
    centre, radius = now_mask(face.landmarks)
    points, _ = sample_surface(face.vertices, face.faces, 60_000)
    points = points[np.linalg.norm(points - centre, axis=1) < radius]
    return ScanFace(points, face.landmarks)


def moved(face: PredictedFace, by: Similarity) -> PredictedFace:
    return PredictedFace(by.apply(face.vertices), face.faces, by.apply(face.landmarks))


def test_mask_is_that_of_the_challenge():
    marks = np.full((68, 3), np.nan)
    marks[[36, 39, 42, 45]] = [(-5, 0, 0), (-2, 0, 0), (2, 0, 0), (5, 0, 0)]
    marks[33] = (0, -4, 0)
    marks[[48, 54]] = [(-3, -7, 0), (3, -7, 0)]
    centre, radius = now_mask(marks)
    np.testing.assert_allclose(centre, (0, -4 + 0.3 * 4, 0), atol=1e-12)
    assert radius == pytest.approx(1.4 * (10 + 4) / 2)


def test_the_true_face_has_no_error_whatever_its_size_and_place(scan):
    errors = now_errors(scan, moved(head(), MOVED))
    assert errors.mm.max() < 1e-3
    assert errors.scan_from_prediction.scale == pytest.approx(1 / 1.3, abs=1e-7)


def test_wrong_landmarks_only_spoil_the_start(scan):
    face = moved(head(), MOVED)
    noise = np.random.default_rng(0).normal(scale=0.004, size=face.landmarks.shape)
    spoiled = PredictedFace(face.vertices, face.faces, face.landmarks + noise)
    assert now_errors(scan, spoiled).median < 0.02


def test_a_known_offset_is_measured(scan):
    # One sphere around another: without scale nothing can be aligned away.
    rng = np.random.default_rng(1)
    sphere = rng.normal(size=(10_000, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    face = head()
    small = ScanFace(0.08 * sphere, face.landmarks)
    from scipy.spatial import ConvexHull

    hull = ConvexHull(sphere)
    ball = PredictedFace(0.0815 * sphere, hull.simplices.astype(np.int64), face.landmarks)
    errors = now_errors(small, ball, with_scale=False)
    assert errors.median == pytest.approx(1.5, abs=0.05)
    assert now_errors(small, ball).median < 0.05


def test_an_offset_along_the_normals_of_a_face(scan):
    # A face is no closed surface about its middle: part of the offset is a shift along z.
    errors = aligned_errors(scan.points, head(0.001), Similarity.identity(), with_scale=False)
    assert 0.1 < errors.mean < 1.0
    found = head(0.001).closest(scan.points)
    distance = np.linalg.norm(scan.points - found.point, axis=1)
    assert 1e3 * np.median(distance) == pytest.approx(1.0, abs=0.02)


def test_the_similarity_of_the_prediction_does_not_matter(scan):
    template = load_template()
    other = template.mesh.vertices + template.shape_mean + template.shape_modes[1]
    marks = template.landmarks.positions(other, template.mesh.faces)
    face = PredictedFace(other, outer_surface(template).faces, marks)
    here, there = now_errors(scan, face), now_errors(scan, moved(face, MOVED))
    assert here.median > 0.1
    assert there.median == pytest.approx(here.median, rel=1e-4)
    rigid = Similarity(1.0, MOVED.rotation, MOVED.translation)
    assert now_errors(scan, moved(face, rigid), False).median == pytest.approx(
        now_errors(scan, face, False).median, rel=1e-4
    )


def test_only_the_metric_variant_sees_the_size(scan):
    large = moved(head(), Similarity(1.05, np.eye(3), np.zeros(3)))
    assert now_errors(scan, large).median < 1e-3
    metric = now_errors(scan, large, with_scale=False)
    assert metric.median > 0.3
    assert metric.scan_from_prediction.scale == 1.0


def test_the_alignment_is_the_best_one(scan):
    """No small motion lowers the sum of squares over the points that it looked at."""
    template = load_template()
    other = template.mesh.vertices + template.shape_modes[0]
    marks = template.landmarks.positions(other, template.mesh.faces)
    face = PredictedFace(other, outer_surface(template).faces, marks)
    points = scan.points[:4000]
    best = aligned_errors(points, face, Similarity.identity())
    rng = np.random.default_rng(5)
    for _ in range(8):
        angle, step = rng.normal(scale=1e-3, size=2)
        turn = np.array(
            [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
        )
        near = Similarity(1 + step, turn, rng.normal(scale=2e-4, size=3)) @ (
            best.scan_from_prediction
        )
        found = face.closest(near.inverse().apply(points))
        squares = ((points - near.apply(found.point)) ** 2).sum()
        assert squares > 1e-6 * (best.mm**2).sum()


def test_no_points_no_errors():
    assert len(aligned_errors(np.zeros((0, 3)), head(), Similarity.identity()).mm) == 0


def test_one_face_takes_a_moment(scan):
    face = moved(head(0.001), MOVED)
    now_errors(scan, face)
    start = time.process_time()
    now_errors(scan, PredictedFace(face.vertices, face.faces, face.landmarks))
    assert time.process_time() - start < 1.0  # 0.3 s are meant; a busy machine may need longer
