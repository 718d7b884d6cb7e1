"""The second back-end: its bundle, its decoder, and agreement with the first."""

import hashlib
import sys
import zipfile

import numpy as np
import pytest

from rigface.errors import InputError, MissingExtraError
from rigface.evidence.photo import Photo
from rigface.perception import load_detector
from rigface.perception.blaze_face import anchor_centers, decode
from rigface.perception.litert_networks import SCORE_NAMES, SCORE_POINTS
from rigface.perception.task_bundle import KNOWN_SHA256, UnknownBundleWarning, read_task_bundle

MEMBERS = ("face_detector.tflite", "face_landmarks_detector.tflite", "face_blendshapes.tflite")


@pytest.fixture
def fake_task(tmp_path):
    with zipfile.ZipFile(path := tmp_path / "face_landmarker.task", "w") as bundle:
        for name in MEMBERS:
            bundle.writestr(name, name.encode())
    return path


@pytest.fixture(scope="session")
def task(data_dir):
    path = data_dir / "mediapipe" / "face_landmarker.task"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path


@pytest.fixture(scope="session")
def litert_detector(task):
    pytest.importorskip("ai_edge_litert")
    return load_detector(task=task)


def test_unknown_checksum_only_warns(fake_task):
    with pytest.warns(UnknownBundleWarning, match="not that of the bundle rigface was tested"):
        bundle = read_task_bundle(fake_task)
    assert bundle.landmarks == MEMBERS[1].encode()
    assert bundle.sha256 == hashlib.sha256(fake_task.read_bytes()).hexdigest()


def test_known_checksum_is_silent(task):
    assert read_task_bundle(task).sha256 in KNOWN_SHA256


def test_no_bundle(tmp_path, fake_task):
    with pytest.raises(InputError, match="does not exist or is no file"):
        read_task_bundle(tmp_path / "a.task")
    (tmp_path / "b.task").write_bytes(fake_task.read_bytes()[:40])
    with pytest.raises(InputError, match="is no MediaPipe task bundle"):
        read_task_bundle(tmp_path / "b.task")
    with zipfile.ZipFile(tmp_path / "c.task", "w") as bundle:
        bundle.writestr("hand_detector.tflite", b"x")
    with pytest.raises(InputError, match="holds no face_detector.tflite, only hand_detector"):
        read_task_bundle(tmp_path / "c.task")


@pytest.mark.filterwarnings("ignore::rigface.perception.task_bundle.UnknownBundleWarning")
def test_networks_that_are_none(fake_task):
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_detector("litert", task=fake_task)


def test_missing_extra(task, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingExtraError, match=r'"rigface\[litert\]".*--landmarks'):
        load_detector("litert", task=task)


def test_decoder_finds_a_planted_face():
    anchors = anchor_centers()
    assert anchors.shape == (896, 2)
    regressors, logits = np.zeros((896, 16)), np.full(896, -50.0)
    for anchor in (300, 301):  # the same cell twice
        x, y = anchors[anchor]
        regressors[anchor, :4] = (0.4 - x) * 128, (0.6 - y) * 128, 0.3 * 128, 0.3 * 128
        regressors[anchor, 4:8] = (np.array([0.3, 0.55, 0.5, 0.6]) - [x, y, x, y]) * 128
    logits[[300, 301]] = 3.0, 1.0
    (found,) = decode(regressors, logits, 0.5)
    assert found.center == pytest.approx((0.4, 0.6))
    assert found.size == pytest.approx(0.3)
    assert found.roll == pytest.approx(np.arctan2(0.05, 0.2))
    assert found.score == pytest.approx(1 / (1 + np.exp(-3.0)))
    assert decode(regressors, np.full(896, -1e6), 0.5) == []


def test_score_network_interface():
    assert len(SCORE_POINTS) == 146
    assert len(SCORE_NAMES) == 52
    assert list(SCORE_NAMES) == sorted(SCORE_NAMES)


def test_agrees_with_the_default(litert_detector, astronaut, astronaut_face):
    (face,) = litert_detector.detect(Photo(astronaut))
    away = np.linalg.norm(face.landmarks - astronaut_face.landmarks, axis=1) / face.size
    assert np.median(away) < 0.015
    assert face.trusted and face.presence > 0.99
    assert len(face.blendshapes) == 51
    assert face.blendshapes["mouthSmileLeft"] > 0.7
    assert face.blendshapes["eyeBlinkLeft"] < 0.3
    assert face.source.startswith("litert ")


def test_mirrored_photo_swaps_the_scores(litert_detector, astronaut):
    (face,) = litert_detector.detect(Photo(astronaut))
    (mirrored,) = litert_detector.detect(Photo(np.ascontiguousarray(astronaut[:, ::-1])))
    for name in ("mouthSmile", "eyeSquint", "mouthUpperUp"):
        for one, other in (("Left", "Right"), ("Right", "Left")):
            assert mirrored.blendshapes[name + one] == pytest.approx(
                face.blendshapes[name + other], abs=0.1
            )


def test_no_face(litert_detector, rng):
    assert litert_detector.detect(Photo(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8))) == []
