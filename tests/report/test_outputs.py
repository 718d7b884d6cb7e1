"""What a run writes: all files, the same bytes twice, and parameters that rebuild the fit."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from synthetic_fits import fitted

from rigface.io import load_scan
from rigface.report.outputs import save_params, write_outputs


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("outputs")
    for name in ("one", "two"):
        write_outputs(fitted(), base / name, save=("glb", "html", "obj", "ply"))
    return base / "one", base / "two"


def test_all_files_are_there(folders):
    names = {path.name for path in folders[0].iterdir()}
    expected = {"face.glb", "face.html", "face.obj", "face.ply", "fit.ply"}
    assert names == expected | {"params.safetensors", "report.html", "result.json"}


@pytest.mark.parametrize("name", ["face.glb", "face.obj", "face.ply", "fit.ply"])
def test_the_same_bytes_twice(folders, name):
    one, two = ((folder / name).read_bytes() for folder in folders)
    assert len(one) > 1000 and one == two


def test_parameters_rebuild_the_vertices_exactly(folders):
    result = fitted()
    x = result.model.table.pack(load_file(folders[0] / "params.safetensors"))
    assert torch.equal(x, result.x)
    assert torch.equal(result.model.vertices(x), result.model.vertices(result.x))


def test_parameter_files_are_deterministic(tmp_path):
    for name in ("a", "b"):
        save_params(tmp_path / name, fitted())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_fit_is_in_the_scan_s_own_frame(folders):
    scan = load_scan(folders[0] / "fit.ply")
    expected = fitted().vertices_in_scan[: len(scan.vertices)]
    np.testing.assert_allclose(scan.vertices, expected, atol=1e-3)


def test_result_json_holds_the_numbers(folders):
    numbers = json.loads((folders[0] / "result.json").read_text())
    assert numbers["ok"] is True and numbers["unit"]["name"] == "mm"
    assert numbers["variables"] == fitted().variables
    np.testing.assert_allclose(numbers["scan_from_model"], fitted().scan_from_model.matrix())
