"""Gaussian skinning weights in the chart, and the shipped fits."""

import numpy as np
import pytest
import torch

from rigface.rig.gmm import Mixture, log_amplitudes, mixture_weights
from rigface.rig.rig import MIXTURE_SIZES, load_rig
from rigface.rig.template_io import load_template


def random_mixture(rng, bones=5, k=3):
    chol = rng.uniform(0.1, 0.5, size=(bones, k, 3))
    chol[..., 1] -= 0.3
    return Mixture(rng.normal(size=(bones, k)), 0.2 * rng.normal(size=(bones, k, 2)), chol)


def plain_weights(points, zeta, mixture):
    """The definition in plain loops."""
    amplitude = np.zeros((len(points), len(zeta)))
    for vertex, point in enumerate(points):
        for bone, center in enumerate(zeta):
            for log_pi, mu, (l11, l21, l22) in zip(
                mixture.log_pi[bone], mixture.mu[bone], mixture.chol[bone], strict=True
            ):
                factor = np.array([[l11, 0], [l21, l22]])
                d = point - center - mu
                distance = d @ np.linalg.inv(factor @ factor.T) @ d
                amplitude[vertex, bone] += np.exp(log_pi) * np.exp(-0.5 * distance)
    return amplitude / amplitude.sum(axis=1, keepdims=True)


def test_weights_are_the_definition(rng):
    mixture, zeta, points = random_mixture(rng), rng.normal(size=(5, 2)), rng.normal(size=(7, 2))
    np.testing.assert_allclose(
        mixture_weights(points, zeta, mixture), plain_weights(points, zeta, mixture), rtol=1e-10
    )


def test_far_points_neither_underflow_nor_lose_mass(rng):
    mixture, zeta = random_mixture(rng), rng.normal(size=(5, 2))
    weights = mixture_weights(np.array([[500.0, -300.0]]), zeta, mixture)
    assert np.isfinite(weights).all()
    np.testing.assert_allclose(weights.sum(), 1.0)


def test_amplitude_gradients(rng):
    mixture = random_mixture(rng, bones=2, k=2)
    inputs = [rng.normal(size=(3, 2)), 0.3 * rng.normal(size=(2, 2, 2))]
    tensors = [torch.tensor(a, requires_grad=True) for a in (*inputs, mixture.log_pi, mixture.chol)]
    assert torch.autograd.gradcheck(log_amplitudes, tensors)


@pytest.fixture(scope="module", params=MIXTURE_SIZES)
def rig(request):
    return load_rig(k=request.param)


@pytest.fixture(scope="module")
def fitted(rig):
    return mixture_weights(rig.chart, rig.zeta0, rig.mixture)


def outer_area(rig):
    template = load_template()
    faces = rig.faces[template.regions["outer"][: len(rig.chart)][rig.faces].all(axis=1)]
    a, b, c = (template.mesh.vertices[faces[:, i]] for i in range(3))
    area = np.repeat(np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6, 3)
    area = np.bincount(faces.ravel(), area, minlength=len(rig.chart))
    return area / area.sum()


def test_shipped_fits_follow_the_initial_weights(rig, fitted):
    np.testing.assert_allclose(fitted.sum(axis=1), 1.0, atol=1e-12)
    error = np.sqrt((outer_area(rig)[:, None] * (fitted - rig.weights0) ** 2).sum())
    limit = {1: 0.10, 2: 0.065, 3: 0.05, 4: 0.04, 5: 0.035}[rig.log_pi.shape[1]]
    assert error < limit


def test_shipped_fits_are_symmetric(rig, fitted):
    mirror = load_template().mirror[: len(rig.chart)]
    np.testing.assert_allclose(fitted[mirror][:, rig.mirror_bones], fitted, atol=1e-9)


def test_shipped_gaussians_are_well_conditioned(rig):
    l11, l21, l22 = np.moveaxis(rig.chol, -1, 0)
    assert (l11 > 0).all()
    assert (l22 > 0).all()
    factor = np.stack([np.stack([l11, 0 * l11], -1), np.stack([l21, l22], -1)], -2)
    sigma = np.linalg.svd(factor, compute_uv=False)
    assert sigma.min() > 0.025
    assert sigma.max() < 1.1  # a soft bound of 0.8; at K = 1 the neck of the root reaches over it
    assert np.abs(rig.log_pi).max() < 8
    assert abs(rig.log_pi.mean()) < 1e-9


def test_four_influences_are_nearly_enough(rig, fitted):
    tail = np.sort(fitted, axis=1)[:, :-4].sum(axis=1)
    assert outer_area(rig) @ tail < 0.04


UPPER = ("lip_upper_side.L", "lip_upper_mid", "lip_upper_side.R")
LOWER = ("lip_lower_side.L", "lip_lower_mid", "lip_lower_side.R")
LID_UPPER = ("eye_inner_upper", "eye_outer_upper", "eyelid_outer", "eyelid_middle", "eyelid_inner")
LID_LOWER = ("eye_inner_lower", "eye_outer_lower", "eye_hole")


@pytest.mark.parametrize(
    ("bones", "loop"),
    [
        (UPPER, "lip.lower"),
        (LOWER, "lip.upper"),
        ([f"{bone}.L" for bone in LID_UPPER], "lid.lower.L"),
        ([f"{bone}.L" for bone in LID_LOWER], "lid.upper.L"),
        ([f"{bone}.R" for bone in LID_UPPER], "lid.lower.R"),
        ([f"{bone}.R" for bone in LID_LOWER], "lid.upper.R"),
    ],
)
def test_slits_stay_apart(rig, fitted, bones, loop):
    """The opposite margin gets under 1 %; both move together only around the corners (4 mm)."""
    template = load_template()
    ring = template.loops[loop]
    vertices = template.mesh.vertices
    gap = np.linalg.norm(vertices[ring][:, None] - vertices[ring[[0, -1]]], axis=-1).min(axis=1)
    far = ring[gap > 0.004]
    assert len(far) > 5
    for bone in bones:
        assert fitted[far, rig.index(bone)].max() < 0.01
