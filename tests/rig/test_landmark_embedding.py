"""MediaPipe's landmarks on the template: on the skin, symmetric, where anatomy has them."""

import numpy as np
import pytest
import torch

from rigface.cameras import orbiting
from rigface.evidence.ibug import IBUG_FROM_MESH, MESH_OVAL, ibug_from_mesh
from rigface.geometry.mesh import vertex_normals
from rigface.rig.landmark_embedding import IRIS_CENTRES, load_landmark_embedding
from rigface.rig.template_io import load_template

FLIP = np.array([-1.0, 1.0, 1.0])
UPPER_INNER = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_INNER = (95, 88, 178, 87, 14, 317, 402, 318, 324)
"""The same columns, the subject's right to left."""


@pytest.fixture(scope="module")
def template():
    return load_template()


@pytest.fixture(scope="module")
def embedding():
    return load_landmark_embedding()


@pytest.fixture(scope="module")
def points(template, embedding):
    return embedding.positions(template.mesh.vertices)


def ibug(template, number: int) -> np.ndarray:
    marks = template.landmarks
    at = marks.positions(template.mesh.vertices, template.mesh.faces)
    return at[marks.names.index(f"ibug.{number}")]


def test_every_point_lies_on_the_outer_skin(template, embedding):
    corners = template.mesh.faces[embedding.face]
    assert template.regions["outer"][corners].all()
    assert (embedding.bary >= 0).all()
    np.testing.assert_allclose(embedding.bary.sum(axis=1), 1.0, atol=1e-12)
    assert (embedding.sigma >= 0.5e-3).all() and (embedding.sigma <= 10e-3).all()


def test_left_and_right_are_mirror_images(points):
    skin = points[:468]
    distance = np.linalg.norm(skin[:, None] - (skin * FLIP)[None], axis=-1)
    assert distance.min(axis=1).max() < 2e-5
    for right, left in ((33, 263), (133, 362), (61, 291), (70, 300), (234, 454), (58, 288)):
        np.testing.assert_allclose(points[right] * FLIP, points[left], atol=2e-5)
        assert points[left, 0] > 0.01


def test_the_nose_tip_is_the_most_prominent_point(points):
    assert points[:468, 2].argmax() in (1, 4)
    assert abs(points[1, 0]) < 1e-6 and points[1, 2] > points[:468, 2].max() - 1e-3


@pytest.mark.parametrize(
    ("mesh", "number"),
    [(33, 36), (133, 39), (362, 42), (263, 45), (61, 48), (291, 54), (0, 51), (17, 57), (1, 30)],
)
def test_it_agrees_with_the_templates_own_landmarks(template, points, mesh, number):
    assert np.linalg.norm(points[mesh] - ibug(template, number)) < 5e-3


def test_eye_corners_are_within_three_millimetres(template, points):
    for mesh, number in ((33, 36), (133, 39), (362, 42), (263, 45)):
        assert np.linalg.norm(points[mesh] - ibug(template, number)) < 3e-3


def test_the_face_is_in_order(points):
    down = [10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 2, 0, 13, 14, 17, 152]
    assert (np.diff(points[down, 1]) < 0).all(), "forehead to chin along the middle"
    oval = points[list(MESH_OVAL)]
    angle = np.unwrap(np.arctan2(oval[:, 0], oval[:, 1] + 0.03))
    assert (np.diff(angle) > 0).all(), "once around, the subject's left side first"
    brows = points[[70, 63, 105, 66, 107, 336, 296, 334, 293, 300], 0]
    assert (np.diff(brows) > 0).all(), "the subject's right to left"


def test_inner_lips_part_when_the_mouth_opens(template, embedding, points):
    shut = points[list(UPPER_INNER), 1] - points[list(LOWER_INNER), 1]
    assert (shut > -0.5e-3).all()
    vertices = template.mesh.vertices.copy()
    index, offset = template.expressions.of("jawOpen")
    vertices[index] += 0.6 * offset
    opened = embedding.positions(vertices)
    gap = opened[list(UPPER_INNER), 1] - opened[list(LOWER_INNER), 1]
    assert (gap > 1e-3).all() and gap[4] > 15e-3


def test_irises_are_discs_of_human_size_on_the_eyeballs(template, points):
    for side, centre in zip("RL", IRIS_CENTRES, strict=True):
        ball = template.eyeballs[side]
        rim = points[centre + 1 : centre + 5]
        np.testing.assert_allclose(
            np.linalg.norm(rim - ball.centre, axis=1), ball.radius, atol=3e-4
        )
        assert 11.3e-3 < np.linalg.norm(rim[0] - rim[2]) < 11.9e-3
        np.testing.assert_allclose(points[centre], rim.mean(axis=0), atol=1e-12)
        away = (points[centre] - ball.centre) / np.linalg.norm(points[centre] - ball.centre)
        assert away @ ball.gaze > 0.999
        assert rim[0, 0] > rim[2, 0] and rim[1, 1] > rim[3, 1]
    assert points[473, 0] > 0 > points[468, 0]


