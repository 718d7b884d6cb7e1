"""Faces that were turned at random agree again."""

import numpy as np
import pytest
import trimesh

from rigface.geometry.mesh import face_normals
from rigface.geometry.winding import consistent_winding


def ball() -> tuple[np.ndarray, np.ndarray]:
    sphere = trimesh.creation.icosphere(subdivisions=3)
    return np.array(sphere.vertices), np.array(sphere.faces, dtype=np.int64)


def turned(faces: np.ndarray, which: np.ndarray) -> np.ndarray:
    changed = faces.copy()
    changed[which] = changed[which, ::-1]
    return changed


@pytest.mark.parametrize("inside_out", [False, True])
def test_the_minority_is_turned_back(inside_out, rng):
    _, faces = ball()
    faces = faces[:, ::-1].copy() if inside_out else faces
    which = rng.random(len(faces)) < 0.3
    again, count = consistent_winding(turned(faces, which))
    np.testing.assert_array_equal(again, faces)
    assert count == which.sum()


def test_each_piece_goes_by_its_own_majority(rng):
    vertices, faces = ball()
    other = faces[:, ::-1] + len(vertices)
    both = np.concatenate([faces, other])
    again, count = consistent_winding(turned(both, np.arange(3, 60)))
    np.testing.assert_array_equal(again, both)
    assert count == 57
    first = face_normals(vertices, again[: len(faces)])
    assert ((first * vertices[faces].mean(axis=1)).sum(axis=1) > 0).all()


def test_faces_that_agree_are_left_alone():
    _, faces = ball()
    again, count = consistent_winding(faces)
    assert again is faces and count == 0


def test_edges_of_three_faces_and_one_sided_bands_do_no_harm():
    fins = np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]])
    again, count = consistent_winding(fins)
    np.testing.assert_array_equal(again, fins)
    assert count == 0
    # A Moebius band of five triangles: nothing orients it, and every face is kept.
    band = np.array([[0, 1, 2], [1, 3, 2], [2, 3, 4], [3, 0, 4], [4, 0, 1]])
    again, _ = consistent_winding(band)
    np.testing.assert_array_equal(np.sort(again, axis=1), np.sort(band, axis=1))
