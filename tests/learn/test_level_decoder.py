"""Levers, the field that weights are made from, and the decoder that goes by levels."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from rigface.learn.code_basis import solve_fields, whitened, with_linear_code
from rigface.learn.head_fit import HeadFit, fit_heads, vertex_errors
from rigface.learn.level_fit import level_decoder
from rigface.learn.levers import LeverConfig, choose_levers, evened
from rigface.learn.linear_skinning import symmetric_variables, with_weights
from rigface.learn.neural_skinning import LevelStart, NeuralConfig, train_neural
from rigface.learn.skinning_heads import left_out_spread, mixed_heads
from rigface.learn.skinning_networks import TrainableLevels
from rigface.learn.weight_sets import WeightSets
from rigface.models.jnr import CODE, JnrModel, jnr_table
from rigface.models.jnr_asset import (
    Skinning,
    load_jnr,
    load_skinning,
    read_skinning,
    write_skinning,
)
from rigface.models.level_decoder import LevelDecoder
from rigface.models.skinning_decoder import SkinningDecoder, undealt
from rigface.models.weight_field import WeightField, half_of, weight_field
from rigface.rig.jnr_skeleton import mirror_joints
from rigface.rig.jnr_variables import symmetric_motions
from rigface.rig.template_io import load_template

CODES = 6


@lru_cache(maxsize=1)
def skinning() -> Skinning:
    """The shipped influences, with room to give way, and levers found in a few steps."""
    template = load_template()
    weights = evened(load_skinning(template).weights, 0.3)
    lever = choose_levers(weights, LeverConfig(steps=60))
    rest = template.mesh.vertices[template.parts["skin"].vertices]
    return Skinning(rest, weights, None, lever)


@lru_cache(maxsize=1)
def half() -> tuple[JnrModel, WeightField]:
    """The left half in double precision, and its field."""
    own, model = skinning(), load_jnr(load_template(), "jnr")
    whole = with_weights(model, own.weights, own.rest, own.lever)
    part = whole.at(half_of(own.weights.mirror))
    return part, weight_field(part, own.weights.mirror)


def smooth_fields(size: float = 1.0, seed: int = 0) -> torch.Tensor:
    """Of a code: coarse everywhere, a little of the finest level; still on the midline sideways."""
    model, field = half()
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(CODES, field.half, 3, dtype=torch.float64)
    for level, width in enumerate(field.widths):
        noise = torch.randn(CODES, width, generator=generator, dtype=torch.float64)
        total += size * 0.3**level * field.field(level, noise)
    total[:, model.rest[:, 0].abs() < 1e-6, 0] = 0.0
    return total


def test_levers_are_mirror_images_and_linear_weights_cancel_them():
    own, (model, _) = skinning(), half()
    assert own.lever is not None
    flip = np.array([-1.0, 1.0, 1.0])
    np.testing.assert_allclose(own.lever[mirror_joints()] * flip, own.lever, atol=1e-9)
    assert 0.01 < np.linalg.norm(own.lever, axis=1).max() <= 0.045 + 1e-9
    still = model.vertices(model.table.zeros())
    torch.testing.assert_close(still, model.rest, atol=1e-12, rtol=0)
    assert own.linear_floats == 3 * len(own.rest) + len(own.weights) + 156


def test_weights_take_a_vertex_where_the_field_says():
    model, field = half()
    wanted = smooth_fields(0.5)[0]
    weights = model.with_residuals(field.residuals(wanted))
    moved = 1e3 * (model.posed(model.table.zeros(), weights) - model.rest)
    lost = (moved - wanted).norm(dim=-1)
    # where joints do not span all directions, or a weight is clipped, some of it is lost
    assert float(lost.median()) < 0.05 * float(wanted.norm(dim=-1).median())
    assert float(weights.min()) >= 0.0
    torch.testing.assert_close(weights.sum(-1), torch.ones(len(model.rest)).double())


def test_levels_go_from_their_controls_to_all_vertices():
    _, field = half()
    sizes = [level.shape[1] for level in field.spread]
    assert sizes == sorted(sizes) and field.widths[-1] == 3 * field.half
    for level in field.spread:
        assert float(level.min()) > -1e-9
        torch.testing.assert_close(level.sum(1), torch.ones(field.half).double())
    some = torch.tensor([3, 500, 1999])
    for level, width in enumerate(field.widths):
        numbers = torch.randn(2, width, dtype=torch.float64)
        part = field.field(level, numbers, some)
        torch.testing.assert_close(part, field.field(level, numbers)[:, some])


def shown_by(decoder: LevelDecoder, field: WeightField) -> torch.Tensor:
    """Fields per unit of code near zero, where swish is half its argument."""
    rows = torch.cat([field.field(i, level.double()) for i, level in enumerate(decoder.levels)])
    return torch.einsum("ku,uvc->kvc", decoder.hidden.double() / 2, rows)


def test_a_level_decoder_is_exact_with_room_and_keeps_its_budget_without():
    fields, field = smooth_fields(), half()[1]
    whole = level_decoder(fields, field, 10_000_000)
    torch.testing.assert_close(shown_by(whole, field), fields, atol=1e-3, rtol=0)
    errors = []
    for floats in (10_000, 30_000, 90_000):
        small = level_decoder(fields, field, floats)
        assert small.floats <= floats
        errors.append(float((shown_by(small, field) - fields).norm()))
    assert errors[0] > errors[1] > errors[2] > 0


def test_expanded_trainable_and_parts_of_it_agree():
    model, field = half()
    single = field.to(torch.float32)
    decoder = level_decoder(smooth_fields(), field, 60_000)
    code = torch.randn(5, CODES, generator=torch.Generator().manual_seed(1))
    expanded = decoder.expanded(single)(code)
    trainable = TrainableLevels(decoder, single)
    torch.testing.assert_close(trainable(code), expanded, atol=1e-5, rtol=1e-4)
    verts = torch.arange(0, field.half, 7)
    part = model.at(verts).to(torch.float32)
    torch.testing.assert_close(
        trainable.added(code, part, verts), part.at_slots(expanded), atol=1e-5, rtol=1e-4
    )
    frozen = trainable.frozen()
    assert frozen.floats == decoder.floats
    torch.testing.assert_close(frozen.expanded(single)(code), expanded, atol=1e-5, rtol=1e-4)
    assert float(decoder.expanded(single)(torch.zeros(CODES)).abs().max()) == 0.0


def neural(decoder: SkinningDecoder) -> JnrModel:
    return replace(half()[0], decoder=decoder, table=jnr_table(symmetric_motions(), CODES))


def test_derivatives_with_levers_are_those_of_finite_differences():
    field = half()[1]
    decoder = level_decoder(smooth_fields(0.2), field, 60_000).to(torch.float64).expanded(field)
    some = torch.arange(0, field.half, 11)
    model = neural(decoder).at(some)
    generator = torch.Generator().manual_seed(4)
    x = 0.3 * torch.randn(model.table.size, generator=generator, dtype=torch.float64)
    x = x * model.table.column("sigma")
    _, columns = model.columns(x)
    step = 1e-6 * torch.randn(model.table.size, generator=generator, dtype=torch.float64)
    step = step * model.table.column("sigma")
    found = model.vertices(x + step) - model.vertices(x - step)
    expected = 2 * torch.einsum("p,pvc->vc", step, columns)
    inside = (found - expected).norm(dim=-1) <= 1e-4 * expected.norm(dim=-1).max()
    assert inside.double().mean() > 0.99, "all but vertices whose weight is being clipped"
    assert x[model.table.slices[CODE]].abs().max() > 0.1


def some_heads(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Heads of a linear code, their codes and fields."""
    model, field = half()
    fields = smooth_fields(0.3)
    basis = field.residuals(fields)
    generator = torch.Generator().manual_seed(5)
    code = whitened(torch.randn(count, CODES, generator=generator, dtype=torch.float64))
    x = 0.5 * torch.randn(count, model.table.size, generator=generator, dtype=torch.float64)
    x = x * model.table.column("sigma") * symmetric_variables(model)
    heads = neural(SkinningDecoder((undealt(basis),), basis.shape[1])).vertices(
        torch.cat([x, code], dim=1)
    )
    return heads, x, code


