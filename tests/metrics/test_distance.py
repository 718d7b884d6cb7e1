import json

import numpy as np
import pytest
from toy_heads import NOSE, toy_head, toy_outer, with_pocket

from rigface.geometry.mesh import vertex_normals
from rigface.metrics.distance import points_to_mesh, scan_to_mesh, vertex_errors
from rigface.metrics.outer import EYEBALLS, label_surface
from rigface.metrics.region import face_region


def test_a_perfect_fit_has_no_error_and_full_coverage():
    head = toy_head()
    errors = scan_to_mesh(face_region(head, NOSE, samples=2000), toy_outer(head), head.vertices)
    assert errors.max < 1e-6
    assert errors.coverage == 1


def test_a_constant_gap_is_found_to_a_hundredth_of_a_millimetre():
    head = toy_head()
    normals = vertex_normals(head.vertices, head.faces)
    fit = head.vertices + 0.0005 * normals
    errors = scan_to_mesh(face_region(head, NOSE, samples=2000), toy_outer(head), fit)
    assert errors.mean == pytest.approx(0.5, abs=0.01)
    assert errors.median == pytest.approx(0.5, abs=0.01)
    assert errors.rms == pytest.approx(0.5, abs=0.01)
    assert errors.p95 < 0.52


def test_pockets_of_the_scan_and_of_the_fit_do_not_matter():
    head = toy_head()
    plain = scan_to_mesh(face_region(head, NOSE, samples=2000), toy_outer(head), head.vertices)
    pocketed = with_pocket(head)
    region = face_region(pocketed, NOSE, samples=4000)
    # The fit has a pocket too, but its faces are no outer skin.
    errors = scan_to_mesh(region, toy_outer(head), pocketed.vertices)
    assert errors.max < 1e-6
    assert errors.coverage == plain.coverage == 1


def test_points_beyond_the_rim_or_too_far_away_are_not_covered():
    head = toy_head()
    outer = toy_outer(head, floor=0.0)
    on_skin, off_skin = np.array([[0, 0.03, 0.2]]), np.array([[0, -0.06, 0.09]])
    above = points_to_mesh(on_skin, outer, head.vertices)
    assert above.mean > 3
    assert above.coverage == 0
    region = face_region(head, NOSE, samples=4000)
    errors = scan_to_mesh(region, outer, head.vertices)
    upper = region.points[:, 1] > 0.006
    assert errors.covered[upper].all()
    lower = region.points[:, 1] < -0.006
    assert not errors.covered[lower].any()
    # The fit is perfect, so what has an error lies beyond the rim, however close to it.
    beyond = (errors.mm > 0.01) & (errors.mm < 3)
    assert beyond.sum() > 20
    assert not errors.covered[beyond].any()
    assert points_to_mesh(off_skin, outer, head.vertices).mean > 10


def test_eyeballs_take_part_but_are_not_skin():
    head = toy_head(2)
    ball = np.array([[0.0, 0, 0.2], [0.01, 0, 0.2], [0, 0.01, 0.2]])
    vertices = np.concatenate([head.vertices, ball])
    outer = label_surface(head.faces, np.array([[0, 1, 2]]) + len(head.vertices))
    errors = points_to_mesh(np.array([[0.002, 0.002, 0.201]]), outer, vertices)
    assert errors.mean == pytest.approx(1.0)
    assert list(errors.by_region()) == [EYEBALLS]
    assert errors.coverage == 0


def test_regions_partition_the_samples():
    head = toy_head()
    moved = head.vertices + [0, 0.002, 0]
    errors = scan_to_mesh(face_region(head, NOSE, samples=3000), toy_outer(head), moved)
    parts = errors.by_region()
    assert set(parts) == {"nose", "cheeks"}
    assert sum(len(part.mm) for part in parts.values()) == len(errors.mm)
    rows = errors.region_rows()
    shares = [float(row["share"]) for row in rows]
    assert sum(shares) == pytest.approx(1)
    weighted = np.dot(shares, [float(row["mean_mm"]) for row in rows])
    assert weighted == pytest.approx(errors.mean)


def test_histogram_shares_sum_to_one_with_an_open_end():
    head = toy_head()
    region = face_region(head, NOSE, samples=1000)
    errors = scan_to_mesh(region, toy_outer(head), head.vertices * 1.1)
    shares, edges = errors.histogram()
    assert errors.max > edges[-1]
    assert shares.sum() == pytest.approx(1)
    assert shares[-1] > 0
    assert len(edges) == len(shares) + 1


def test_summary_is_plain_json_and_an_empty_region_is_not_a_number():
    head = toy_head(2)
    empty = points_to_mesh(np.zeros((0, 3)), toy_outer(head), head.vertices)
    assert np.isnan(empty.mean)
    assert np.isnan(empty.coverage)
    full = points_to_mesh(head.vertices, toy_outer(head), head.vertices)
    assert set(json.loads(json.dumps(full.summary()))) == set(empty.summary())


def test_heat_map_has_numbers_in_the_region_only():
    head = toy_head()
    scan = with_pocket(head)
    errors = vertex_errors(scan, NOSE, toy_outer(head), head.vertices + [0, 0, 0.001])
    near = np.linalg.norm(scan.vertices - NOSE, axis=1) <= 0.095
    near[len(head.vertices) :] = False
    assert np.array_equal(np.isfinite(errors), near)
    # At the nose tip the shift is along the normal.
    tip = np.linalg.norm(scan.vertices - NOSE, axis=1).argmin()
    assert errors[tip] == pytest.approx(1.0, abs=0.1)


def test_result_does_not_depend_on_the_frame():
    head = toy_head()
    region = face_region(head, NOSE, samples=1000)
    fit = head.vertices * 1.01
    here = scan_to_mesh(region, toy_outer(head), fit)
    far = np.array([40.0, -30, 20])
    there = points_to_mesh(region.points + far, toy_outer(head), fit + far)
    assert np.abs(here.mm - there.mm).max() < 1e-4
