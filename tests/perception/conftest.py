"""Detectors are made once; pictures are made from the public-domain portrait of scikit-image."""

import numpy as np
import pytest

from rigface.evidence.photo import Photo
from rigface.perception import FaceDetector, load_detector


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    data = pytest.importorskip("skimage.data")
    return np.ascontiguousarray(data.astronaut())


@pytest.fixture(scope="session")
def mediapipe_detector() -> FaceDetector:
    pytest.importorskip("mediapipe")
    return load_detector("mediapipe")


@pytest.fixture(scope="session")
def astronaut_face(mediapipe_detector, astronaut):
    (face,) = mediapipe_detector.detect(Photo(astronaut))
    return face
