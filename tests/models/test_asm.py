"""ASM's forward pass: its size, rest state, weights, batches, devices and dtypes."""

from functools import lru_cache

import numpy as np
import pytest
import torch
from core_models import asm, block_direction, coarse_asm, random_state
from helpers import directional_difference
from torch import Tensor

from rigface.models.asm import AsmModel, asm_table
from rigface.models.face_model import FaceModel
from rigface.rig.gmm import mixture_weights
from rigface.rig.rig import load_rig
from rigface.rig.template_io import load_template

BLOCKS = ("rotation", "translation", "log_scale", "zeta", "log_pi", "mu", "chol", "expression")


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_variables_are_84_times_11_plus_6k(k):
    assert asm_table(84, k).size == 84 * (11 + 6 * k)
    assert asm(k).table.size == 84 * (11 + 6 * k)
    assert asm_table(84, k, 52).size == 84 * (11 + 6 * k) + 52


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_zero_parameters_give_the_template(k):
    model = asm(k)
    posed = model.vertices(model.table.zeros())
    # the weights of a vertex sum to one within rounding, times metres
    torch.testing.assert_close(posed, model.template, atol=1e-15, rtol=0)
    skin = load_template().parts["skin"].vertices
    np.testing.assert_array_equal(model.template.numpy(), load_template().mesh.vertices[skin])


@pytest.mark.parametrize("k", [1, 2, 5])
def test_weights_at_zero_are_the_rig_s_mixture(k):
    rig, model = load_rig(k=k), asm(k)
    expected = mixture_weights(rig.chart, rig.zeta0, rig.mixture)
    np.testing.assert_allclose(model.weights(model.table.zeros()).numpy(), expected, atol=1e-13)


@pytest.mark.parametrize("sigmas", [0.5, 3.0, 50.0])
def test_weights_are_shares_whatever_the_parameters(sigmas):
    model = asm(3)
    weights = model.weights(random_state(model, 2, sigmas=sigmas))
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]).double())


