"""What of a scan a fit gets to see: outer skin near the face, with outward normals."""

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from synthetic_fits import truth
from toy_heads import toy_head, with_pocket

from rigface.errors import InputError
from rigface.evidence.scan import Scan
from rigface.fit.clean import clean
from rigface.fit.target import FACE_CENTRE, REACH, ScanTarget, prepare_target
from rigface.geometry.mesh import Mesh, boundary_edges, face_areas, face_normals, sample_surface
from rigface.geometry.similarity import Similarity
from rigface.geometry.surface import Surface
from rigface.rig.template_io import load_template


def targets_of(scan: Scan, samples: int = 3000) -> ScanTarget:
    model_from_scan = truth().scan_from_model.inverse()
    return prepare_target(scan, model_from_scan, load_template(), samples)


def true_mesh() -> Mesh:
    scan = truth().scan
    assert scan.faces is not None
    return Mesh(truth().scan_from_model.inverse().apply(scan.vertices), scan.faces)


def cosines(target: ScanTarget) -> np.ndarray:
    """Of the target's normals with the true outward ones."""
    mesh = true_mesh()
    surface = Surface(torch.from_numpy(mesh.vertices), torch.from_numpy(mesh.faces))
    face = surface.closest(torch.from_numpy(np.ascontiguousarray(target.points))).face.numpy()
    return (face_normals(mesh.vertices, mesh.faces)[face] * target.normals).sum(axis=1)


def cloud(count: int = 15_000, noise_mm: float = 0.0) -> Scan:
    scan = truth().scan
    assert scan.faces is not None
    points, _ = sample_surface(scan.vertices, scan.faces, count, seed=1)
    return Scan(points + noise_mm * np.random.default_rng(2).standard_normal(points.shape))


@pytest.mark.parametrize("as_cloud", [False, True])
def test_a_bag_inside_the_head_is_not_seen(as_cloud):
    head = with_pocket(toy_head())
    scan = Scan(head.vertices, head.faces)
    if as_cloud:
        scan = Scan(sample_surface(head.vertices, head.faces, 12_000, seed=0)[0])
    target = prepare_target(scan, Similarity.identity(), load_template(), 2000)
    in_bag = np.linalg.norm(target.points - [0, 0, 0.04], axis=1) < 0.032
    assert in_bag.mean() < 0.002
    assert (np.linalg.norm(target.points - FACE_CENTRE, axis=1) < REACH).all()


def test_the_back_of_a_cloud_hides_its_inside():
    """The cut at the reach must not open the head from behind."""
    head = toy_head()
    bag = 0.03 * head.vertices / np.linalg.norm(head.vertices, axis=1, keepdims=True)
    bag += [0, 0, 0.03]
    stretched = head.vertices * [1, 1, 2.2]  # reaches back far beyond the cut
    points, _ = sample_surface(stretched, head.faces, 14_000, seed=0)
    scan = Scan(np.concatenate([points, bag[::2]]) - [0, 0, 0.1])
    target = prepare_target(scan, Similarity.identity(), load_template(), 20_000)
    assert (np.linalg.norm(stretched - [0, 0, 0.1] - FACE_CENTRE, axis=1) > REACH).any()
    assert (np.linalg.norm(target.points + [0, 0, 0.07], axis=1) < 0.032).mean() < 0.005


@pytest.mark.parametrize("turned", ["as it is", "inside out", "mixed"])
def test_normals_of_a_mesh_point_outward(turned):
    scan = truth().scan
    assert scan.faces is not None
    faces = scan.faces.copy()
    if turned == "inside out":
        faces = np.ascontiguousarray(faces[:, ::-1])
    if turned == "mixed":
        some = np.random.default_rng(0).random(len(faces)) < 0.4
        faces[some] = faces[some, ::-1]
    target = targets_of(clean(Scan(scan.vertices, faces)).scan)
    assert np.percentile(cosines(target), 1) > 0.9
    assert target.vertex_normals is not None
    np.testing.assert_allclose(np.linalg.norm(target.normals, axis=1), 1)


