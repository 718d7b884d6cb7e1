"""The shipped topology is MediaPipe's, and symmetric as far as theirs is."""

import numpy as np
import pytest

from rigface.evidence.face_mesh import (
    BROWS,
    IBUG_RINGS,
    MESH_COUNT,
    NOSE_RIDGE,
    RIGHT_SIDE,
    RINGS,
    SKIN_COUNT,
    face_mesh,
)
from rigface.evidence.ibug import IBUG_PAIRS


def test_triangles_are_one_oriented_surface_over_all_skin_points():
    triangles = face_mesh().triangles
    assert sorted(set(triangles.ravel())) == list(range(SKIN_COUNT))
    edges = [tuple(edge) for t in triangles.tolist() for edge in zip(t, t[1:] + t[:1], strict=True)]
    assert len(edges) == len(set(edges)), "neighbours run through their edge in opposite ways"


def test_mirror_map_is_an_involution_that_swaps_the_rings():
    mirror = face_mesh().mirror
    np.testing.assert_array_equal(mirror[mirror], np.arange(MESH_COUNT))
    right = list(RINGS["eye_right"])
    assert set(mirror[right]) == set(RINGS["eye_left"])
    assert mirror[468] == 473
    for ring in ("lips_outer", "lips_inner", "oval"):
        assert set(mirror[list(RINGS[ring])]) == set(RINGS[ring])
    assert set(mirror[list(BROWS)]) == set(BROWS)
    np.testing.assert_array_equal(mirror[list(NOSE_RIDGE)], NOSE_RIDGE)
    assert not set(mirror[list(RIGHT_SIDE)]) & set(RIGHT_SIDE)


def test_rings_are_the_contours_of_the_wheel():
    face_connections = pytest.importorskip("mediapipe.python.solutions.face_mesh_connections")
    tables = {
        "eye_right": face_connections.FACEMESH_RIGHT_EYE,
        "eye_left": face_connections.FACEMESH_LEFT_EYE,
        "oval": face_connections.FACEMESH_FACE_OVAL,
    }
    lips = {frozenset(edge) for edge in face_connections.FACEMESH_LIPS}
    for name, ring in RINGS.items():
        edges = {frozenset(edge) for edge in zip(ring, ring[1:] + ring[:1], strict=True)}
        if name in tables:
            assert edges == {frozenset(edge) for edge in tables[name]}
        else:
            assert edges <= lips
    brows = face_connections.FACEMESH_RIGHT_EYEBROW | face_connections.FACEMESH_LEFT_EYEBROW
    assert {point for edge in brows for point in edge} == set(BROWS)


def test_canonical_face_is_symmetric_and_faces_outwards(data_dir):
    lines = (data_dir / "mediapipe" / "canonical_face_model.obj").read_text().splitlines()
    vertices = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float)
    mesh = face_mesh()
    np.testing.assert_allclose(vertices[mesh.mirror[:468]] * [-1, 1, 1], vertices, atol=1e-6)
    a, b, c = (vertices[mesh.triangles[:, corner]] for corner in range(3))
    outward = np.cross(b - a, c - a)[:, 2]
    assert np.average(outward > 0, weights=np.abs(outward)) > 0.99
    assert (vertices[list(RIGHT_SIDE), 0] < 0).all(), "the subject's right has x < 0"


def test_jitter_keeps_the_measured_groups_and_lies_between_them_elsewhere():
    jitter = 100 * face_mesh().jitter
    np.testing.assert_allclose(jitter[468:], 0.43)
    np.testing.assert_allclose(jitter[list(RINGS["eye_left"])], 0.62)
    np.testing.assert_allclose(jitter[list(RINGS["lips_inner"])], 0.91)
    np.testing.assert_allclose(jitter[[10, 152, 1]], [1.74, 1.60, 1.18])
    assert jitter[:468].min() == pytest.approx(0.62)
    assert jitter.max() == pytest.approx(1.74)
    np.testing.assert_allclose(jitter, jitter[face_mesh().mirror], atol=0.02)


def test_ibug_map_is_the_published_one():
    assert IBUG_PAIRS.shape == (68, 2)
    assert IBUG_PAIRS[[3, 8, 27, 30, 36, 45, 48, 54, 62]].tolist() == [
        [132, 58], [152, 152], [168, 6], [4, 4], [33, 33], [263, 263], [61, 61], [291, 291],
        [13, 13],
    ]  # fmt: skip
    mirror = face_mesh().mirror
    for one, other in ((0, 16), (17, 26), (31, 35), (36, 45), (48, 54), (60, 64)):
        assert set(mirror[IBUG_PAIRS[one]]) == set(IBUG_PAIRS[other])
    for name, ring in IBUG_RINGS.items():
        if name != "oval":
            assert {int(i) for i in IBUG_PAIRS[list(ring)].ravel()} <= set(RINGS[name])
