"""Directions beyond the modes: new, orthogonal, smooth, and as large as what the modes leave."""

from functools import lru_cache

import numpy as np
import torch
from core_models import asm

from rigface.learn.left_over import left_variance
from rigface.models.finer_identity import LEFT, FinerDirections, finer_directions, finer_identity
from rigface.models.identity import AsmIdentity
from rigface.rig.template_io import load_template

COUNT = 40


@lru_cache(maxsize=1)
def plain() -> AsmIdentity:
    shipped = AsmIdentity.build(expressions=False)
    return AsmIdentity.of(asm(), shipped.mean, shipped.modes)


@lru_cache(maxsize=1)
def finer() -> FinerDirections:
    return finer_directions(plain(), load_template(), COUNT)


def moved(model: AsmIdentity, x: torch.Tensor) -> np.ndarray:
    """Motion of the judged vertices from the mean, times the root of their weights."""
    way = (model.vertices(x) - model.vertices(model.table.zeros())).numpy()[finer().where]
    return (np.sqrt(finer().weight)[:, None] * way).ravel()


def test_directions_are_orthonormal_and_no_modes() -> None:
    motion = finer().motion
    torch.testing.assert_close(motion.T @ motion, torch.eye(COUNT).double(), rtol=0, atol=1e-6)
    model = plain()
    h = 1e-4
    for mode in (0, 7, 59):
        x = model.table.zeros()
        x[mode] = h
        way = moved(model, x)
        assert np.abs(way @ motion.numpy()).max() < 0.01 * np.linalg.norm(way)


def test_one_unit_moves_the_face_by_what_is_usually_left() -> None:
    model = finer_identity(plain(), load_template(), COUNT)
    modes = len(plain().modes)
    for number in (0, COUNT - 1):
        x = model.table.zeros()
        x[modes + number] = 1.0
        along = moved(model, x) @ finer().motion.numpy()
        expected = np.sqrt(LEFT * float(finer().size[number]))
        assert abs(along[number] - expected) < 0.05 * expected
        assert np.abs(np.delete(along, number)).max() < 0.1 * expected


def test_the_modes_keep_their_meaning() -> None:
    model = finer_identity(plain(), load_template(), COUNT)
    z = torch.linspace(-1, 1, len(plain().modes)).double()
    x = torch.cat([z, torch.zeros(COUNT).double()])
    torch.testing.assert_close(model.vertices(x), plain().vertices(z), rtol=0, atol=0)


def test_what_is_left_of_a_head_is_found_along_its_direction() -> None:
    model = finer_identity(plain(), load_template(), COUNT)
    x = model.table.zeros()
    x[len(plain().modes) + 5] = 2.0
    left = left_variance(plain(), finer(), [model.vertices(x).numpy()], load_template())
    expected = 4 * LEFT * float(finer().size[5])
    assert int(left.argmax()) == 5
    assert 0.5 * expected < left[5] < 1.2 * expected
