"""The file of a detector's error, and the one that ships."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from rigface.errors import InputError
from rigface.rig.detector_error import (
    DetectorError,
    load_detector_error,
    read_detector_error,
    write_detector_error,
)

MM = 1e-3


@pytest.fixture
def error(rng) -> DetectorError:
    return DetectorError(
        rng.normal(size=(468, 3)) * MM,
        rng.normal(size=(468, 3, 4)) * MM,
        rng.uniform(0.3, 2, size=468) * MM,
        {"rank": 4, "licences": {"ICT-FaceKit": "MIT"}},
    )


def test_a_written_file_reads_back_in_single_precision(tmp_path, error):
    path = tmp_path / "e.safetensors"
    write_detector_error(path, error)
    back = read_detector_error(path)
    for name in ("mean", "modes", "sigma"):
        stored = getattr(back, name)
        assert stored.dtype == np.float64
        np.testing.assert_array_equal(stored, getattr(error, name).astype(np.float32))
    assert back.facts == error.facts
    assert back.rank == 4
    again = tmp_path / "again.safetensors"
    write_detector_error(again, back)
    assert again.read_bytes() == path.read_bytes()


def test_a_foreign_file_is_told_from_ours(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"mean": np.zeros((468, 3), np.float32)}, path)
    with pytest.raises(InputError, match="lacks the key 'rigface_detector_error'.*train detector"):
        read_detector_error(path)
    text = tmp_path / "text.safetensors"
    text.write_text("no tensors here")
    with pytest.raises(InputError, match="cannot be read.*train detector"):
        read_detector_error(text)
    with pytest.raises(InputError, match="cannot be read"):
        read_detector_error(tmp_path / "missing.safetensors")


def test_a_truncated_file_says_so(tmp_path, error):
    path = tmp_path / "e.safetensors"
    write_detector_error(path, error)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="cannot be read as a model of a detector's error"):
        read_detector_error(path)


def test_another_format_or_other_landmarks_are_refused(tmp_path):
    def save(name: str, version: int, marks: int):
        sizes = {"mean": (marks, 3), "modes": (marks, 3, 2), "sigma": (marks,)}
        header = json.dumps({"format": version, "facts": {}})
        arrays = {key: np.ones(size, np.float32) for key, size in sizes.items()}
        save_file(arrays, tmp_path / name, metadata={"rigface_detector_error": header})
        return tmp_path / name

    with pytest.raises(InputError, match="has format 99"):
        read_detector_error(save("new.safetensors", 99, 468))
    with pytest.raises(InputError, match=r"68 landmarks.*expected 468"):
        read_detector_error(save("few.safetensors", 1, 68))


def test_the_shipped_one_is_whole_and_plausible():
    error = load_detector_error()
    assert error.mean.shape == (468, 3)
    assert error.modes.shape == (468, 3, 30) and error.rank == 30
    assert error.sigma.shape == (468,)
    for name in ("mean", "modes", "sigma"):
        assert np.isfinite(getattr(error, name)).all()
    assert (error.sigma >= 0.299 * MM).all() and (error.sigma < 4 * MM).all()
    assert np.linalg.norm(error.mean, axis=1).max() < 15 * MM
    spread = np.sqrt((error.modes**2).sum((0, 1)))
    assert (np.diff(spread) <= 1e-9).all(), "the largest mode comes first"
    flat = error.modes.reshape(-1, 30)
    gram = flat.T @ flat
    np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-5 * gram.max())
    whole = error.facts["explained"][0]
    assert whole["group"] == "all"
    assert whole["modes_mm"] < 0.5 * whole["pose_mm"]
    assert load_detector_error() is error
