"""Strays go, surfaces stay, whatever their density."""

import numpy as np
import pytest
from toy_heads import toy_head

from rigface.evidence.scan import Scan
from rigface.fit.clean import clean, pieces, strays
from rigface.geometry.mesh import sample_surface


def in_the_air(count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-0.11, 0.11, (count, 3))


def test_a_clean_mesh_stays_as_it_is():
    head = toy_head()
    found = clean(Scan(head.vertices, head.faces))
    assert found.kept.all() and found.scan.notes == ()
    np.testing.assert_array_equal(found.scan.vertices, head.vertices)
    assert found.scan.faces is not None
    np.testing.assert_array_equal(found.scan.faces, head.faces)


def test_floating_triangles_go_and_are_counted(rng):
    head = toy_head()
    corners = in_the_air(1000, rng)[:, None] + 0.001 * rng.standard_normal((1000, 3, 3))
    floating = np.arange(3000).reshape(-1, 3) + len(head.vertices)
    scan = Scan(
        np.concatenate([head.vertices, corners.reshape(-1, 3)]),
        np.concatenate([head.faces, floating]),
        notes=("read",),
    )
    found = clean(scan)
    assert found.scan.faces is not None
    np.testing.assert_array_equal(found.scan.faces, head.faces)
    assert found.kept.sum() == len(head.vertices)
    assert found.scan.notes == ("read", "left out 1,000 stray triangles (16.3%)")


def test_a_soup_of_triangles_is_kept(rng):
    head = toy_head(3)
    faces = np.arange(head.faces.size).reshape(-1, 3)
    assert pieces(faces).max() == len(head.faces) - 1
    assert clean(Scan(head.vertices[head.faces].reshape(-1, 3), faces)).kept.all()


def test_faces_that_run_against_their_neighbours_are_turned(rng):
    head = toy_head()
    faces = head.faces.copy()
    faces[::4] = faces[::4, ::-1]
    found = clean(Scan(head.vertices, faces))
    assert found.scan.faces is not None
    np.testing.assert_array_equal(found.scan.faces, head.faces)
    assert found.scan.notes == (
        f"turned {len(faces[::4]):,} faces round that ran against their neighbours",
    )


@pytest.mark.parametrize("density", [1.0, 0.2])
def test_lone_points_go_and_sparse_places_stay(density, rng):
    head = toy_head()
    points, _ = sample_surface(head.vertices, head.faces, 20_000, seed=5)
    sparse = points[:, 1] < 0
    kept = ~sparse | (rng.random(len(points)) < density)
    points, sparse = points[kept], sparse[kept]
    lone = in_the_air(len(points) // 4, rng)
    far = np.abs(np.linalg.norm(lone, axis=1) - 0.09) > 0.015
    above = 1.07 * points[~sparse][::50]  # 6 mm and more off the surface
    found = strays(np.concatenate([points, lone, above]))
    of_surface, others = found[: len(points)], found[len(points) :]
    assert others[: len(lone)][far].mean() > 0.95
    assert others[len(lone) :].mean() > 0.8
    assert of_surface[~sparse].mean() < 0.005 and of_surface[sparse].mean() < 0.03
    result = clean(Scan(np.concatenate([points, lone, above])))
    np.testing.assert_array_equal(result.kept, ~found)
    assert "stray points" in result.scan.notes[0]


def test_a_clean_cloud_stays_as_it_is(rng):
    head = toy_head()
    points, _ = sample_surface(head.vertices, head.faces, 5000, seed=0)
    scan = Scan(points + 0.0003 * rng.standard_normal(points.shape))
    assert clean(scan).scan is scan
    few = Scan(points[:50])
    assert clean(few).scan is few
