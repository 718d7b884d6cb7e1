"""Learning JNR's weights: each turn does what it says; training resumes to the same result."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from rigface.errors import InputError
from rigface.export.files import write_atomic
from rigface.geometry.mesh import Mesh
from rigface.io import save_ply
from rigface.learn.head_fit import HeadFit, fit_heads, vertex_errors
from rigface.learn.linear_skinning import symmetric_variables
from rigface.learn.neural_skinning import NeuralConfig, train_neural
from rigface.learn.person_weights import person_weights
from rigface.learn.skinning_heads import own_heads
from rigface.learn.stepper import CHECKPOINT, Phase, Stepper, read_checkpoint
from rigface.learn.train_skinning import spatial_order
from rigface.learn.weight_fit import project_simplex, simplex_least_squares, thin_out
from rigface.learn.weight_sets import WeightSetConfig, make_weight_sets, person_joints
from rigface.models.jnr import JnrModel
from rigface.models.jnr_asset import Skinning, load_jnr, load_jnr_rig, read_skinning, write_skinning
from rigface.models.skinning_decoder import SkinningDecoder, decoder_layers
from rigface.rig.template_io import load_template


@lru_cache(maxsize=1)
def small() -> JnrModel:
    """Every twentieth vertex of the plain model."""
    model = load_jnr(load_template(), "jnr")
    return model.at(torch.arange(0, 4200, 20))


def some_heads(count: int, size: float = 0.4) -> tuple[torch.Tensor, torch.Tensor]:
    """Heads that the model can show, and their variables."""
    model = small()
    noise = torch.randn(
        count, model.table.size, generator=torch.Generator().manual_seed(2), dtype=torch.float64
    )
    x = size * noise * model.table.column("sigma") * symmetric_variables(model)
    return model.vertices(x), x


def test_heads_of_the_model_are_found_again():
    heads, _ = some_heads(3)
    model = small()
    settings = HeadFit(steps=15, prior=1e-4)
    x = fit_heads(model, heads, model.table.zeros(3), settings)
    assert float(vertex_errors(model, heads, x).mean()) < 0.02


def test_limits_hold_and_fixed_variables_stay():
    heads, _ = some_heads(2, size=8.0)
    model = small()
    free = symmetric_variables(model)
    x = fit_heads(model, heads, model.table.zeros(2), HeadFit(steps=6), free)
    assert (x <= model.table.column("upper") + 1e-12).all()
    assert (x >= model.table.column("lower") - 1e-12).all()
    assert float(x[:, ~free].abs().max()) == 0.0


def test_projection_onto_the_simplex_is_the_nearest_point():
    w = torch.tensor([[0.5, 0.7, -0.1], [2.0, 0.0, 0.0], [0.2, 0.2, 0.9]], dtype=torch.float64)
    allowed = torch.tensor([[True, True, True], [True, True, True], [True, True, False]])
    expected = torch.tensor([[0.4, 0.6, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]).double()
    torch.testing.assert_close(project_simplex(w, allowed), expected)


def test_least_squares_on_the_simplex_meets_its_optimality_conditions():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(40, 5, 7, generator=generator, dtype=torch.float64)
    gram = root @ root.transpose(-1, -2) + 0.05 * torch.eye(5)
    pull = torch.randn(40, 5, generator=generator, dtype=torch.float64)
    allowed = torch.ones(40, 5, dtype=torch.bool)
    w = simplex_least_squares(gram, pull, allowed, rounds=4000)
    torch.testing.assert_close(w.sum(-1), torch.ones(40, dtype=torch.float64))
    slope = (gram @ w[..., None])[..., 0] - pull
    level = (slope * w).sum(-1, keepdim=True)
    # positive weights share one slope, and no other is lower
    assert float((slope - level).min()) > -1e-3
    assert float(((slope - level).abs() * (w > 1e-3)).max()) < 1e-3


def test_thinning_keeps_what_explains():
    gram = torch.diag_embed(torch.tensor([[0.1, 0.2, 50.0, 80.0]], dtype=torch.float64))
    kept, _ = thin_out(gram, torch.zeros(1, 4, dtype=torch.float64), (2,))[2]
    assert kept.tolist() == [[True, True, False, False]]


def test_weights_of_a_person_lower_the_error_and_stay_on_the_simplex():
    model = small()
    heads, x = some_heads(2)
    generator = torch.Generator().manual_seed(3)
    far = heads + 1e-3 * torch.randn(heads.shape, generator=generator, dtype=torch.float64)
    own = person_weights(model, far, x, ridge=0.01)
    assert float(own.min()) >= 0.0
    person = replace(model, free=own)
    before, after = (vertex_errors(m, far, x).mean() for m in (model, person))
    assert float(after) < 0.9 * float(before)
    stiff = person_weights(model, far, x, ridge=1e8)
    used = torch.bincount(model.slots.flatten(), minlength=len(model.free) + 1)[:-1] > 0
    torch.testing.assert_close(stiff[:, used], model.free[used].expand(2, -1), atol=1e-4, rtol=0)


def test_neighbours_are_neighbours_in_the_decoders_order():
    rig, template = load_jnr_rig(load_template()), load_template()
    rest = template.mesh.vertices[:4200]
    order = spatial_order(rig.weights, rest)
    assert np.array_equal(np.sort(order), np.arange(len(rig.weights)))
    sorted_weights = rig.weights.reordered(order)
    np.testing.assert_allclose(sorted_weights.dense(), rig.weights.dense())
    same = sorted_weights.joint[1:] == sorted_weights.joint[:-1]
    step = np.linalg.norm(np.diff(rest[sorted_weights.vertex], axis=0), axis=1)[same]
    assert np.median(step) < 0.008


# Training


@lru_cache(maxsize=1)
def tiny_training():
    model = small().to(torch.float32)
    heads, x = (t.float() for t in some_heads(12))
    config = WeightSetConfig(sets=80, rounds=2, steps=1, basis_sets=60, rank=60)
    free = symmetric_variables(model)
    joints = person_joints(model, heads, x, free, config)
    sets = make_weight_sets(model, heads, joints, config, torch.Generator().manual_seed(0))
    return model, heads, joints[-1], sets


TINY = NeuralConfig(
    autoencoder_steps=6, gan_steps=4, vertex_steps=6, batch=12, vertex_batch=4, vertex_sample=50
)


def test_weight_sets_repeat_and_are_what_solving_gives():
    model, heads, x, sets = tiny_training()
    assert sets.coefficients.shape == (80, 60)
    assert sets.kept > 0.9
    torch.testing.assert_close(sets.basis @ sets.basis.T, torch.eye(60), atol=1e-3, rtol=0)
    expected = person_weights(model, heads, x, WeightSetConfig().ridge) - model.free
    made = sets.coefficients[:12] @ sets.basis
    assert float((made - expected).norm() / expected.norm()) < 0.5


def test_training_resumes_to_the_same_decoder(tmp_path: Path):
    model, heads, x, sets = tiny_training()
    folders = [tmp_path / name for name in ("whole", "killed")]
    for folder in folders:
        folder.mkdir()
    whole = train_neural(model, heads, x, sets, folders[0], TINY)
    assert whole is not None
    killed = None
    for _ in range(8):
        killed = train_neural(model, heads, x, sets, folders[1], TINY, stop_after=3)
        if killed is not None:
            break
    assert killed is not None
    assert isinstance(whole[0], SkinningDecoder) and isinstance(killed[0], SkinningDecoder)
    for one, other in zip(whole[0].matrices, killed[0].matrices, strict=True):
        torch.testing.assert_close(one, other, atol=0, rtol=0)
    assert (folders[1] / "log.jsonl").read_text().count("\n") >= 3


def test_a_damaged_or_foreign_checkpoint_is_refused(tmp_path: Path):
    module = nn.Linear(2, 2)
    optimiser = torch.optim.Adam(module.parameters())
    phase = Phase("p", 3, {"main": optimiser}, lambda g: {"loss": 0.0})
    Stepper(module, tmp_path, recipe={"a": 1}).run([phase])
    with pytest.raises(InputError, match="another recipe"):
        Stepper(module, tmp_path, recipe={"a": 2}).run([phase])
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="truncated"):
        read_checkpoint(path)
    torch.save({"some": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="no training checkpoint"):
        read_checkpoint(path)


# Files


def shipped_like() -> Skinning:
    rig = load_jnr_rig(load_template())
    decoder = SkinningDecoder.random(
        decoder_layers(len(rig.weights)), len(rig.weights), torch.Generator().manual_seed(0)
    )
    rest = load_template().mesh.vertices[:4200].astype(np.float32).astype(np.float64)
    return Skinning(rest, rig.weights, decoder, facts={"source": "test"})


def test_a_skinning_file_reads_back_as_it_was(tmp_path: Path):
    skinning, path = shipped_like(), tmp_path / "s.safetensors"
    write_skinning(path, skinning)
    again = read_skinning(path, load_template())
    np.testing.assert_array_equal(again.rest, skinning.rest)
    np.testing.assert_allclose(again.weights.value, skinning.weights.value, atol=1e-7)
    assert isinstance(again.decoder, SkinningDecoder)
    assert isinstance(skinning.decoder, SkinningDecoder)
    for one, other in zip(again.decoder.matrices, skinning.decoder.matrices, strict=True):
        torch.testing.assert_close(one, other, atol=0, rtol=0)
    assert again.facts == skinning.facts
    assert again.floats == 3 * 4200 + len(again.weights) + again.decoder.floats


def test_truncated_foreign_and_other_topologies_are_refused(tmp_path: Path):
    path = tmp_path / "s.safetensors"
    write_skinning(path, shipped_like())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="truncated"):
        read_skinning(path, load_template())
    with pytest.raises(InputError, match="cannot be read"):
        read_skinning(tmp_path / "nowhere.safetensors", load_template())
    from importlib import resources

    rig = resources.files("rigface") / "assets" / "jnr_rig.safetensors"
    write_atomic(path, rig.read_bytes())
    with pytest.raises(InputError, match="rigface_jnr"):
        read_skinning(path, load_template())
    other = replace(shipped_like(), rest=np.zeros((100, 3)))
    write_skinning(path, other)
    with pytest.raises(InputError, match="another topology"):
        read_skinning(path, load_template())
    with pytest.raises(InputError, match="linear weights only"):
        load_jnr(load_template(), "jnr-neural", skinning=replace(shipped_like(), decoder=None))


# Own heads


def write_heads(folder: Path, count: int) -> None:
    template = load_template()
    skin = template.parts["skin"]
    rest, faces = template.mesh.vertices[skin.vertices], template.mesh.faces[skin.faces]
    rng = np.random.default_rng(0)
    for index in range(count):
        size = 1000 * (1 + 0.1 * rng.normal())
        vertices = size * rest + rng.normal(size=3)
        save_ply(folder / f"head_{index:02d}.ply", Mesh(vertices, faces))


def test_own_heads_come_to_the_templates_place_and_a_broken_file_is_told(tmp_path: Path):
    write_heads(tmp_path, 11)
    (tmp_path / "broken.ply").write_bytes(b"ply\nnothing")
    heads = own_heads(tmp_path, load_template())
    assert heads.vertices.shape == (11, 4200, 3)
    assert len(heads.train) == 9 and len(heads.validated) == 1 and len(heads.held_out) == 1
    rest = load_template().mesh.vertices[:4200]
    np.testing.assert_allclose(
        heads.vertices, np.broadcast_to(rest, heads.vertices.shape), atol=1e-5
    )
    assert len(heads.skipped) == 1 and "broken.ply" in heads.skipped[0]


def test_too_few_heads_and_mixed_topologies_are_refused(tmp_path: Path):
    write_heads(tmp_path, 9)
    with pytest.raises(InputError, match="at least 10"):
        own_heads(tmp_path, load_template())
    points = np.random.default_rng(0).normal(size=(600, 3))
    save_ply(tmp_path / "odd.ply", Mesh(points, np.arange(600).reshape(-1, 3)))
    with pytest.raises(InputError, match="odd.ply has 600"):
        own_heads(tmp_path, load_template())
