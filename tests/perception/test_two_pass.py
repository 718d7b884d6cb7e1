"""The logic around the networks, with networks that say what the test wants."""

import numpy as np
import pytest

from rigface.evidence.face_mesh import RIGHT_SIDE, face_mesh
from rigface.evidence.photo import Photo
from rigface.perception.networks import MeshGuess, Proposal
from rigface.perception.two_pass import TwoPassDetector


class ScriptedNetworks:
    """One face in the middle of the whole photo; `shifts` move the three meshes of a face."""

    source = "script"
    first_scale = 2.0
    second_scale = 2.0

    def __init__(self, shifts=(0.0, 0.0, 0.0), person: float | None = 1.0) -> None:
        # Symmetric, and in the middle half of the crop, where the second crop puts it again.
        mirror, right = face_mesh().mirror, np.array(RIGHT_SIDE)
        points = np.random.default_rng(0).uniform(0, 0.1, (478, 3))
        points = 0.5 * (points + points[mirror])
        points[:, 1] = 0.25 + 0.5 * (points[:, 1] - points[:, 1].min()) / np.ptp(points[:, 1])
        points[:, 0] = 0.5
        points[right, 0] = np.linspace(0.25, 0.45, len(right))
        points[mirror[right], 0] = 1.0 - points[right, 0]
        self.points, self.shifts, self.calls, self.probability = points, shifts, 0, person

    def propose(self, picture):
        middle = picture[picture.shape[0] // 2, picture.shape[1] // 2].max() > 0
        return [Proposal((0.5, 0.5), 0.4, 0.0, 0.9)] if middle else []

    def mesh(self, picture):
        shift = self.shifts[self.calls % 3]
        self.calls += 1
        scores = {"eyeBlinkLeft": 0.8, "eyeBlinkRight": 0.2, "jawOpen": 0.5}
        return [MeshGuess(self.points + [shift, 0.0, 0.0], 0.7, scores)]

    def person(self, picture):
        if self.probability is None:
            return None
        return np.full(picture.shape[:2], self.probability, np.float32)


PHOTO = Photo(np.full((300, 300, 3), 200, np.uint8))


def test_a_consistent_face_is_trusted():
    (face,) = TwoPassDetector(ScriptedNetworks()).detect(PHOTO)
    assert face.trusted
    assert face.quality.mirror_change == pytest.approx(0.0, abs=1e-9)
    assert face.presence == 0.7
    assert face.quality.outside_person == 0.0
    # The mirror's scores change sides, so the mean of this script is even.
    assert face.blendshapes == pytest.approx(
        {"eyeBlinkLeft": 0.5, "eyeBlinkRight": 0.5, "jawOpen": 0.5}
    )


def test_mirror_change_is_the_mean_distance_in_percent_of_the_face():
    shift = 0.004  # of the crop, both ways: the meshes are 2 * shift apart
    (face,) = TwoPassDetector(ScriptedNetworks((0.0, shift, shift))).detect(PHOTO)
    side = (face.box[2] - face.box[0]) / 0.5  # the points span half of the crop
    assert face.quality.mirror_change == pytest.approx(100 * 2 * shift * side / face.size, rel=0.05)


@pytest.mark.parametrize(
    ("shift", "person", "found"),
    [(0.013, 1.0, 1), (0.013, None, 1), (0.013, 0.0, 0), (0.05, 1.0, 0)],
    ids=["doubtful", "without a segmenter", "on no person", "hopeless"],
)
def test_a_face_below_the_gate(shift, person, found):
    faces = TwoPassDetector(ScriptedNetworks((0.0, shift, shift), person)).detect(PHOTO)
    assert len(faces) == found
    assert not any(face.trusted for face in faces)


def test_a_tiny_face_is_none():
    small = Photo(np.full((64, 64, 3), 200, np.uint8))
    assert TwoPassDetector(ScriptedNetworks()).detect(small) == []