def test_weights_follow_the_formula_of_the_mixture():
    """w_j ~ sum_k pi_jk exp(-1/2 d^T Sigma^-1 d) with Sigma from its Cholesky factor."""
    model = asm(2)
    x = random_state(model, seed=3)
    values = model.table.unpack(x)
    l11, l21, l22 = model.cholesky(values).unbind(-1)
    factor = torch.stack([torch.stack([l11, 0 * l11], -1), torch.stack([l21, l22], -1)], -2)
    inverse = torch.linalg.inv(factor @ factor.transpose(-1, -2))
    centre = (model.zeta0 + values["zeta"])[:, None] + model.mu0 + values["mu"]
    some = torch.arange(0, len(model.chart), 37)
    d = model.chart[some, None, None] - centre
    exponent = -0.5 * torch.einsum("vjka,jkab,vjkb->vjk", d, inverse, d)
    amplitude = torch.exp(model.log_pi0 + values["log_pi"] + exponent).sum(-1)
    expected = amplitude / amplitude.sum(-1, keepdim=True)
    torch.testing.assert_close(model.weights(x)[some], expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("batch", [(1,), (3,), (2, 2)])
def test_items_of_a_batch_equal_items_alone(batch):
    model = asm(2, expressions=True)
    x = random_state(model, *batch, seed=1)
    posed = model.vertices(x)
    assert posed.shape == (*batch, len(model.template), 3)
    for one, vertices in zip(
        x.reshape(-1, x.shape[-1]), posed.reshape(-1, *posed.shape[-2:]), strict=True
    ):
        torch.testing.assert_close(model.vertices(one), vertices, atol=1e-14, rtol=0)


def test_single_precision_is_single_precision():
    model = asm(2)
    x = random_state(model, seed=2)
    single = model.to(torch.float32)
    assert isinstance(single, AsmModel) and single.faces.dtype == torch.int64
    posed = single.vertices(x.float())
    assert posed.dtype == torch.float32
    # a micrometre on a head of 0.25 m
    torch.testing.assert_close(posed.double(), model.vertices(x), atol=2e-6, rtol=0)


def test_to_and_back_keeps_every_value_that_single_precision_holds():
    model = asm(1)
    back = model.to(torch.float32).to(dtype=torch.float64)
    torch.testing.assert_close(back.template, model.template, atol=1e-7, rtol=0)
    assert isinstance(back, FaceModel)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_cuda_device_gives_the_same_vertices_and_gradients(dtype):
    model = asm(2, expressions=True)
    x = random_state(model, 2, seed=4)
    pull = torch.randn(2, *model.template.shape, generator=torch.Generator().manual_seed(0))
    outcomes = []
    for device in ("cpu", "cuda"):
        moved = model.to(device, dtype)
        leaf = x.to(device, dtype).requires_grad_()
        posed = moved.vertices(leaf)
        (gradient,) = torch.autograd.grad((posed * pull.to(device, dtype)).sum(), leaf)
        outcomes.append((posed.detach().cpu(), gradient.cpu()))
    exact = dtype == torch.float64
    (posed, gradient), (posed_cuda, gradient_cuda) = outcomes
    torch.testing.assert_close(posed_cuda, posed, atol=1e-13 if exact else 2e-6, rtol=0)
    size = float(gradient.abs().max())
    torch.testing.assert_close(
        gradient_cuda / size, gradient / size, atol=1e-11 if exact else 1e-4, rtol=0
    )


STATES = ("zero rotation", "random", "large rotations")


def state_named(state: str) -> Tensor:
    """Zero rotations with all else random (at full rest no chart parameter moves anything)."""
    model = coarse_asm(2, expressions=True)
    x = random_state(model, sigmas=0.3, seed=5)
    x[model.table.slices["rotation"]] *= {"zero rotation": 0, "random": 1, "large rotations": 30}[
        state
    ]
    return x


def pulled(x: Tensor) -> Tensor:
    """A scalar that sees every vertex."""
    model = coarse_asm(2, expressions=True)
    generator = torch.Generator().manual_seed(0)
    pull = torch.randn(model.template.shape, generator=generator, dtype=torch.float64)
    return (model.vertices(x) * pull).sum()


@lru_cache(maxsize=4)
def autograd_gradient(state: str) -> Tensor:
    leaf = state_named(state).requires_grad_()
    return torch.autograd.grad(pulled(leaf), leaf)[0]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", BLOCKS)
def test_autograd_of_every_block_agrees_with_finite_differences(name, state):
    direction = block_direction(coarse_asm(2, expressions=True), name)
    expected = float(directional_difference(pulled, state_named(state), direction))
    actual = float(autograd_gradient(state) @ direction)
    assert abs(expected) > 1e-5
    assert actual == pytest.approx(expected, rel=3e-5)


def test_expression_weights_are_the_template_s_shapes():
    model, template = asm(1, expressions=True), load_template()
    x = model.table.zeros()
    place = template.expressions.names.index("jawOpen")
    x[model.table.slices["expression"].start + place] = 1.0
    index, offset = template.expressions.of("jawOpen")
    expected = model.template.numpy().copy()
    on_skin = index < len(expected)
    expected[index[on_skin]] += offset[on_skin]
    np.testing.assert_allclose(model.vertices(x).numpy(), expected, atol=1e-15)


def test_a_bone_moves_what_hangs_below_it():
    """Translating the root by t moves every vertex by t: it is the ancestor of all bones."""
    model = asm(2)
    roots = [j for j, p in enumerate(model.parents) if p < 0]
    x = random_state(model, seed=6)
    before = model.vertices(x)
    shift = torch.tensor([0.01, -0.02, 0.03], dtype=torch.float64)
    for root in roots:
        first = model.table.slices["translation"].start + 3 * root
        x[first : first + 3] += shift
    torch.testing.assert_close(
        model.vertices(x) - before, shift.expand_as(before), atol=1e-14, rtol=0
    )


def test_direction_of_a_block_touches_nothing_else():
    model = asm(2)
    direction = block_direction(model, "zeta")
    assert (direction[~model.table.mask(["zeta"])] == 0).all()
    assert (direction[model.table.mask(["zeta"])] != 0).all()


def test_the_remembered_state_is_that_of_the_parameters_asked_for():
    model = coarse_asm(2)
    first, second = random_state(model, seed=1), random_state(model, seed=2)
    fresh = AsmModel(**{**vars(model), "memory": {}})
    with torch.no_grad():
        expected = [fresh.vertices(x.clone().requires_grad_(False)) for x in (first, second)]
        assert not torch.equal(*expected)
        for x, vertices in zip((first, first, second, first), (0, 0, 1, 0), strict=True):
            assert torch.equal(model.vertices(x), expected[vertices])
        changed = first.clone()
        model.vertices(changed)
        changed.copy_(second)
        assert torch.equal(model.vertices(changed), expected[1])