@pytest.mark.parametrize("noise_mm", [0.0, 0.5])
def test_normals_of_a_cloud_point_outward(noise_mm):
    cosine = cosines(targets_of(cloud(noise_mm=noise_mm)))
    assert (cosine < 0).mean() < 0.01
    assert np.median(cosine) > np.cos(np.radians(8))


def test_noise_on_a_dense_mesh_does_not_reach_its_normals():
    scan = truth().scan
    noise = np.random.default_rng(3).standard_normal(scan.vertices.shape)
    cosine = cosines(targets_of(Scan(scan.vertices + 0.8 * noise, scan.faces)))
    assert np.median(cosine) > np.cos(np.radians(12))


def test_samples_share_the_surface():
    target = targets_of(truth().scan, 1000)
    assert target.mesh is not None
    area = face_areas(target.mesh.vertices, target.mesh.faces).sum()
    assert target.areas.sum() == pytest.approx(area)
    points = targets_of(cloud(), 3000)
    assert 2700 <= len(points.points) <= 3300
    assert points.areas.sum() == pytest.approx(area, rel=0.2)


def test_a_sparse_place_of_a_cloud_weighs_as_much_as_a_dense_one():
    points = cloud(20_000).vertices
    model = truth().scan_from_model.inverse().apply(points)
    left = model[:, 0] > 0
    keep = left | (np.random.default_rng(4).random(len(points)) < 0.25)
    target = targets_of(Scan(points[keep]), 30_000)
    on_left = target.points[:, 0] > 0
    assert on_left.mean() > 0.7
    assert target.areas[on_left].sum() / target.areas.sum() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("as_cloud", [False, True])
def test_places_beyond_the_rim_are_known_as_such(as_cloud):
    target = targets_of(cloud() if as_cloud else truth().scan)
    skin = load_template().parts["skin"].vertices
    face = truth().vertices[skin][load_template().regions["face"][skin]]
    mesh = true_mesh()
    rim = cKDTree(mesh.vertices[boundary_edges(mesh.faces).ravel()])
    face = face[rim.query(face)[0] > 0.006]  # off the margins of lids, lips and nostrils
    place, _, inside = target.nearest(face)
    assert len(face) > 1000 and inside.mean() > 0.99
    assert np.median(np.linalg.norm(place - face, axis=1)) < (0.003 if as_cloud else 1e-6)
    beyond = target.points[target.points[:, 1].argmin()] + [[0.0, -0.05, 0.0]]
    assert not target.nearest(beyond)[2].any()


@pytest.mark.parametrize("scan", [truth().scan, cloud(3000)], ids=["mesh", "cloud"])
def test_nothing_near_the_face_is_refused(scan):
    away = Similarity(0.001, np.eye(3), np.array([0.0, 0.0, 5.0]))
    with pytest.raises(InputError, match="Only 0 points of the scan lie near the face"):
        prepare_target(scan, away, load_template())


def test_a_part_of_a_scan_is_as_dense_as_wished_or_empty():
    target = targets_of(truth().scan)
    tip = target.points[np.argmax(target.points[:, 2])]
    dense = target.near(tip, 0.02, 500)
    assert len(dense.points) == len(dense.normals) == len(dense.areas) == 500
    assert np.linalg.norm(dense.points - tip, axis=1).max() < 0.025
    np.testing.assert_allclose(np.linalg.norm(dense.normals, axis=1), 1.0)
    own = target.near(tip, 0.02)
    kept = np.linalg.norm(target.points - tip, axis=1) < 0.02
    np.testing.assert_array_equal(own.points, target.points[kept])
    away = target.near(tip + 1.0, 0.02, 500)
    assert len(away.points) == len(away.normals) == len(away.areas) == 0