def test_fields_are_found_again():
    model, field = half()
    heads, x, code = some_heads(24)
    fields = solve_fields(model, field, heads, x, code, 1e-6)
    neural_model = with_linear_code(model, field.residuals(fields))
    found = vertex_errors(neural_model, heads, torch.cat([x, code], dim=1))
    linear = vertex_errors(model, heads, x)
    assert float(found.mean()) < 0.05 * float(linear.mean())
    free = torch.cat([symmetric_variables(model), torch.ones(CODES, dtype=torch.bool)])
    start = torch.zeros(2, neural_model.table.size, dtype=torch.float64)
    settings = HeadFit(steps=12, prior=1e-3, code_prior=1e-3)
    fitted = fit_heads(neural_model, heads[:2], start, settings, free)
    assert float(vertex_errors(neural_model, heads[:2], fitted).mean()) < 0.05


def test_training_by_levels_lowers_the_error_and_resumes(tmp_path: Path):
    model, field = half()
    heads, x, code = (part.float() for part in some_heads(12))
    single = field.to(torch.float32)
    rows = field.residuals(smooth_fields(0.3)).float()
    basis = torch.linalg.svd(rows, full_matrices=False)[2]
    sets = WeightSets(basis, code @ (rows @ basis.T), torch.arange(12), 1.0)
    rough = level_decoder(smooth_fields(0.2), field, 40_000)
    start = LevelStart(rough, single, code)
    config = NeuralConfig(
        codes=CODES, autoencoder_steps=2, gan_steps=2, vertex_steps=60, batch=6, vertex_batch=12,
        vertex_rate=3e-3, gan_rate=1e-5,
    )  # fmt: skip
    folders = [tmp_path / name for name in ("whole", "killed")]
    for folder in folders:
        folder.mkdir()
    small = model.to(torch.float32)
    whole = train_neural(small, heads, x, sets, folders[0], config, start=start)
    assert whole is not None and isinstance(whole[0], LevelDecoder)
    killed = None
    for _ in range(5):
        killed = train_neural(small, heads, x, sets, folders[1], config, start=start, stop_after=17)
    assert killed is not None and isinstance(killed[0], LevelDecoder)
    torch.testing.assert_close(whole[0].hidden, killed[0].hidden, atol=0, rtol=0)

    def error(decoder: LevelDecoder) -> float:
        shown = replace(
            small,
            decoder=decoder.expanded(single),
            table=jnr_table(symmetric_motions(), CODES),
        )
        return float(vertex_errors(shown, heads, torch.cat([x, code], dim=1)).mean())

    assert whole[0].floats == rough.floats
    assert error(whole[0]) < 0.8 * error(rough)


