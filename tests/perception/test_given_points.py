"""The user's own points as an observation."""

import json

import numpy as np
import pytest

from rigface.errors import InputError
from rigface.evidence.photo import Photo
from rigface.perception import load_detector


def test_mesh_comes_back_as_it_was_found(tmp_path, astronaut, astronaut_face):
    points = np.column_stack([astronaut_face.landmarks, astronaut_face.z])
    np.savez(tmp_path / "a.npz", landmarks=points)
    (face,) = load_detector(landmarks=tmp_path / "a.npz").detect(Photo(astronaut))
    np.testing.assert_array_equal(face.landmarks, astronaut_face.landmarks)
    np.testing.assert_array_equal(face.z, astronaut_face.z)
    np.testing.assert_array_equal(face.visible, astronaut_face.visible)
    np.testing.assert_array_equal(face.ibug68(), astronaut_face.ibug68())
    assert face.source == "file" and face.trusted
    assert face.masks is not None and face.masks.person is None
    assert (face.masks.skin | ~astronaut_face.masks.skin).all()
    assert face.quality.sharpness == pytest.approx(astronaut_face.quality.sharpness, rel=0.2)


def test_ibug_points(tmp_path, astronaut, astronaut_face):
    points = astronaut_face.ibug68()
    (tmp_path / "a.json").write_text(json.dumps({"points": points.tolist()}))
    (face,) = load_detector("file", landmarks=tmp_path / "a.json").detect(Photo(astronaut))
    np.testing.assert_array_equal(face.ibug68(), points)
    assert np.isnan(face.landmarks).all() and np.isinf(face.sigma).all()
    assert not face.visible.any()
    assert face.masks is None
    assert face.roll == pytest.approx(astronaut_face.roll, abs=0.05)


def test_points_are_in_pixels_of_the_file(tmp_path, astronaut, astronaut_face):
    np.save(tmp_path / "a.npy", astronaut_face.landmarks * 4)
    photo = Photo(astronaut, scale=0.25)  # as if the reader had reduced it
    (face,) = load_detector(landmarks=tmp_path / "a.npy").detect(photo)
    np.testing.assert_allclose(face.landmarks, astronaut_face.landmarks)


def test_points_of_another_photo(tmp_path, astronaut, rng):
    np.save(tmp_path / "a.npy", rng.uniform(600, 900, (68, 2)))
    with pytest.raises(InputError, match="68 of 68 landmarks lie outside the photo of 512 x 512"):
        load_detector(landmarks=tmp_path / "a.npy").detect(Photo(astronaut))
    np.save(tmp_path / "b.npy", np.full((68, 2), 100.0))
    with pytest.raises(InputError, match="have no extent"):
        load_detector(landmarks=tmp_path / "b.npy").detect(Photo(astronaut))
