"""Pairs between scan and skin: the closest places, and the rules that drop some of them."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from rigface.fit.matching import Matcher, MatchRule, SkinTopology
from rigface.fit.target import ScanTarget
from rigface.geometry.mesh import face_normals, sample_surface
from rigface.metrics.closest import closest_barycentric
from rigface.rig.template_io import load_template

MM = 1e-3


@pytest.fixture(scope="module")
def skin() -> np.ndarray:
    template = load_template()
    return np.ascontiguousarray(template.mesh.vertices[template.parts["skin"].vertices])


def target_of(points: np.ndarray, normals: np.ndarray, area: float = 4e-6) -> ScanTarget:
    """A cloud."""
    areas = np.full(len(points), area)
    return ScanTarget(points, normals, areas, None, None, None, None, cKDTree(points))


def face_points(skin: np.ndarray, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """On the face of the template, with their normals."""
    topology = SkinTopology.of_template(load_template())
    faces = topology.faces[topology.face[topology.faces].all(axis=1)]
    points, face = sample_surface(skin, faces, count, seed=0)
    return points, face_normals(skin, faces)[face]


def matcher_of(target: ScanTarget) -> Matcher:
    return Matcher(SkinTopology.of_template(load_template()), target)


def placed(matcher: Matcher, matches, vertices: np.ndarray) -> np.ndarray:
    return np.einsum("nc,ncd->nd", matches.bary, vertices[matches.corners])


def test_places_are_the_closest_of_all_triangles(skin, rng):
    points, normals = face_points(skin, 40)
    points = points + 5 * MM * rng.standard_normal(points.shape)
    matcher = matcher_of(target_of(points, normals))
    found = placed(matcher, matcher.match(skin, MatchRule(trim=0.05, cosine=-2.0)), skin)
    triangles = skin[matcher.searched]
    for point, place in zip(points, found, strict=True):
        bary = closest_barycentric(np.broadcast_to(point, (len(triangles), 3)), triangles)
        every = np.linalg.norm(np.einsum("nc,ncd->nd", bary, triangles) - point, axis=1)
        assert np.linalg.norm(place - point) == pytest.approx(every.min(), abs=1e-6)


def test_the_surface_follows_the_vertices(skin):
    matcher, rule = matcher_of(target_of(*face_points(skin))), MatchRule(trim=5 * MM)
    assert matcher.match(skin, rule).good.mean() > 0.98
    away = np.array([0.0, 0.0, 20 * MM])
    assert matcher.match(skin - away, rule).good.mean() < 0.2
    assert matcher.match(skin, rule).good.mean() > 0.98


def test_pairs_beyond_the_trim_distance_are_dropped(skin):
    points, normals = face_points(skin)
    lift = np.where(np.arange(len(points)) % 2, 2 * MM, 6 * MM)[:, None]
    matcher = matcher_of(target_of(points + lift * normals, normals))
    good = matcher.match(skin, MatchRule(trim=4 * MM)).good
    assert good[1::2].mean() > 0.95
    assert good[0::2].mean() < 0.1


def test_pairs_whose_normals_disagree_are_dropped(skin):
    points, normals = face_points(skin)
    tilted = normals + np.cross(normals, [0.0, 1.0, 0.0])  # less than 45 degrees
    tilted /= np.linalg.norm(tilted, axis=1, keepdims=True)
    shares = {
        (name, cosine): matcher_of(target_of(points, n)).match(skin, MatchRule(0.01, cosine)).good
        for name, n in (("same", normals), ("tilted", tilted), ("against", -normals))
        for cosine in (0.6, 0.95)
    }
    assert shares["same", 0.95].mean() > 0.98
    assert shares["tilted", 0.6].mean() > 0.95 and shares["tilted", 0.95].mean() < 0.4
    assert not shares["against", 0.6].any()


def test_scan_beyond_the_rim_pulls_at_nothing(skin):
    matcher = matcher_of(target_of(*face_points(skin)))
    neck = np.flatnonzero(matcher.rim & (skin[:, 1] < skin[:, 1].min() + 20 * MM))
    below = skin[neck] - [0, 3 * MM, 0]
    normals = np.tile([0.0, 0.0, 1.0], (len(below), 1))
    matches = matcher_of(target_of(below, normals)).match(skin, MatchRule(0.01, cosine=-2.0))
    assert len(neck) > 20
    assert matches.good.mean() < 0.05
    # The same points inside the rim would be matched.
    inside = matcher_of(target_of(skin[neck] + [0, 6 * MM, 0], normals))
    assert inside.match(skin, MatchRule(0.01, cosine=-2.0)).good.mean() > 0.9


def test_vertices_look_for_the_scan_where_it_is_and_not_behind_its_rim(skin):
    template = load_template()
    topology = SkinTopology.of_template(template)
    left = skin[:, 0] > 0
    faces = topology.faces[(topology.outer & left)[topology.faces].all(axis=1)]
    points, face = sample_surface(skin, faces, 3000, seed=0)
    target = target_of(points, face_normals(skin, faces)[face])
    matcher = matcher_of(target)
    good = matcher.match(skin, MatchRule(trim=0.02)).place_good
    x = skin[matcher.looking, 0]
    assert good[x > 5 * MM].mean() > 0.9
    assert not good[x < -8 * MM].any()


def test_terms_vanish_on_the_scan_and_weigh_its_area(skin):
    points, normals = face_points(skin)
    matcher = matcher_of(target_of(points, normals, area=9e-6))
    rule = MatchRule(trim=5 * MM, sigma=1 * MM, slide=0.1, reverse=0.0)
    (forward,) = matcher.match(skin, rule).terms(skin, rule)
    assert forward.energy(skin) < 1e-6
    assert set(forward.weights) == {9.0}
    moved = skin + [0.0, 0.0, 1 * MM]
    assert forward.energy(moved) > 100
    both = matcher.match(skin, MatchRule(trim=5 * MM, reverse=0.3)).terms(skin, rule)
    assert len(both) == 1  # `terms` goes by its own rule
    both = matcher.match(skin, rule).terms(skin, MatchRule(trim=5 * MM, reverse=0.3))
    area = both[1].weights.sum() / 0.3
    doubled = matcher.match(skin, rule).terms(skin, MatchRule(trim=5 * MM, reverse=0.6))
    assert doubled[1].weights.sum() / 0.6 == pytest.approx(area)