def test_irises_follow_the_eyes(template, embedding, points):
    vertices = template.mesh.vertices.copy()
    index, offset = template.expressions.of("eyeLookOutLeft")
    vertices[index] += offset
    moved = embedding.positions(vertices) - points
    assert moved[473, 0] > 3e-3 and np.abs(moved[468]).max() < 1e-4


def test_the_operator_is_positions(template, embedding, points):
    operator = embedding.operator(len(template.mesh.vertices))
    assert operator.shape == (478, len(template.mesh.vertices))
    np.testing.assert_allclose(operator @ template.mesh.vertices, points, atol=1e-12)
    np.testing.assert_allclose(np.asarray(operator.sum(axis=1)).ravel(), 1.0)


def test_a_batch_item_is_the_item_alone(template, embedding, points):
    batch = np.stack([template.mesh.vertices, 1.1 * template.mesh.vertices])
    np.testing.assert_allclose(embedding.positions(batch)[1], 1.1 * points, atol=1e-12)
    np.testing.assert_allclose(embedding.ibug68(batch)[0], ibug_from_mesh(points), atol=1e-12)


def test_ibug_pairs_are_means():
    points = np.random.default_rng(0).normal(size=(478, 2))
    out = ibug_from_mesh(points)
    assert out.shape == (68, 2) and len(IBUG_FROM_MESH) == 68
    np.testing.assert_allclose(out[3], (points[132] + points[58]) / 2)
    np.testing.assert_allclose(out[30], points[4])
    np.testing.assert_allclose(out[36], points[33])
    assert {mark for pair in IBUG_FROM_MESH[:17] for mark in pair} <= set(MESH_OVAL)


def test_the_far_cheek_gets_its_outline(template, embedding):
    """Seen from the left, the right jaw slides: its points lie on the silhouette there."""
    vertices = template.mesh.vertices
    camera = orbiting((0.0, -0.03, 0.0), np.radians(25), 0.0, 0.7, 1000.0, (512, 512))
    outline = embedding.contour_points(vertices, camera)
    corners = template.mesh.faces[outline.face]
    normals = vertex_normals(vertices, template.mesh.faces)[corners]
    normal = np.einsum("nc,ncd->nd", outline.bary, normals)
    ray = camera.position.numpy() - outline.position
    cosine = (normal * ray).sum(1) / np.linalg.norm(normal, axis=1) / np.linalg.norm(ray, axis=1)
    marks = np.array(MESH_OVAL)
    far = np.isin(marks, (93, 132, 58, 172, 136)) & outline.on_outline
    assert far.sum() >= 4
    assert np.abs(cosine[far]).max() < 0.35, "seen edge-on"
    # and no point of the semantic ring reaches farther out in the picture
    place = torch.from_numpy(np.stack([outline.position, embedding.positions(vertices)[marks]]))
    px, _ = camera.project(place)
    assert (px[0, far, 0] <= px[1, far, 0] + 0.5).all()


def test_the_near_cheek_has_no_outline_of_its_own(embedding, template):
    camera = orbiting((0.0, -0.03, 0.0), np.radians(45), 0.0, 0.7, 1000.0, (512, 512))
    outline = embedding.contour_points(template.mesh.vertices, camera)
    near = np.isin(np.array(MESH_OVAL), (323, 454, 356))
    assert not outline.on_outline[near].any()


def test_contour_paths_run_along_the_skin_without_the_ears(template, embedding):
    paths = embedding.contour
    corners = template.mesh.faces[paths.face]
    assert template.regions["outer"][corners].all()
    assert not template.regions["ears"][corners].any(axis=-1).any()
    lines = paths.positions(template.mesh.vertices, template.mesh.faces)
    step = np.linalg.norm(np.diff(lines, axis=1), axis=-1)
    assert step.max() < 10e-3
    marks = embedding.positions(template.mesh.vertices)[paths.marks]
    gap = np.linalg.norm(lines - marks[:, None], axis=-1).min(axis=1)
    assert gap.max() < 4e-3, "each path runs through its landmark"


def test_the_jaw_line_on_the_outline(template, embedding):
    camera = orbiting((0.0, -0.03, 0.0), 0.0, 0.0, 0.7, 1000.0, (512, 512))
    outline = embedding.contour_points(template.mesh.vertices, camera)
    jaw, known = embedding.contour_jaw(outline)
    assert jaw.shape == (17, 3) and known.shape == (17,)
    assert known[3:14].all()
    even = np.delete(np.arange(17), [3, 13])  # a pair on the right, one point on the left
    np.testing.assert_allclose((jaw[::-1] * FLIP)[even], jaw[even], atol=1e-6)
