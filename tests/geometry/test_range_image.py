"""Neighbours, flying pixels, pieces and triangles of a depth picture."""

import numpy as np

from rigface.geometry.mesh import face_normals
from rigface.geometry.range_image import (
    beside_jumps,
    grid_faces,
    linked,
    smoothed,
    surface_pieces,
)

LIMIT = np.full((4, 6), 0.1)
STEP = np.array([[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]] * 4)


def test_a_step_is_not_a_surface():
    right, below = linked(STEP, LIMIT)
    assert right.sum() == 4 * 4 and not right[:, 2].any() and below.all()
    flying = beside_jumps(STEP, LIMIT)
    assert flying[:, 2:4].all() and not flying[:, [0, 1, 4, 5]].any()
    pieces = surface_pieces(STEP, LIMIT)
    assert len(np.unique(pieces)) == 2 and len(np.unique(pieces[:, :3])) == 1


def test_what_is_not_measured_belongs_to_nothing_and_does_not_fly():
    holed = STEP.copy()
    holed[:, 2] = np.nan
    assert (surface_pieces(holed, LIMIT)[:, 2] == -1).all()
    assert not beside_jumps(holed, LIMIT).any()


def test_triangles_face_the_camera_and_skip_jumps():
    kept = np.ones((4, 6), dtype=bool)
    kept[0, 0] = False
    faces = grid_faces(kept, STEP, LIMIT)
    assert len(faces) == 2 * (3 * 4 - 1)
    rows, columns = np.nonzero(kept)
    points = np.stack([columns, rows, STEP[kept]], axis=1).astype(float)
    assert (face_normals(points, faces)[:, 2] < 0).all()


def test_smoothing_keeps_steps_and_holes(rng):
    depth = np.ones((40, 40)) + 0.01 * rng.standard_normal((40, 40))
    depth[:, 20:] += 1.0
    depth[5, 5] = np.nan
    calm = smoothed(depth, 2.0, np.full(depth.shape, 0.1))
    assert np.isnan(calm[5, 5]) and np.isnan(calm).sum() == 1
    assert np.nanstd(calm[10:30, 2:12]) < 0.4 * np.std(depth[10:30, 2:12])
    np.testing.assert_array_equal(calm[:, 19:21], depth[:, 19:21])
