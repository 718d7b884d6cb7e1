import numpy as np
import pytest
from toy_heads import NOSE, toy_head, toy_outer, with_pocket

from rigface.bench.peers import PEERS, amberg, icp, measure_peer, peer_start, peer_target, run_peer
from rigface.errors import MissingExtraError
from rigface.geometry.mesh import Mesh
from rigface.metrics.distance import points_to_mesh
from rigface.metrics.outer import label_surface
from rigface.metrics.region import face_region


def mean_error(fit: np.ndarray, start: Mesh, target: Mesh) -> float:
    surface = label_surface(start.faces, np.zeros((0, 3), dtype=np.int64))
    return points_to_mesh(target.vertices, surface, fit).mean


@pytest.fixture(scope="module")
def case() -> tuple[Mesh, Mesh]:
    """A coarse head to be fitted to a finer, wider one with a pocket."""
    head = toy_head(3)
    start = peer_start(head.vertices, head.faces)
    wide = with_pocket(toy_head(4))
    return start, peer_target(wide.with_vertices(wide.vertices * [1.06, 1.0, 1.03]), NOSE)


def test_the_target_is_the_visible_part_near_the_face(case):
    target = case[1]
    assert np.linalg.norm(target.vertices - NOSE, axis=1).max() < 0.15
    assert np.linalg.norm(target.vertices, axis=1).min() > 0.08


def test_the_start_is_one_piece():
    head = toy_head(2)
    stray = np.array([[1.0, 1, 1], [1, 1, 2], [1, 2, 1]])
    vertices = np.concatenate([head.vertices, stray])
    faces = np.concatenate([head.faces, [[0, 1, 2] + np.array(len(head.vertices))]])
    start = peer_start(vertices, faces)
    assert np.array_equal(start.vertices, head.vertices)


def test_icp_finds_a_similarity(rng):
    start = toy_head(4)
    moved = start.vertices * 1.03 + [0.004, -0.003, 0.002]
    target = Mesh(moved, start.faces)
    found = icp(start, target)
    assert mean_error(found.vertices, start, target) < 0.05
    assert found.variables == 7


def test_amberg_of_trimesh_comes_closer_than_the_start(case):
    pytest.importorskip("rtree")
    start, target = case
    found = amberg(start, target, "annealed")
    assert found.vertices.shape == start.vertices.shape
    assert mean_error(found.vertices, start, target) < 0.5 * mean_error(
        start.vertices, start, target
    )
    assert found.variables == 12 * len(start.vertices)
    assert found.seconds > 0
    errors, quality = measure_peer(found, start, face_region(target, NOSE, samples=1000))
    assert errors.mean < 1
    assert 0.1 * len(start.faces) < quality.triangles < 0.8 * len(start.faces)


def test_meshmonk_comes_closer_than_the_start(case):
    pytest.importorskip("meshmonk")
    start, target = case
    found = run_peer("meshmonk", start, target)
    assert not isinstance(found, str), found
    assert mean_error(found.vertices, start, target) < 0.6 * mean_error(
        start.vertices, start, target
    )


def test_a_peer_that_is_missing_or_fails_says_so(case, monkeypatch):
    def missing(start, target):
        raise MissingExtraError("install it")

    def failing(start, target):
        raise RuntimeError("Factor is exactly singular")

    monkeypatch.setitem(PEERS, "absent", missing)
    monkeypatch.setitem(PEERS, "broken", failing)
    assert run_peer("absent", *case) == "absent was not run: install it"
    assert run_peer("broken", *case) == "broken failed: Factor is exactly singular"


def test_outer_faces_of_a_head_can_be_the_start():
    head = toy_head(3)
    start = peer_start(head.vertices, toy_outer(head, floor=0.0).skin_faces)
    assert start.vertices[:, 1].min() > -0.02
