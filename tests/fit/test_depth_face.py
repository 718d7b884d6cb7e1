"""Landmarks of a colour picture are lifted onto the depth, whichever way the camera was held."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from depth_frames import shot
from synthetic_fits import random_head

import rigface.perception
from rigface.errors import InputError, MissingExtraError
from rigface.fit import depth_face
from rigface.fit.depth_cloud import find_person
from rigface.fit.depth_face import find_in_depth
from rigface.fit.target import FACE_CENTRE
from rigface.rig.template_io import load_template


class OneWayUp:
    """Sees a face only in pictures whose first row is red, and there at the true places."""

    def __init__(self, points: np.ndarray, turns: int):
        self.points, self.turns, self.asked = points, turns, 0

    def detect(self, photo) -> list:
        self.asked += 1
        if not (photo.pixels[0, :, 0] == 255).all():
            return []
        quality = SimpleNamespace(trusted=True)
        return [SimpleNamespace(quality=quality, ibug68=lambda: self.points)]


@pytest.mark.parametrize("turns", range(4))
def test_landmarks_decide_where_relief_does_not(turns, monkeypatch):
    view, template = shot(), load_template()
    head = view.cam_from_model.apply(random_head(0))
    marks = template.landmarks.positions(head, template.mesh.faces)
    ids = [template.landmarks.names.index(f"ibug.{number}") for number in range(17, 68)]
    focal, centre = view.frame.camera.focal.numpy(), view.frame.camera.centre.numpy()
    seen = np.zeros((68, 2))
    seen[17:] = 2 * (focal * marks[ids, :2] / marks[ids, 2:] + centre)
    upright = np.zeros((400, 320, 3), dtype=np.uint8)
    upright[0, :, 0] = 255
    held = np.ascontiguousarray(np.rot90(upright, -turns))  # as the camera was held
    depth = np.ascontiguousarray(np.rot90(view.frame.depth, -turns))
    detector = OneWayUp(seen, turns)
    monkeypatch.setattr(rigface.perception, "load_detector", lambda: detector)
    frame = replace(view.frame, depth=depth, pixels=held)
    found = depth_face._landmarks(frame)
    assert found is not None and detector.asked == turns + 1
    rows = [template.landmarks.names.index(name) for name in found.names]
    if turns == 0:
        error = np.linalg.norm(found.points - marks[rows], axis=1)
        assert np.median(error) < 0.003
    apart = np.linalg.norm(found.points[:, None] - found.points, axis=-1)
    true = np.linalg.norm(marks[rows][:, None] - marks[rows], axis=-1)
    assert np.median(np.abs(apart - true)) < 0.004


def test_they_are_asked_only_if_there_is_a_picture_and_a_detector(monkeypatch):
    frame = shot().frame
    assert depth_face._landmarks(frame) is None

    def missing():
        raise MissingExtraError("not installed")

    monkeypatch.setattr(rigface.perception, "load_detector", missing)
    colour = np.zeros((*frame.depth.shape, 3), dtype=np.uint8)
    assert depth_face._landmarks(replace(frame, pixels=colour)) is None


def test_relief_finds_the_face():
    view = shot(0.03)
    found = find_in_depth(find_person(view.frame), load_template())
    off = found.scan_from_model.apply(FACE_CENTRE) - view.cam_from_model.apply(FACE_CENTRE)
    assert np.linalg.norm(off) < 0.02
    assert 0.8 < found.scan_from_model.scale < 1.25


def test_the_back_of_a_head_is_no_face():
    view = shot()
    rows = np.where(view.frame.depth < 1.0, 2 * 0.42 - view.frame.depth, np.nan)
    with pytest.raises(InputError, match="no face was found"):
        find_in_depth(find_person(replace(view.frame, depth=rows)), load_template())
