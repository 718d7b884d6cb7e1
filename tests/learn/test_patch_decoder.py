"""Levers, the field that weights are made from, and the decoder that goes by patches."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from rigface.learn.code_basis import solve_fields, whitened, with_linear_code
from rigface.learn.head_fit import HeadFit, fit_heads, vertex_errors
from rigface.learn.levers import LeverConfig, choose_levers, evened
from rigface.learn.linear_skinning import symmetric_variables, with_weights
from rigface.learn.neural_skinning import NeuralConfig, PatchStart, train_neural
from rigface.learn.patch_fit import patch_decoder, skin_patches
from rigface.learn.skinning_heads import left_out_spread, mixed_heads
from rigface.learn.skinning_networks import TrainablePatches
from rigface.learn.weight_sets import WeightSets
from rigface.models.jnr import CODE, JnrModel, jnr_table
from rigface.models.jnr_asset import (
    Skinning,
    load_jnr,
    load_skinning,
    read_skinning,
    write_skinning,
)
from rigface.models.patch_decoder import PatchDecoder
from rigface.models.skinning_decoder import Decoder, SkinningDecoder, undealt
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
    return part, weight_field(part)


def smooth_fields(size: float = 1.0, seed: int = 0) -> torch.Tensor:
    """Of a code: waves over the skin, still on the midline sideways."""
    rest = half()[0].rest
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(CODES, len(rest), 3, dtype=torch.float64)
    for length in (0.15, 0.05, 0.02):
        way = torch.randn(CODES, 3, 3, generator=generator, dtype=torch.float64) / length
        phase = 6.28 * torch.rand(CODES, 1, 3, generator=generator, dtype=torch.float64)
        total += size * 7 * length * torch.sin(rest @ way + phase)
    total[:, rest[:, 0].abs() < 1e-6, 0] = 0.0
    return total


@lru_cache(maxsize=1)
def patches() -> torch.Tensor:
    """Twelve of them."""
    return skin_patches(half()[0].rest, smooth_fields(), 12)


def made(fields: torch.Tensor, floats: int) -> PatchDecoder:
    return patch_decoder(fields, patches(), floats)


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


def test_patches_are_whole_and_together():
    rest, patch = half()[0].rest, patches()
    assert torch.equal(torch.unique(patch), torch.arange(int(patch.max()) + 1))
    assert len(patch) == len(rest) and 8 <= int(patch.max()) + 1 <= 12
    centre = torch.stack([rest[patch == i].mean(dim=0) for i in range(int(patch.max()) + 1)])
    inside = (rest - centre[patch]).norm(dim=1).mean()
    assert float(inside) < 0.5 * float((rest - rest.mean(dim=0)).norm(dim=1).mean())
    again = skin_patches(rest, smooth_fields(), 12)
    assert torch.equal(again, patch)


def shown_by(decoder: PatchDecoder) -> torch.Tensor:
    """Fields per unit of code near zero, where swish is half its argument."""
    near = 1e-5 * torch.eye(CODES, dtype=torch.float64)
    return decoder.bound(half()[1]).shift(near) / 1e-5


def test_a_patch_decoder_is_exact_with_room_and_keeps_its_budget_without():
    fields = smooth_fields()
    torch.testing.assert_close(shown_by(made(fields, 10_000_000)), fields, atol=1e-3, rtol=0)
    errors = []
    for floats in (8_000, 15_000, 25_000):
        small = made(fields, floats)
        assert small.floats <= floats
        errors.append(float((shown_by(small) - fields).norm()))
    assert errors[0] > errors[1] > errors[2] > 0


def plain(decoder: PatchDecoder, code: torch.Tensor) -> torch.Tensor:
    """The field, patch by patch as the class says."""
    out = code.new_zeros(len(code), len(decoder.patch), 3)
    units = torch.nn.functional.silu(code @ decoder.hidden)
    first = 0
    for index, output in enumerate(decoder.outputs):
        own = units[:, first : first + len(output)] @ output
        out[:, decoder.patch == index] = own.unflatten(1, (-1, 3))
        first += len(output)
    return out


def test_padded_plain_trainable_and_parts_of_it_agree():
    model, field = half()
    single = field.to(torch.float32)
    decoder = made(smooth_fields(), 20_000)
    code = torch.randn(5, CODES, generator=torch.Generator().manual_seed(1))
    bound = decoder.bound(single)
    torch.testing.assert_close(bound.shift(code), plain(decoder, code), atol=1e-4, rtol=1e-4)
    residuals = single.residuals(plain(decoder, code))
    torch.testing.assert_close(bound(code), residuals, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(bound(code[0]), residuals[0], atol=1e-5, rtol=1e-4)
    trainable = TrainablePatches(decoder, single)
    torch.testing.assert_close(trainable(code), residuals, atol=1e-5, rtol=1e-4)
    verts = torch.arange(0, len(model.rest), 7)
    part = model.at(verts).to(torch.float32)
    torch.testing.assert_close(
        trainable.added(code, part, verts), part.at_slots(residuals), atol=1e-5, rtol=1e-4
    )
    frozen = trainable.frozen()
    assert frozen.floats == decoder.floats
    torch.testing.assert_close(frozen.bound(single)(code), residuals, atol=1e-5, rtol=1e-4)
    assert float(bound(torch.zeros(CODES)).abs().max()) == 0.0


def test_training_leaves_the_padding_at_zero():
    decoder = made(smooth_fields(), 20_000)
    trainable = TrainablePatches(decoder, half()[1].to(torch.float32))
    optimiser = torch.optim.Adam(trainable.parameters(), lr=1e-2)
    trainable(torch.ones(1, CODES)).square().sum().backward()
    optimiser.step()
    moved = 0
    for index, output in enumerate(decoder.outputs):
        hidden, outputs = trainable.hidden[index], trainable.outputs[index]
        units, numbers = output.shape
        assert not hidden[:, units:].any()
        assert not outputs[units:].any() and not outputs[:, numbers:].any()
        moved += int((outputs[:units, :numbers] * trainable.gain != output).sum())
    assert moved > 0.9 * sum(output.numel() for output in decoder.outputs)


def neural(decoder: Decoder) -> JnrModel:
    return replace(half()[0], decoder=decoder, table=jnr_table(symmetric_motions(), CODES))


def test_derivatives_with_levers_are_those_of_finite_differences():
    decoder = made(smooth_fields(0.2), 20_000).bound(half()[1])
    some = torch.arange(0, len(half()[0].rest), 11)
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


@lru_cache(maxsize=1)
def problem() -> tuple[JnrModel, torch.Tensor, torch.Tensor, WeightSets, PatchStart]:
    """Twelve heads of a linear code, and a decoder that says two thirds of it."""
    model, field = half()
    heads, x, code = (part.float() for part in some_heads(12))
    rows = field.residuals(smooth_fields(0.3)).float()
    basis = torch.linalg.svd(rows, full_matrices=False)[2]
    sets = WeightSets(basis, code @ (rows @ basis.T), torch.arange(12), 1.0)
    rough = made(smooth_fields(0.2), 40_000)
    return model.to(torch.float32), heads, x, sets, PatchStart(rough, field.to(torch.float32), code)


SHORT = NeuralConfig(
    codes=CODES, autoencoder_steps=2, gan_steps=2, vertex_steps=60, batch=6, vertex_batch=12,
    vertex_rate=3e-3, gan_rate=1e-5,
)  # fmt: skip


def test_training_by_patches_lowers_the_error_and_resumes(tmp_path: Path):
    small, heads, x, sets, start = problem()
    folders = [tmp_path / name for name in ("whole", "killed")]
    for folder in folders:
        folder.mkdir()
    whole = train_neural(small, heads, x, sets, folders[0], SHORT, start=start)
    assert whole is not None and isinstance(whole[0], PatchDecoder)
    killed = None
    for _ in range(5):
        killed = train_neural(small, heads, x, sets, folders[1], SHORT, start=start, stop_after=17)
    assert killed is not None and isinstance(killed[0], PatchDecoder)
    torch.testing.assert_close(whole[0].hidden, killed[0].hidden, atol=0, rtol=0)

    def error(decoder: PatchDecoder) -> float:
        shown = replace(
            small,
            decoder=decoder.bound(start.field),
            table=jnr_table(symmetric_motions(), CODES),
        )
        return float(vertex_errors(shown, heads, torch.cat([x, start.code], dim=1)).mean())

    assert whole[0].floats == start.decoder.floats
    assert error(whole[0]) < 0.8 * error(start.decoder)


FEW = replace(SHORT, autoencoder_steps=0, gan_steps=0, vertex_steps=5)
"""Steps whose batches several processes can share without drawing anything of their own."""
TOGETHER = """
import sys
from pathlib import Path
from rigface.learn.stepper import Ranks
from test_patch_decoder import FEW, problem, train_neural
ranks, (model, heads, x, sets, start) = Ranks.join(), problem()
assert ranks.world == 2 and ranks.device == "cpu"
trained = train_neural(model, heads, x, sets, Path(sys.argv[1]), FEW, ranks, start=start)
import torch
torch.save(trained[0].hidden, Path(sys.argv[1]) / f"rank{ranks.rank}.pt")
torch.distributed.destroy_process_group()
"""


def test_two_processes_train_as_one(tmp_path: Path):
    """Each takes half of every batch; gradients are averaged over gloo."""
    script = tmp_path / "together.py"
    script.write_text(TOGETHER)
    here = str(Path(__file__).parent)
    path = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *launch, str(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    assert torch.equal(first, second)
    small, heads, x, sets, start = problem()
    alone = tmp_path / "alone"
    alone.mkdir()
    one = train_neural(small, heads, x, sets, alone, FEW, start=start)
    assert one is not None and isinstance(one[0], PatchDecoder)
    moved = float((one[0].hidden - start.decoder.hidden).norm())
    assert float((one[0].hidden - first).norm()) < 1e-2 * moved


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


def test_a_file_by_patches_reads_back_as_it_was(tmp_path: Path):
    decoder = made(smooth_fields(), 20_000)
    whole = replace(skinning(), decoder=decoder, facts={"source": "test"})
    path = tmp_path / "s.safetensors"
    write_skinning(path, whole)
    again = read_skinning(path, load_template())
    assert isinstance(again.decoder, PatchDecoder) and again.lever is not None
    for read, given in zip(again.decoder.outputs, decoder.outputs, strict=True):
        torch.testing.assert_close(read, given, atol=0, rtol=0)
    torch.testing.assert_close(again.decoder.hidden, decoder.hidden, atol=0, rtol=0)
    assert torch.equal(again.decoder.patch, decoder.patch)
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
