"""A head that is known exactly is found in depth frames, one or several, with all their faults."""

from dataclasses import replace

import numpy as np
import pytest
from depth_frames import QUICK, fitted_shot, shot
from synthetic_fits import random_head

from rigface.cameras.lens import RadialTable
from rigface.errors import InputError
from rigface.fit.depth import fit_depth
from rigface.fit.depth_cloud import DepthCloud, SensorNoise, find_person
from rigface.fit.depth_face import find_in_depth
from rigface.fit.depth_fusion import PlacedFrame, fuse, place_frames
from rigface.fit.depth_texture import rectified
from rigface.geometry.similarity import Similarity
from rigface.metrics.closest import closest_on_mesh
from rigface.rig.template_io import load_template


def on_truth(points: np.ndarray, pose: Similarity) -> np.ndarray:
    """Distances (mm) to the true head of points in the camera's frame."""
    template = load_template()
    truth = pose.apply(random_head(0))
    return 1e3 * closest_on_mesh(points, truth, template.mesh.faces).distance


def test_the_person_is_what_is_left():
    view = shot()
    person = find_person(view.frame)
    distance = on_truth(person.cloud().points, view.cam_from_model)
    assert np.percentile(distance, 99.9) < 2.5  # no wall, no flying pixel
    assert person.kept.sum() > 0.8 * (view.frame.depth < 1.0).sum()
    noisy = find_person(shot(noise=0.0015).frame)
    rough, calm = (on_truth(noisy.cloud(blur).points, view.cam_from_model) for blur in (0.0, 0.002))
    assert np.median(calm) < 0.7 * np.median(rough)
    mesh = person.mesh()
    assert len(mesh.vertices) == person.kept.sum() and mesh.faces.max() < len(mesh.vertices)


def test_nobody_there():
    frame = shot().frame
    with pytest.raises(InputError, match="no surface larger than"):
        find_person(replace(frame, depth=np.where(frame.depth > 1, np.nan, np.nan)))


def test_what_is_no_face_is_refused():
    frame = shot().frame
    rows, columns = np.indices(frame.depth.shape)
    ball = 0.3 + 0.00003 * ((rows - 100) ** 2 + (columns - 80) ** 2) ** 0.9
    with pytest.raises(InputError, match="no face was found in the depth frame"):
        fit_depth([replace(frame, depth=np.minimum(ball, 0.45))], QUICK)


def test_no_frames():
    with pytest.raises(InputError, match="at least one"):
        fit_depth([], QUICK)


def test_a_wrong_unit_is_guessed_and_said():
    frame = shot().frame
    with pytest.raises(InputError, match=r"check depth_scale|no face was found"):
        fit_depth([replace(frame, depth=2.5 * frame.depth)], QUICK)


def test_the_head_is_recovered():
    result, view = fitted_shot(), shot()
    template = load_template()
    face = template.regions["face"]
    error = on_truth(result.scan.vertices_in_scan[face], view.cam_from_model)
    assert np.median(error) < 0.8
    assert np.percentile(error, 90) < 2.5
    truth = view.cam_from_model.apply(random_head(0))
    apart = 1e3 * np.linalg.norm(result.scan.vertices_in_scan - truth, axis=1)[face]
    assert apart.mean() < 4.0
    assert result.scan.unit.name == "m" and result.scan.scan_from_model.scale == pytest.approx(1)
    assert result.scan.quality["face_intersections"] == 0
    assert result.frames[0].used and result.reference == 0


def test_the_joint_rig_is_fitted_to_a_frame():
    result, view = fit_depth([shot().frame], replace(QUICK, model="jnr-neural")), shot()
    face = load_template().regions["face"]
    error = on_truth(result.scan.vertices_in_scan[face], view.cam_from_model)
    assert np.median(error) < 0.8
    assert result.scan.settings["model"] == "jnr-neural"


def test_identical_frames_equal_one():
    persons = [find_person(shot().frame)] * 3
    template = load_template()
    found = find_in_depth(persons[0], template)
    placed = [
        frame
        for frame in place_frames(persons, 0, found, template, 0)
        if isinstance(frame, PlacedFrame)
    ]
    for frame in placed:
        moved = frame.pose.apply(frame.cloud.points) - frame.cloud.points
        assert np.abs(moved).max() < 5e-5
    still = [replace(frame, pose=placed[0].pose) for frame in placed]
    one, three = fuse(still[:1]), fuse(still)
    np.testing.assert_allclose(three.points, one.points, atol=1e-12)
    assert (three.sigma < one.sigma).all()


def test_frames_from_several_sides_become_one_head_and_strangers_are_dropped():
    views = [shot(side, seed) for seed, side in enumerate((-0.03, 0.05))]
    wall = replace(views[0].frame, depth=np.full_like(views[0].frame.depth, 0.5))
    result = fit_depth([*(view.frame for view in views), wall], replace(QUICK, rounds=1))
    assert [place.used for place in result.frames] == [True, True, False]
    assert result.frames[2].reason is not None
    assert any("was dropped" in text for text in result.scan.warnings)
    reference = views[result.reference].cam_from_model
    for view, place in zip(views, result.frames, strict=False):
        assert place.reference_from_frame is not None
        true = reference @ view.cam_from_model.inverse()
        middle = view.cam_from_model.apply(np.array([[0.0, -0.03, 0.05]]))
        off = place.reference_from_frame.apply(middle) - true.apply(middle)
        assert np.linalg.norm(off) < 1.5e-3
    error = on_truth(result.scan.vertices_in_scan[load_template().regions["face"]], reference)
    assert np.median(error) < 0.8


def test_points_are_averaged_by_how_sure_they_are():
    points = np.array([[0.0001, 0, 0.3], [0.0003, 0, 0.3], [0.5, 0, 0.3]]) + 1e-5
    toward = np.tile([0.0, 0.0, -1.0], (3, 1))
    cloud = DepthCloud(points, toward, np.array([0.001, 0.002, 0.001]))
    fused = cloud.averaged(0.01, 0.0)
    assert len(fused.points) == 2
    assert fused.points[0, 0] == pytest.approx(0.8 * 0.0001 + 0.2 * 0.0003 + 1e-5)
    assert fused.sigma[0] < 0.001
    floored = DepthCloud(points, toward, np.array([0.001, 0.002, 0.001])).averaged(0.01, 0.0009)
    assert floored.sigma[0] > 0.0009


def test_noise_grows_with_the_square_of_the_distance():
    sigma = SensorNoise(0.0, 0.004).sigma(np.array([0.5, 1.0]))
    np.testing.assert_allclose(sigma, [0.001, 0.004])


def test_pictures_are_straightened():
    frame = shot().frame
    height, width = frame.depth.shape
    rows, columns = np.indices((height, width))
    lens = RadialTable(np.array([80.0, 100.0]), 128.0, np.array([0.0, 0.05]))
    seen = replace(frame, lens=lens)
    picture = np.repeat((columns[..., None] % 256).astype(np.uint8), 3, axis=2)
    straight, mask = rectified(seen, picture, np.ones((height, width), dtype=bool))
    at = lens.seen(np.array([30.5, 60.5]))
    assert abs(float(straight[60, 30, 0]) - (at[0] - 0.5)) <= 1
    assert mask.mean() > 0.9
