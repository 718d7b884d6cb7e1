"""Files of what was learned: whole or absent, and told from others."""

import errno

import numpy as np
import pytest
from safetensors.numpy import save_file

from rigface.errors import InputError, OutputError
from rigface.io.learned_file import LearnedKind, read_learned, write_learned

KIND = LearnedKind("rigface_hat", "a hat", "rigface train hat", 2, ("brim",))


def test_header_and_arrays_come_back(tmp_path):
    path, brim = tmp_path / "hat.safetensors", np.arange(6, dtype=np.float32).reshape(2, 3).T
    write_learned(path, KIND, {"brim": brim, "band": np.ones(2, np.uint8)}, {"size": 58})
    header, arrays = read_learned(path, KIND)
    assert header == {"format": 2, "size": 58}
    assert sorted(arrays) == ["band", "brim"]
    np.testing.assert_array_equal(arrays["brim"], brim)
    assert [file.name for file in tmp_path.iterdir()] == [path.name], "nothing is left beside it"


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "hat.safetensors"
    write_learned(path, KIND, {"brim": np.ones(2)}, {})
    before = path.read_bytes()

    def half(arrays, file, metadata):
        file.write_bytes(before[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("rigface.io.learned_file.save_file", half)
    with pytest.raises(OutputError, match="No space left"):
        write_learned(path, KIND, {"brim": np.zeros(2)}, {})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_every_wrong_file_is_told_from_ours(tmp_path):
    path = tmp_path / "hat.safetensors"
    metadata = {"rigface_hat": '{"format": 1}'}
    save_file({"brim": np.ones(2)}, path, metadata=metadata)
    with pytest.raises(InputError, match="has format 1 of a hat.*reads 2.*rigface train hat"):
        read_learned(path, KIND)
    save_file({"brim": np.ones(2)}, path)
    with pytest.raises(InputError, match="is not a hat.*'rigface_hat'.*rigface train hat"):
        read_learned(path, KIND)
    write_learned(path, KIND, {"band": np.ones(2)}, {})
    with pytest.raises(InputError, match="lacks brim.*rigface train hat"):
        read_learned(path, KIND)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match="cannot be read as a hat.*truncated"):
        read_learned(path, KIND)
    with pytest.raises(InputError, match="cannot be read as a hat"):
        read_learned(tmp_path / "absent.safetensors", KIND)
