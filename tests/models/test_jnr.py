"""JNR: at rest the template, symmetric, differentiated right; Z = 0 is the linear model."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from helpers import assert_derivative
from torch import Tensor

from rigface.models.face_model import FaceModel, VertexJacobian
from rigface.models.jnr import CODE, JnrModel
from rigface.models.jnr_asset import JnrKind, load_jnr, load_skinning
from rigface.models.skinning_decoder import SkinningDecoder, decoder_layers, group_linear
from rigface.rig.template_io import load_template

SKIN = 4200


@lru_cache(maxsize=1)
def plain() -> JnrModel:
    return load_jnr(load_template(), "jnr")


@lru_cache(maxsize=1)
def some_vertices() -> Tensor:
    """Every seventh vertex and its mirror image."""
    picked = np.arange(0, SKIN, 7)
    return torch.from_numpy(np.union1d(picked, load_template().mirror[picked]))


@lru_cache(maxsize=1)
def neural() -> JnrModel:
    """Random decoder, large enough to matter; few vertices, for speed."""
    model = load_jnr(load_template(), "jnr", expressions=True).at(some_vertices())
    free = len(model.free)
    decoder = SkinningDecoder.random(
        decoder_layers(free), free, torch.Generator().manual_seed(1)
    ).to(torch.float64)
    from rigface.models.jnr import jnr_table
    from rigface.rig.jnr_variables import symmetric_motions

    table = jnr_table(symmetric_motions(), decoder.codes, len(model.shapes))
    # no weight may sit on the kink at zero, where finite differences mean nothing
    return replace(model, decoder=decoder, table=table, free=model.free + 0.02)


def random_state(model: JnrModel, size: float = 0.5, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(model.table.size, generator=generator, dtype=torch.float64)
    return size * noise * model.table.column("sigma")


def mirrored(vertices: Tensor) -> Tensor:
    mirror = torch.from_numpy(load_template().mirror[:SKIN].copy())
    return vertices[..., mirror, :] * torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)


def test_it_is_a_face_model():
    assert isinstance(plain(), FaceModel)
    assert isinstance(plain().linearize(plain().table.zeros()), VertexJacobian)


def test_rest_is_the_template_exactly_where_eq_1_as_printed_is_not():
    model = plain()
    rest = torch.from_numpy(load_template().mesh.vertices[:SKIN].copy())
    torch.testing.assert_close(model.vertices(model.table.zeros()), rest, atol=1e-12, rtol=0)
    # M_k = B^-1 tau M_p with the global bind matrix moves the head at tau = identity
    printed = -model.bind[1] - model.bind[0]
    assert float(printed.norm()) > 0.1


@pytest.mark.parametrize("block", ["joints", CODE, "expression"])
def test_every_block_agrees_with_finite_differences(block):
    model, x = neural(), random_state(neural())
    x[model.table.slices["expression"]] = 0.1
    used = torch.zeros_like(x)
    used[slice(0, model.variables) if block == "joints" else model.table.slices[block]] = 1.0
    jacobian = model.linearize(x)
    assert float(jacobian.jvp(used).abs().max()) > 1e-6

    def moved(direction: Tensor) -> Tensor:
        return model.vertices(x + used * direction)

    zero = torch.zeros_like(x)
    assert_derivative(moved, zero, lambda d: jacobian.jvp(used * d), directions=3)


def test_autograd_agrees_with_the_analytic_columns():
    model, x = neural(), random_state(neural(), seed=4).requires_grad_()
    with torch.no_grad():
        x[model.table.slices["expression"]] = 0.2
    pull = torch.randn(len(model.rest), 3, dtype=torch.float64)
    (model.vertices(x) * pull).sum().backward()
    torch.testing.assert_close(x.grad, model.linearize(x.detach()).vjp(pull))


def test_an_item_of_a_batch_equals_the_item_alone():
    model = neural()
    x = torch.stack([random_state(model, seed=seed) for seed in range(3)])
    vertices, columns = model.columns(x)
    alone, alone_columns = model.columns(x[1])
    torch.testing.assert_close(vertices[1], alone)
    torch.testing.assert_close(columns[1], alone_columns)
    torch.testing.assert_close(vertices, model.vertices(x))


def test_paired_variables_keep_the_head_symmetric():
    model, x = plain(), random_state(plain())
    for name, axes in (("Root.rotation", (1, 2)), ("Root.translation", (0,))):
        x[[model.table.slices[name].start + axis for axis in axes]] = 0.0
    vertices = model.vertices(x)
    torch.testing.assert_close(mirrored(vertices), vertices, atol=1e-12, rtol=0)


def test_both_sides_may_differ_in_the_asymmetric_model():
    model = load_jnr(load_template(), "jnr", asymmetric=True)
    assert model.variables == 184
    x = model.table.zeros()
    x[model.table.slices["L_Cheek.translation"]] = 0.01
    moved = (model.vertices(x) - model.rest).norm(dim=-1)
    assert float(moved[model.rest[:, 0] > 0.001].max()) > 0.005
    assert float(moved[model.rest[:, 0] < -0.001].max()) < 1e-12


def test_asymmetric_variables_contain_the_symmetric_ones():
    both, one = load_jnr(load_template(), "jnr", asymmetric=True), plain()
    missing = one.spread - both.spread @ torch.linalg.lstsq(both.spread, one.spread).solution
    assert float(missing.abs().max()) < 1e-9


def test_weights_are_a_sparse_partition_of_one_for_any_code():
    model, x = neural(), random_state(neural(), size=3.0)
    weights = model.weights(x)
    assert float(weights.min()) >= 0.0
    torch.testing.assert_close(weights.sum(-1), torch.ones(len(model.rest), dtype=torch.float64))
    unused = model.slots == len(model.free)
    assert float(weights[unused].abs().max()) == 0.0


def test_code_zero_is_the_linear_model_exactly():
    model, x = neural(), random_state(neural())
    x[model.table.slices[CODE]] = 0.0
    assert model.decoder is not None
    assert float(model.decoder(torch.zeros(50, dtype=torch.float64)).abs().max()) == 0.0
    linear = replace(model, decoder=None)
    torch.testing.assert_close(model.weights(x), linear.weights(x), atol=1e-15, rtol=0)


def test_a_group_layer_meets_the_same_matrix_in_every_group():
    matrix = torch.randn(4, 3, dtype=torch.float64)
    x = torch.randn(2, 12, dtype=torch.float64)
    whole = torch.block_diag(matrix, matrix, matrix)
    torch.testing.assert_close(group_linear(x, matrix), x @ whole)


def test_the_decoder_is_as_small_as_the_papers():
    layers = decoder_layers(12_400)
    assert sum(layer.floats for layer in layers) <= 200_700
    assert [(la.outputs, la.groups) for la in layers[2:]] == [
        (250, 1), (500, 2), (900, 5), (12_400, 10),
    ]  # fmt: skip


def test_limits_and_names_are_in_the_table():
    table = plain().table
    assert plain().variables == table.size == 105
    assert torch.isfinite(table.column("upper")).all()
    assert table["LR_Mouth_Corner.translation"].upper == pytest.approx(0.015)
    assert {"Jaw_Root.rotation", "LR_Upper_Eyelid.rotation", "Root.log_scale"} <= set(table.slices)


def test_the_shipped_weights_are_as_small_as_the_papers_and_symmetric():
    template = load_template()
    skinning = load_skinning(template)
    assert skinning.linear_floats <= 25_000
    assert skinning.floats <= 226_000
    assert skinning.facts["held_out_mm"]["neural"] < skinning.facts["held_out_mm"]["linear"]
    assert skinning.facts["held_out_mm"]["linear"] < skinning.facts["held_out_mm"]["initial"]
    sizes: dict[JnrKind, int] = {"jnr-linear": 105, "jnr-neural": 185}
    for kind, size in sizes.items():
        model = load_jnr(template, kind, skinning=skinning)
        assert model.table.size == size
        x = random_state(model)
        for name, axes in (("Root.rotation", (1, 2)), ("Root.translation", (0,))):
            x[[model.table.slices[name].start + axis for axis in axes]] = 0.0
        vertices = model.vertices(x)
        torch.testing.assert_close(mirrored(vertices), vertices, atol=1e-6, rtol=0)
        weights = model.weights(x)
        torch.testing.assert_close(weights.sum(-1), torch.ones(SKIN, dtype=torch.float64))
