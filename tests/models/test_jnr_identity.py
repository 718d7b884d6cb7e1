"""JNR with a prior: the full JNR of its variables, its derivative, batches, and its limits."""

from functools import lru_cache

import numpy as np
import pytest
import torch
from helpers import assert_derivative

from rigface.fit.jnr_space import jnr_identity
from rigface.geometry.similarity import align_points
from rigface.models.identity import AsmIdentity
from rigface.models.jnr_asset import KINDS, JnrKind
from rigface.models.jnr_identity import JnrIdentity
from rigface.rig.template_io import load_template


def some_state(model: JnrIdentity, seed: int = 0, *batch: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(*batch, model.table.size, generator=generator, dtype=torch.float64)
    weights = model.table.slices["expression"]
    x[..., weights] = x[..., weights].abs().clamp(max=1) / 2
    return x


def some_points(model: JnrIdentity) -> tuple[np.ndarray, np.ndarray]:
    rng, faces = np.random.default_rng(0), model.faces.numpy()
    return faces[rng.integers(0, len(faces), 25)], rng.dirichlet(np.ones(3), 25)


@lru_cache(maxsize=1)
def asm_faces() -> tuple[np.ndarray, np.ndarray]:
    """The prior's mean face and some of its people, in ASM."""
    model = AsmIdentity.build(expressions=False)
    z = torch.randn(4, 60, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    face = np.flatnonzero(load_template().regions["face"][: len(model.asm.template)])
    return model.vertices(model.table.zeros()).numpy()[face], model.vertices(z).numpy()[:, face]


@pytest.mark.parametrize("kind", KINDS)
def test_the_priors_people_come_back_in_jnr(kind: JnrKind) -> None:
    model = jnr_identity(kind)
    face = np.flatnonzero(load_template().regions["face"][: len(model.jnr.rest)])
    z = torch.randn(4, 60, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x = torch.cat([z, torch.zeros(4, 52).double()], dim=-1)
    mean, people = asm_faces()

    def rms(found: np.ndarray, true: np.ndarray) -> float:
        moved = align_points(found, true).apply(found)
        return 1e3 * float(np.sqrt(((moved - true) ** 2).sum(-1).mean()))

    assert rms(model.vertices(model.table.zeros()).numpy()[face], mean) < 1.0
    off = np.mean(
        [rms(a, b) for a, b in zip(model.vertices(x).numpy()[:, face], people, strict=True)]
    )
    assert off < 0.55 * np.mean([rms(mean, b) for b in people])


@pytest.mark.parametrize("kind", ["jnr-linear", "jnr-neural"])
def test_the_derivative_of_points_is_right(kind: JnrKind) -> None:
    model = jnr_identity(kind)
    x, (corners, bary) = 0.5 * some_state(model, 1), some_points(model)
    found, jacobian = model.points(x, corners, bary)
    torch.testing.assert_close(found, model.places(x, corners, bary), atol=1e-12, rtol=0)
    assert_derivative(
        lambda y: model.places(y, corners, bary), x, lambda d: jacobian @ d, tolerance=1e-5
    )


def test_it_is_the_full_jnr_of_its_variables() -> None:
    model = jnr_identity("jnr-linear")
    x = some_state(model, 2)
    full = model.jnr_parameters(x)
    assert full.shape == (model.jnr.table.size,)
    torch.testing.assert_close(model.vertices(x), model.jnr.vertices(full), atol=0, rtol=0)
    plain = model.jnr.without_shapes()
    x[60:] = 0.0
    torch.testing.assert_close(plain.vertices(model.own(x)), model.vertices(x), atol=1e-12, rtol=0)


def test_far_coefficients_stay_within_the_limits_of_the_joints() -> None:
    model = jnr_identity("jnr-linear")
    x = model.table.zeros()
    x[:60] = 40.0
    own, table = model.own(x), model.jnr.table
    assert (own >= table.column("lower")[: len(own)]).all()
    assert (own <= table.column("upper")[: len(own)]).all()
    corners, bary = some_points(model)
    _, jacobian = model.points(x, corners, bary)
    assert jacobian.isfinite().all()


def test_a_batch_is_its_items() -> None:
    model = jnr_identity("jnr-neural")
    x = some_state(model, 3, 2)
    together = model.vertices(x)
    torch.testing.assert_close(together[1], model.vertices(x[1]), atol=1e-12, rtol=0)


def test_all_vertices_are_linearised_as_points_are() -> None:
    model = jnr_identity("jnr-linear")
    x = some_state(model, 4)
    ids = np.array([5, 900, 2150])
    every = model.linearize(x)
    _, some = model.points(x, ids[:, None], np.ones((3, 1)))
    torch.testing.assert_close(every.rows(ids), some, atol=1e-12, rtol=0)
