"""The shipped rig is what tools/build_rig makes of the shipped template."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "src" / "rigface" / "assets" / "rig.safetensors"


def build(folder: Path, *options: str) -> dict[str, np.ndarray]:
    subprocess.run(
        [sys.executable, "-m", "tools.build_rig", "--out", str(folder), *options],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
    )
    return load_file(folder / "src" / "rigface" / "assets" / "rig.safetensors")


def test_bones_and_weights_are_rebuilt_exactly(tmp_path):
    """The quick build takes few optimiser steps; what needs none must equal the asset."""
    built, shipped = build(tmp_path, "--quick"), load_file(SHIPPED)
    assert set(built) == set(shipped)
    for name in ("faces", "anchor_face", "weights0.vertex", "weights0.bone"):
        np.testing.assert_array_equal(built[name], shipped[name], err_msg=name)
    for name in ("bind_positions", "anchor_bary", "attachment_positions", "weights0.value"):
        np.testing.assert_allclose(built[name], shipped[name], atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_everything_is_rebuilt(tmp_path):
    """Optimisers amplify rounding, hence the looser limits across machines."""
    built, shipped = build(tmp_path), load_file(SHIPPED)
    np.testing.assert_allclose(built["chart"], shipped["chart"], atol=1e-4)
    for k in range(1, 6):
        np.testing.assert_allclose(built[f"gmm{k}.mu"], shipped[f"gmm{k}.mu"], atol=0.02)
