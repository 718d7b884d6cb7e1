"""ASM with a prior: the full ASM of tau(z), its derivative, batches, the shipped file."""

from functools import lru_cache

import numpy as np
import pytest
import torch
from core_models import asm
from helpers import assert_derivative
from safetensors.numpy import save_file

from rigface.errors import InputError
from rigface.geometry.intersections import self_intersections
from rigface.geometry.mesh import face_normals
from rigface.geometry.similarity import align_points
from rigface.models.face_model import FaceModel
from rigface.models.identity import LIMIT, AsmIdentity
from rigface.models.identity_prior import IdentityPrior, load_prior, read_prior, write_prior
from rigface.models.posed import PosedModel
from rigface.rig.template_io import load_template


@lru_cache(maxsize=1)
def shipped() -> AsmIdentity:
    return AsmIdentity.build()


def some_state(seed: int = 0, *batch: int) -> torch.Tensor:
    """Ordinary people with half an expression."""
    model = shipped()
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(*batch, model.table.size, generator=generator, dtype=torch.float64)
    weights = model.table.slices["expression"]
    x[..., weights] = x[..., weights].abs().clamp(max=1) / 2
    return x


def some_points(count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    faces = shipped().faces.numpy()
    return faces[rng.integers(0, len(faces), count)], rng.dirichlet(np.ones(3), count)


def test_the_shipped_prior_is_small_and_finite():
    prior = load_prior()
    assert prior.mean.shape == (84, 9)
    assert prior.modes.shape[0] <= 60
    assert prior.mean.size + prior.modes.size <= 50_000
    assert np.isfinite(prior.modes).all()
    assert 0.02 < prior.log_scale_sigma < 0.08
    assert isinstance(shipped(), FaceModel)


def test_zero_is_the_mean_head_and_an_adult():
    model, template = shipped(), load_template()
    mean = model.vertices(model.table.zeros())
    torch.testing.assert_close(model.tau(model.table.zeros()), model.mean)
    face = template.regions["face"][: len(mean)]
    rest = template.mesh.vertices[: len(mean)]
    # Anny's default is between child and adult.
    scale = align_points(rest[face], mean.numpy()[face]).scale
    assert 1.04 < scale < 1.14


def test_the_mean_is_its_own_mirror_image_and_not_folded():
    model, template = shipped(), load_template()
    mean = model.vertices(model.table.zeros()).numpy()
    flipped = mean[template.mirror[: len(mean)]] * [-1.0, 1.0, 1.0]
    assert np.abs(mean - flipped).max() < 2e-4
    faces = model.faces.numpy()
    faces = faces[template.regions["face"][: len(mean)][faces].all(axis=1)]
    rest = face_normals(template.mesh.vertices, faces)
    assert ((face_normals(mean, faces) * rest).sum(axis=1) < 0).mean() < 0.001
    assert len(self_intersections(mean, faces)) <= 10


def test_it_is_the_full_asm_of_its_parameters():
    model, x = shipped(), some_state()
    full = model.asm_parameters(x)
    torch.testing.assert_close(model.vertices(x), model.asm.vertices(full), atol=1e-12, rtol=0)
    assert not model.asm.table.unpack(full)["zeta"].any()


def test_the_derivative_of_points_is_right():
    model, x = shipped(), some_state(1)
    corners, bary = some_points()
    ids, share = torch.from_numpy(corners), torch.from_numpy(bary)

    def places(y: torch.Tensor) -> torch.Tensor:
        return (model.vertices(y)[ids] * share[..., None]).sum(dim=1)

    found, jacobian = model.points(x, corners, bary)
    torch.testing.assert_close(found, places(x), atol=1e-12, rtol=0)
    assert_derivative(places, x, lambda d: jacobian @ d, tolerance=1e-6)


def test_the_derivative_of_vertices_agrees_with_points_and_behind_a_pose():
    model, x = shipped(), some_state(2)
    every = model.linearize(x)
    ids = np.array([5, 900, 2150])
    torch.testing.assert_close(every.rows(ids), model.jacobian(x, ids), atol=1e-14, rtol=0)
    torch.testing.assert_close(every.vertices, model.vertices(x), atol=1e-12, rtol=0)
    posed = PosedModel.build(model)
    y = torch.cat([torch.tensor([0.1, -0.2, 0.05, 0.01, 0.0, 0.02, 0.1]).double(), x])
    state = posed.linearize(y)
    assert_derivative(posed.vertices, y, state.jvp, directions=2)


def test_a_batch_is_its_items():
    model, x = shipped(), some_state(3, 2, 3)
    together = model.vertices(x)
    assert together.shape == (2, 3, len(model.asm.template), 3)
    torch.testing.assert_close(together[1, 2], model.vertices(x[1, 2]), atol=1e-14, rtol=0)
    assert model.asm_parameters(x).shape == (2, 3, model.asm.table.size)


def test_gradients_flow_to_the_coefficients():
    model = shipped()
    x = some_state(4).requires_grad_()
    model.vertices(x)[2150, 0].backward()
    assert x.grad is not None
    expected = model.jacobian(x.detach(), np.array([2150]))[0, 0]
    torch.testing.assert_close(x.grad, expected, atol=1e-12, rtol=1e-9)


def test_single_precision_stays_single():
    model = AsmIdentity.build(expressions=False, dtype=torch.float32)
    assert model.vertices(model.table.zeros(dtype=torch.float32)).dtype == torch.float32


def test_limits_and_sigmas_are_in_the_table():
    table = shipped().table
    assert table["identity"].upper == LIMIT == -table["identity"].lower
    assert table["identity"].sigma == 1.0
    assert (table["expression"].lower, table["expression"].upper) == (0.0, 1.0)


def test_files_round_trip_and_others_are_refused(tmp_path):
    path = tmp_path / "prior.safetensors"
    rng = np.random.default_rng(0)
    prior = IdentityPrior(rng.normal(size=(84, 9)), rng.normal(size=(3, 84, 9)), 2, {"rank": 3})
    write_prior(path, prior)
    again = read_prior(path)
    np.testing.assert_allclose(again.modes, prior.modes, rtol=1e-6)
    assert (again.gaussians, again.facts) == (2, {"rank": 3})
    save_file({"mean": np.zeros(3, np.float32)}, path)
    with pytest.raises(InputError, match="rigface train prior"):
        read_prior(path)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read"):
        read_prior(path)
    with pytest.raises(InputError, match="available: default"):
        load_prior("flame")


def test_any_directions_of_tau_will_do():
    model = AsmIdentity.of(asm(), torch.zeros(84, 9).double(), torch.zeros(0, 84, 9).double())
    torch.testing.assert_close(
        model.vertices(model.table.zeros()), asm().template, atol=1e-14, rtol=0
    )
