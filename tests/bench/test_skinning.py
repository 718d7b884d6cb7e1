"""The PCA that JNR is measured against, and the command's refusals."""

import numpy as np
import pytest

from rigface.bench.skinning import pca_error
from rigface.cli.train_skinning import SkinningCommand
from rigface.errors import InputError, UsageError
from rigface.learn.skinning_heads import SkinningHeads


def test_pca_of_a_span_reaches_it_and_counts_its_basis():
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(3, 5, 3))
    vertices = np.tensordot(rng.normal(size=(12, 3)), basis, axes=1) + rng.normal(size=(5, 3))
    heads = SkinningHeads(vertices, tuple(map(str, range(12))), 1, 2, "made up")
    assert pca_error(heads, heads.held_out, 3).mm < 1e-9
    assert pca_error(heads, heads.held_out, 1).mm > 1.0
    assert pca_error(heads, heads.held_out, 2).floats == 2 * 15


def test_train_skinning_says_what_it_needs(tmp_path):
    with pytest.raises(UsageError, match="either --ict"):
        SkinningCommand(out=tmp_path / "a.safetensors").run()
    with pytest.raises(InputError, match="no folder"):
        SkinningCommand(out=tmp_path / "a.safetensors", heads=tmp_path / "nowhere").run()
    with pytest.raises(InputError, match=r"\.safetensors"):
        SkinningCommand(out=tmp_path / "a.npz", ict=tmp_path).run()
    with pytest.raises(InputError, match="at least 10"):
        SkinningCommand(out=tmp_path / "a.safetensors", heads=tmp_path, quiet=True).run()