def test_people_are_drawn_as_far_as_left_out_heads_go():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(12, 30)) * np.linspace(3, 0.5, 30)
    expected = np.zeros(10)
    for out in range(12):
        others = np.delete(rows, out, axis=0)
        mean = others.mean(axis=0)
        directions = np.linalg.svd(others - mean, full_matrices=False)[2][:10]
        expected += (directions @ (rows[out] - mean)) ** 2
    np.testing.assert_allclose(left_out_spread(rows), np.sqrt(expected / 12), rtol=1e-8)
    drawn = mixed_heads(rows.reshape(12, 10, 3), 20_000, rng).reshape(20_000, -1)
    lead = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2][:10]
    spread = ((drawn - rows.mean(axis=0)) @ lead.T).std(axis=0)
    np.testing.assert_allclose(spread, left_out_spread(rows), rtol=0.03)


def test_a_file_by_levels_reads_back_as_it_was(tmp_path: Path):
    decoder = level_decoder(smooth_fields(), half()[1], 50_000)
    whole = replace(skinning(), decoder=decoder, facts={"source": "test"})
    path = tmp_path / "s.safetensors"
    write_skinning(path, whole)
    again = read_skinning(path, load_template())
    assert isinstance(again.decoder, LevelDecoder) and again.lever is not None
    torch.testing.assert_close(again.decoder.hidden, decoder.hidden, atol=0, rtol=0)
    assert again.floats == whole.linear_floats + decoder.floats
    model = load_jnr(load_template(), "jnr-neural", skinning=again)
    assert model.table.size == 105 + CODES


@pytest.mark.parametrize("asymmetric", [False, True])
def test_the_shipped_decoder_shows_people_whom_linear_weights_cannot(asymmetric: bool):
    """A person drawn from the code is found again by joints and code, not by joints alone."""
    template, own = load_template(), load_skinning(load_template())
    model = load_jnr(template, "jnr-neural", asymmetric, skinning=own).to(torch.float32)
    linear = load_jnr(template, "jnr-linear", asymmetric, skinning=own).to(torch.float32)
    x = model.table.zeros(1).float()
    code = model.table.slices[CODE]
    x[:, code] = torch.randn(1, code.stop - code.start, generator=torch.Generator().manual_seed(0))
    head, some = model.vertices(x), torch.arange(0, 4200, 4)
    start = linear.table.zeros(1).float()
    alone = fit_heads(linear.at(some), head[:, some], start, HeadFit(8, prior=0.03))
    both = fit_heads(model.at(some), head[:, some], 0 * x, HeadFit(12, prior=0.03, code_prior=0.01))
    lost = float(vertex_errors(linear, head, alone).mean())
    assert float(vertex_errors(model, head, both).mean()) < 0.3 * lost
