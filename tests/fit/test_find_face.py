"""The face is found in any pose and unit, the same each time, and only where there is one."""

from functools import lru_cache

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from stick_body import NECK_TOP, stick_body
from synthetic_fits import truth

from rigface.errors import InputError
from rigface.evidence.landmarks import Landmarks
from rigface.evidence.scan import Scan
from rigface.fit.find_face import FacePose, find_face
from rigface.fit.finding.poses import CORNERS
from rigface.fit.finding.prepare import prepare_points
from rigface.geometry.similarity import Similarity, align_points
from rigface.rig.template import Template
from rigface.rig.template_io import load_template


def found(scan: Scan, landmarks: Landmarks | None = None, seed: int = 0) -> FacePose:
    points, normals, _ = prepare_points(scan, seed=seed)
    return find_face(points, normals, template=load_template(), seed=seed, landmarks=landmarks)


def true_pose(placed: Similarity) -> Similarity:
    """scan_from_model by the vertices of the face, whose truth is known."""
    template: Template = load_template()
    face = template.regions["face"]
    return placed @ align_points(template.mesh.vertices[face], truth().vertices[face])


def placed_at_random(seed: int) -> Similarity:
    rng = np.random.default_rng(seed)
    rotation = Rotation.random(rng=rng).as_matrix()
    scale = float(rng.choice([1000.0, 39.37, 1.0, 7.0]))
    return Similarity(scale, rotation, scale * rng.normal(0, 3, 3))


def scan_at(placed: Similarity) -> Scan:
    model = truth().scan_from_model.inverse().apply(truth().scan.vertices)
    return Scan(placed.apply(model), truth().scan.faces)


@lru_cache(maxsize=4)
def once(seed: int) -> FacePose:
    return found(scan_at(placed_at_random(seed)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_head_is_found_however_it_lies(seed):
    pose, expected = once(seed), true_pose(placed_at_random(seed))
    apart = np.linalg.norm(pose.scan_from_model.apply(CORNERS) - expected.apply(CORNERS), axis=1)
    assert apart.max() < 0.006 * expected.scale  # 6 mm of the head
    assert pose.scale == pytest.approx(expected.scale, rel=0.06)
    assert pose.score > 2 and pose.inlier_share > 0.6
    assert "surely a face" in pose.message


def test_the_same_scan_and_seed_give_the_same_pose():
    again = found(scan_at(placed_at_random(1)))
    np.testing.assert_array_equal(again.scan_from_model.matrix(), once(1).scan_from_model.matrix())
    assert (again.score, again.margin) == (once(1).score, once(1).margin)


def test_a_mirrored_head_is_found_as_a_head():
    """Mirrored, everybody looks like somebody else, and nobody has two left eyes."""
    placed = placed_at_random(1)
    scan = scan_at(placed)
    mirrored = Scan(scan.vertices * [-1, 1, 1], scan.faces)
    pose = found(mirrored)
    assert np.linalg.det(pose.rotation) == pytest.approx(1)
    tip = true_pose(placed).apply(CORNERS[3]) * [-1, 1, 1]
    assert np.linalg.norm(pose.scan_from_model.apply(CORNERS[3]) - tip) < 0.01 * placed.scale
    assert pose.score > 2


@pytest.mark.parametrize("shape", ["cube", "ball"])
def test_what_is_no_face_is_refused_with_what_was_seen(shape):
    mesh = {
        "cube": trimesh.creation.box(extents=(150, 200, 180)),
        "ball": trimesh.creation.icosphere(subdivisions=5, radius=90),
    }[shape]
    scan = Scan(np.array(mesh.vertices, float), np.array(mesh.faces, np.int64))
    with pytest.raises(
        InputError, match=r"shows \d+% of a face, its relief agrees to \d+%.*landmarks"
    ) as caught:
        found(scan)
    assert caught.value.exit_code == 3


def test_too_little_surface_is_refused():
    with pytest.raises(InputError, match="at least 200"):
        found(Scan(np.random.default_rng(0).normal(size=(150, 3))))
    flat = np.zeros((300, 3))
    with pytest.raises(InputError):
        found(Scan(flat, np.arange(300).reshape(-1, 3)))


def landmarks_of(placed: Similarity, numbers: tuple[int, ...]) -> Landmarks:
    template = load_template()
    where = template.landmarks.positions(truth().vertices, template.mesh.faces)
    names = tuple(f"ibug.{number}" for number in numbers)
    rows = [template.landmarks.names.index(name) for name in names]
    return Landmarks(names, placed.apply(where[rows]))


def test_landmarks_replace_the_search():
    placed = placed_at_random(4)
    pose = found(scan_at(placed), landmarks_of(placed, (36, 45, 30, 8)))
    expected = true_pose(placed)
    apart = np.linalg.norm(pose.scan_from_model.apply(CORNERS) - expected.apply(CORNERS), axis=1)
    assert apart.max() < 0.006 * expected.scale


def test_a_body_is_refused_even_where_landmarks_show_its_face():
    scan = scan_at(Similarity.identity())
    assert scan.faces is not None
    body = Scan(*stick_body((scan.vertices, scan.faces)))
    with pytest.raises(InputError, match="face heights tall .* crop it to the head"):
        found(body, landmarks_of(Similarity(1.0, np.eye(3), NECK_TOP), (36, 45, 30, 8)))


def test_landmarks_that_fix_no_pose_are_refused():
    placed = placed_at_random(4)
    scan = scan_at(placed)
    good = landmarks_of(placed, (36, 45, 30))
    line = Landmarks(good.names, np.array([[0.0, 0, 0], [1, 1, 1], [2, 2, 2]]))
    with pytest.raises(InputError, match="one line"):
        found(scan, line)
    with pytest.raises(InputError, match="at least 3"):
        found(scan, Landmarks(("ibug.36", "ibug.45"), good.points[:2]))
