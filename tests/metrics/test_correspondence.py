import numpy as np
import pytest
from toy_heads import NOSE, toy_head, toy_outer

from rigface.geometry.mesh import Mesh, vertex_normals
from rigface.metrics.correspondence import correspondence_errors


def pair() -> tuple[Mesh, Mesh]:
    """Two faces of one topology, open below; the second is wider and longer."""
    head = toy_head()
    kept = head.vertices[head.faces].mean(axis=1)[:, 1] > -0.06
    faces = head.faces[kept]
    return Mesh(head.vertices, faces), Mesh(head.vertices * [1.1, 1.05, 0.95], faces)


def test_perfect_fits_carry_every_vertex_home():
    a, b = pair()
    outer = toy_outer(toy_head(), floor=-0.05)
    found = correspondence_errors((a, b), (a.vertices, b.vertices), outer, NOSE)
    reach = a.vertices[:, 1] > -0.045
    assert found.mm[found.region & reach].max() < 1e-6
    assert 0.8 < found.coverage < 1


def test_sliding_along_the_surface_is_an_error_although_the_fit_is_close():
    a, b = pair()
    outer = toy_outer(toy_head())
    # Every point of a sphere stays on it under a turn about the nose axis.
    angle = 0.05
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    slid = toy_head().vertices @ turn.T * [1.1, 1.05, 0.95]
    found = correspondence_errors((a, b), (a.vertices, slid), outer, NOSE)
    off_axis = np.linalg.norm(a.vertices[:, :2], axis=1)
    expected = 1000 * angle * off_axis
    inner = found.region & (a.vertices[:, 1] > -0.04)
    assert found.mm[inner] == pytest.approx(expected[inner], rel=0.12, abs=0.01)
    assert found.coverage == 1


def test_going_to_the_surface_forgives_the_normal_part_only():
    a, b = pair()
    outer = toy_outer(toy_head())
    lifted = b.vertices + 0.002 * vertex_normals(b.vertices, toy_head().faces)
    fits = (a.vertices, lifted)
    plain = correspondence_errors((a, b), fits, outer, NOSE)
    projected = correspondence_errors((a, b), fits, outer, NOSE, to_surface=True)
    assert plain.mean == pytest.approx(2, abs=0.01)
    # Beyond the open border of B there is nothing to fall on.
    assert np.median(projected.mm[projected.region]) < 0.05


def test_means_over_region_cover_and_everything():
    a, b = pair()
    outer = toy_outer(toy_head(), floor=0.0)
    found = correspondence_errors((a, b), (a.vertices, b.vertices), outer, NOSE)
    assert found.mean_covered < 1e-6
    assert found.mean > 1
    assert found.mean_everywhere > found.mean
    assert found.coverage == pytest.approx(found.covered[found.region].mean())
    border = np.unique(a.faces)
    lowest = border[a.vertices[border, 1].argmin()]
    assert not found.region[lowest]


def test_different_topologies_are_refused():
    a, b = pair()
    other = Mesh(b.vertices, b.faces[:, [1, 2, 0]])
    with pytest.raises(ValueError, match="same faces"):
        correspondence_errors((a, other), (a.vertices, b.vertices), toy_outer(a), NOSE)


def test_simulated_faces_share_their_topology(data_dir):
    from rigface.bench.registration_data import simulated_face

    first = simulated_face(data_dir, 1)
    for number in (2, 16, 30):
        other = simulated_face(data_dir, number)
        assert np.array_equal(first.clean.faces, other.clean.faces)
        # The vertex that serves as nose tip lies in front of all others near it.
        near = np.linalg.norm(other.scan.vertices - other.nose_tip, axis=1) < 15
        assert other.nose_tip[2] > np.percentile(other.scan.vertices[near, 2], 95)
