"""Rest shapes: offsets before skinning, the same head on its own rest mesh, the shipped file."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from core_models import asm
from helpers import assert_derivative
from safetensors.numpy import save_file

from rigface.errors import InputError
from rigface.learn.population import mirrored
from rigface.learn.rest_shapes import rest_offset
from rigface.learn.rest_shapes_card import rest_shapes_card
from rigface.models.identity import AsmIdentity
from rigface.models.rest_shapes import (
    RestShapes,
    load_rest_shapes,
    read_rest_shapes,
    write_rest_shapes,
)
from rigface.rig.template_io import load_template

COUNT = 12


@lru_cache(maxsize=1)
def plain() -> AsmIdentity:
    shipped = AsmIdentity.build(expressions=False)
    return AsmIdentity.of(asm(), shipped.mean, shipped.modes)


@lru_cache(maxsize=2)
def carved(expressions: bool = False) -> AsmIdentity:
    model = AsmIdentity.build() if expressions else plain()
    return model.with_rests(torch.from_numpy(load_rest_shapes().shapes[:COUNT]))


def some_state(model: AsmIdentity, seed: int = 0, *batch: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(*batch, model.table.size, generator=generator, dtype=torch.float64)
    if "expression" in model.table:
        weights = model.table.slices["expression"]
        x[..., weights] = x[..., weights].abs().clamp(max=1) / 2
    return x


def test_the_shipped_shapes_fit_the_template_and_are_small():
    rests = load_rest_shapes()
    verts = load_template().parts["skin"].vertices.stop
    assert rests.shapes.shape == (rests.facts["count"], verts, 3)
    assert np.isfinite(rests.shapes).all()
    size = np.sqrt((rests.shapes**2).sum(axis=-1).mean(axis=-1))
    assert 1e-5 < size.min() and size.max() < 2e-3


def test_held_out_heads_came_nearer_in_every_group():
    for row in load_rest_shapes().facts["reach"]:
        assert row["rests_mm"] < 0.75 * row["modes_mm"], row["group"]


def test_the_model_card_is_the_shipped_file_s():
    card = Path(__file__).parents[2] / "docs" / "rest_shapes_card.md"
    assert card.read_text(encoding="utf-8") == rest_shapes_card(load_rest_shapes())


def test_the_modes_and_expressions_keep_their_meaning():
    model, whole = AsmIdentity.build(), carved(True)
    x = some_state(model)
    modes = len(model.modes)
    y = torch.cat([x[:modes], torch.zeros(COUNT).double(), x[modes:]])
    torch.testing.assert_close(whole.vertices(y), model.vertices(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(whole.asm_parameters(y), model.asm_parameters(x), rtol=0, atol=0)


def test_it_is_the_full_asm_on_its_own_rest_mesh():
    model = carved(True)
    x = some_state(model, 1)
    own = model.asm.on(model.asm.template + model.rest_offset(x))
    again = own.vertices(model.asm_parameters(x))
    torch.testing.assert_close(again, model.vertices(x), rtol=0, atol=1e-12)
    assert (again - model.asm.vertices(model.asm_parameters(x))).abs().max() > 1e-4


def test_the_derivative_of_points_is_right():
    model = carved(True)
    x, rng = some_state(model, 2), np.random.default_rng(0)
    corners = model.faces.numpy()[rng.integers(0, len(model.faces), 30)]
    bary = rng.dirichlet(np.ones(3), len(corners))
    _, jacobian = model.points(x, corners, bary)
    assert_derivative(
        lambda y: model.places(y, corners, bary), x, lambda d: jacobian @ d, tolerance=1e-6
    )


def test_a_batch_is_its_items():
    model = carved()
    x = some_state(model, 3, 2, 2)
    torch.testing.assert_close(model.vertices(x)[1, 0], model.vertices(x[1, 0]), rtol=0, atol=1e-14)
    offsets = model.rest_offset(x)
    torch.testing.assert_close(offsets[0, 1], model.rest_offset(x[0, 1]), rtol=0, atol=1e-15)


def test_what_is_left_of_a_head_goes_back_to_its_rest_mesh():
    model, template = plain(), load_template()
    z = 0.5 * some_state(model, 4)
    straight = model.vertices(z).numpy()
    bump = np.zeros_like(straight)
    tip = np.abs(straight[:, 0]) + np.abs(straight[:, 1] - straight[:, 1].mean())
    bump[np.argsort(tip)[:1]] = [0.0, 0.0, 0.002]
    head = straight + (model.skinning(z).numpy() @ bump[..., None])[..., 0]
    found = rest_offset(model, head, template)
    face = template.regions["face"][: len(head)]
    # One vertex hardly moves the modes; they explain the rest of the head within their prior.
    assert np.abs(found - bump)[face].max() < 2e-4


def test_mirrored_rest_shapes_make_the_mirrored_head():
    model, template = carved(), load_template()
    x = model.table.zeros()
    x[-COUNT:] = torch.linspace(-1, 1, COUNT).double()
    offset = model.rest_offset(x).numpy()
    flipped = model.asm.on(model.asm.template + torch.from_numpy(mirrored(offset, template)))
    there = flipped.vertices(model.asm_parameters(x)).numpy()
    back = mirrored(there, template)
    assert np.abs(back - model.vertices(x).numpy()).max() < 3e-4  # as symmetric as the prior's mean


def test_the_file_comes_back(tmp_path: Path):
    rests = RestShapes(load_rest_shapes().shapes[:3], {"count": 3})
    write_rest_shapes(tmp_path / "own.safetensors", rests)
    again = read_rest_shapes(tmp_path / "own.safetensors")
    assert again.facts == {"count": 3}
    np.testing.assert_array_equal(again.shapes, rests.shapes)


def test_another_file_is_refused_by_name(tmp_path: Path):
    other = tmp_path / "other.safetensors"
    save_file({"shapes": np.zeros((2, 2, 3), np.float32)}, other)
    with pytest.raises(InputError, match="rigface train rests"):
        read_rest_shapes(other)
    whole = tmp_path / "whole.safetensors"
    write_rest_shapes(whole, RestShapes(np.full((1, 4, 3), np.nan), {}))
    with pytest.raises(InputError, match="finite"):
        read_rest_shapes(whole)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole.read_bytes()[:40])
    with pytest.raises(InputError, match="truncated"):
        read_rest_shapes(cut)
