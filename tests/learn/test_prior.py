"""Training recovers the span of a known bone space, deterministically."""

from functools import lru_cache

import numpy as np
import pytest
import torch
from core_models import asm

from rigface.cli.train import PriorCommand
from rigface.errors import InputError
from rigface.learn.evaluate import fit_modes
from rigface.learn.model_card import model_card
from rigface.learn.population import Population, symmetric
from rigface.learn.prior import TrainConfig, TrainedPrior, train_prior, vertex_pca
from rigface.models.identity import AsmIdentity
from rigface.models.identity_prior import IdentityPrior
from rigface.rig.skin_metric import vertex_weights
from rigface.rig.template_io import load_template

MM = 1e-3


@lru_cache(maxsize=1)
def known_heads() -> np.ndarray:
    """Nine heads of ASM bones that only shift: three directions at random."""
    rng = np.random.default_rng(0)
    modes = np.zeros((3, 84, 9))
    modes[:, :, 3:6] = rng.normal(size=(3, 84, 3)) * 1e-3
    model = AsmIdentity.of(asm(), torch.zeros(84, 9).double(), torch.from_numpy(modes))
    z = torch.from_numpy(rng.normal(size=(9, 3)))
    return model.vertices(z).numpy()


@lru_cache(maxsize=1)
def trained() -> tuple[TrainedPrior, Population]:
    heads, template = known_heads(), load_template()
    weights = np.r_[np.full(8, 1 / 8), 0.0]
    mean = symmetric(heads[:8].mean(axis=0), template)
    population = Population(heads, ("ict",) * 9, ("",) * 9, np.zeros(9), weights, mean)
    return train_prior(population, asm(), template, TrainConfig(rank=6)), population


def face_rms(error: np.ndarray) -> float:
    face = load_template().regions["face"][: len(error)]
    weight = vertex_weights(load_template())[face]
    return float(np.sqrt(weight @ (error[face] ** 2).sum(-1)))


def test_a_vertex_pca_of_the_same_heads_is_exact():
    prior, population = trained()
    assert prior.pca.variance.sum() == pytest.approx(prior.pca.total, rel=1e-9)
    full = vertex_pca(
        population.heads[:8], population.weights[:8], population.mean, load_template(), 8
    )
    assert full.variance[6] < 1e-12 * full.total


def test_the_bone_modes_span_the_known_space():
    prior, population = trained()
    model = AsmIdentity.of(asm(), torch.from_numpy(prior.mean), torch.from_numpy(prior.modes))
    assert prior.mean_error < 0.05 * MM
    face = load_template().regions["face"][: population.heads.shape[1]]
    weight = vertex_weights(load_template())[face]
    new = population.heads[8]
    fitted, z = fit_modes(model, new, np.flatnonzero(face), weight)
    before = face_rms(new - population.mean)
    assert face_rms(fitted - new) < 0.1 * before
    assert np.abs(z).max() <= 3


def test_modes_carry_the_standard_deviation():
    prior, population = trained()
    model = AsmIdentity.of(asm(), torch.from_numpy(prior.mean), torch.from_numpy(prior.modes))
    x = model.table.zeros()
    moved = model.linearize(x).jvp(torch.eye(6, dtype=torch.float64)[0]).numpy()
    assert face_rms(moved - prior.pca.modes[0]) < 0.1 * face_rms(prior.pca.modes[0])


def test_a_rank_above_the_file_s_size_is_refused(tmp_path):
    command = PriorCommand(tmp_path, tmp_path / "p.safetensors", rank=66)
    with pytest.raises(InputError, match="1 to 65"):
        command.run()
    with pytest.raises(InputError, match="does not exist"):
        PriorCommand(tmp_path, tmp_path / "no" / "p.safetensors").run()
    with pytest.raises(InputError, match=".safetensors"):
        PriorCommand(tmp_path, tmp_path / "p.npz").run()


def test_training_repeats_to_the_bit():
    prior, population = trained()
    again = train_prior(population, asm(), load_template(), TrainConfig(rank=6))
    np.testing.assert_array_equal(prior.modes, again.modes)
    np.testing.assert_array_equal(prior.mean, again.mean)


def test_the_model_card_says_data_recipe_and_licences():
    from rigface.models.identity_prior import load_prior

    text = model_card(load_prior())
    for word in ("MIT", "CC0", "held out", "| infant |", "Seed", "vertex PCA"):
        assert word in text
    assert isinstance(load_prior(), IdentityPrior)
