"""Patches of skin in several photos: NCC, its derivative, and what they do not depend on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from rigface.render.image_pyramid import ImagePyramid
from rigface.terms.photometric import MEAN, PhotometricPatches
from rigface.terms.robust import GemanMcClure, LeastSquares
from rigface.terms.term import JointTerm

VIEWS, SIDE = 4, 7


def picture(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.uniform(20, 235, (1, 3, 24, 30)))
    smooth = torch.nn.functional.interpolate(coarse, (96, 120), mode="bicubic")
    return smooth[0].permute(1, 2, 0).clamp(0, 255).numpy().round().astype(np.uint8)


def grid_patches() -> Tensor:
    grid = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    windows = np.lib.stride_tricks.sliding_window_view(grid, (3, 3)).reshape(-1, 9)
    return torch.from_numpy(windows.copy())


def patches_of(pictures: list[np.ndarray], seed: int = 0, taps: int = 2) -> PhotometricPatches:
    rng = np.random.default_rng(seed)
    nine, texels = grid_patches(), SIDE * SIDE
    pairs = torch.from_numpy(rng.uniform(0.5, 1.5, (VIEWS, VIEWS)))
    pairs = pairs + pairs.T
    pairs.fill_diagonal_(0.0)
    return PhotometricPatches(
        np.zeros((texels, 3), dtype=np.int64),
        np.full((texels, 3), 1 / 3),
        nine,
        [ImagePyramid.of(image) for image in pictures],
        torch.from_numpy(rng.normal(scale=0.8, size=(VIEWS, taps, texels, 2))),
        torch.from_numpy(rng.uniform(-0.5, 1.5, (VIEWS, texels))),
        torch.from_numpy(rng.uniform(0.0, 1.0, (VIEWS, len(nine))).round(1)),
        pairs,
        torch.zeros(VIEWS, dtype=torch.float64),
    )


def some_pixels(seed: int = 1) -> Tensor:
    """A grid of texels somewhere in each picture."""
    rng = np.random.default_rng(seed)
    steps = 3.0 * np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1).reshape(-1, 2)
    start = rng.uniform(30, 60, (VIEWS, 1, 2))
    return torch.from_numpy(start + steps + rng.normal(scale=0.4, size=(VIEWS, SIDE * SIDE, 2)))


def different() -> list[np.ndarray]:
    return [picture(seed) for seed in range(VIEWS)]


def test_the_energy_is_the_double_sum_of_one_minus_ncc() -> None:
    term, pixels = replace(patches_of(different()), freed_of=MEAN), some_pixels()
    expected = 0.0
    values = torch.stack(
        [
            torch.stack([p.sample(at + tap, level)[0] for tap in taps]).mean(0)
            for p, at, taps, level in zip(
                term.pictures, pixels, term.taps, term.levels, strict=True
            )
        ]
    )
    nine = values[:, term.patches].numpy()
    for i in range(VIEWS):
        for j in range(i + 1, VIEWS):
            for x in range(len(term.patches)):
                ncc = np.corrcoef(nine[i, x], nine[j, x])[0, 1]
                both = float(term.share[i, x] * term.share[j, x])
                expected += float(term.pairs[i, j]) * both * (1 - ncc)
    assert term.energy(pixels) == pytest.approx(expected, rel=1e-9)
    assert isinstance(term, JointTerm)


def test_alike_pairs_are_the_spread_about_the_mean() -> None:
    term, pixels = patches_of(different()), some_pixels()
    ones = 1 - torch.eye(VIEWS, dtype=torch.float64)
    term = replace(term, pairs=ones)
    unit, _ = term._unit(term._sampled(pixels)[0])
    share = term.share.T[..., None]
    total = share.sum(dim=1, keepdim=True)
    mean = (share * unit).sum(dim=1, keepdim=True) / total.clamp_min(1e-12)
    spread = 0.5 * float((total * share * (unit - mean) ** 2).sum())
    assert term.energy(pixels) == pytest.approx(spread, rel=1e-9)


@pytest.mark.parametrize("floor", [0.0, 0.1])
@pytest.mark.parametrize("kernel", [LeastSquares(), GemanMcClure(0.7)])
def test_the_gradient_agrees_with_finite_differences(
    floor: float, kernel: LeastSquares | GemanMcClure
) -> None:
    term = patches_of(different())
    term = replace(term, floor=torch.full_like(term.floor, floor), kernel=kernel)
    pixels = some_pixels()
    model = term.pixel_model(pixels)
    assert model.energy == pytest.approx(term.energy(pixels))
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        step = torch.randn(pixels.shape, generator=generator, dtype=torch.float64)
        h = 1e-6
        numeric = (term.energy(pixels + h * step) - term.energy(pixels - h * step)) / (2 * h)
        assert float((model.gradient * step).sum()) == pytest.approx(numeric, rel=1e-5)


def test_the_residual_moves_as_its_derivative_says() -> None:
    """Moving a whole patch by one shift: the two columns of `moves` are that derivative."""
    term, pixels = patches_of(different()), some_pixels()
    model, h = term.pixel_model(pixels), 1e-6
    for axis in range(2):
        shift = torch.zeros(2, dtype=torch.float64)
        shift[axis] = h
        ahead, behind = (term._unit(term._sampled(pixels + sign * shift)[0])[0] for sign in (1, -1))
        numeric = (ahead - behind) / (2 * h)
        torch.testing.assert_close(model.moves[:, :, axis], numeric, rtol=1e-5, atol=1e-6)


def test_the_matrices_are_those_of_the_pairs() -> None:
    term, pixels = patches_of(different()), some_pixels()
    model = term.pixel_model(pixels)
    block = torch.tensor([3])
    (matrix,) = model.matrices(block)
    moves, expected = model.moves[3], torch.zeros(2 * VIEWS, 2 * VIEWS, dtype=torch.float64)
    for i in range(VIEWS):
        for j in range(i + 1, VIEWS):
            weight = term.pairs[i, j] * term.share[i, 3] * term.share[j, 3]
            row = torch.zeros(9, 2 * VIEWS, dtype=torch.float64)
            row[:, 2 * i : 2 * i + 2] = moves[i].T
            row[:, 2 * j : 2 * j + 2] = -moves[j].T
            expected += weight * row.T @ row
    torch.testing.assert_close(matrix, expected)
    assert float(torch.linalg.eigvalsh(matrix).min()) > -1e-12


def test_gain_and_offset_of_a_view_do_not_matter() -> None:
    images = different()
    # Codes stay whole numbers: halves of even ones.
    even = [(image // 2 * 2).astype(np.uint8) for image in images]
    changed = [even[0], (even[1] // 2 + 40).astype(np.uint8), *even[2:]]
    a, b = (patches_of(pictures) for pictures in (even, changed))
    assert a.energy(some_pixels()) == pytest.approx(b.energy(some_pixels()), rel=1e-4)


def test_a_slope_of_light_does_not_matter_but_to_plain_ncc() -> None:
    """Four times the same picture on the same lattice; a ramp lies over all of the second."""
    dim = picture(0) // 4
    lit = (dim + np.arange(len(dim))[:, None, None]).astype(np.uint8)
    term = patches_of([dim, lit, dim, dim])
    term = replace(term, taps=0 * term.taps, levels=0 * term.levels + 0.7)
    lattice = torch.cartesian_prod(*2 * [torch.arange(SIDE).double()])
    pixels = (40.3 + 3 * lattice).expand(VIEWS, -1, -1)
    plain = replace(term, freed_of=MEAN).energy(pixels)
    assert plain > 1.0 and term.energy(pixels) < 0.01 * plain


def test_what_a_view_does_not_see_contributes_nothing() -> None:
    term, pixels = patches_of(different()), some_pixels()
    share = term.share.clone()
    share[0], share[1, :5] = 0.0, 0.0
    term = replace(term, share=share)
    other = replace(term, pictures=[ImagePyramid.of(picture(99)), *term.pictures[1:]])
    assert other.energy(pixels) == term.energy(pixels)
    model = term.pixel_model(pixels)
    assert not model.gradient[0].any()
    assert not model.matrices(torch.arange(len(term.patches)))[:, :2].any()


def test_a_patch_alone_is_the_same_as_among_others() -> None:
    term, pixels = patches_of(different()), some_pixels()
    whole = term.pixel_model(pixels)
    parts = [replace(term, patches=term.patches[[k]], share=term.share[:, [k]]) for k in range(25)]
    assert sum(part.energy(pixels) for part in parts) == pytest.approx(whole.energy)
    summed = sum(part.pixel_model(pixels).gradient for part in parts)
    torch.testing.assert_close(summed, whole.gradient)
    one = parts[7].pixel_model(pixels).matrices(torch.tensor([0]))[0]
    torch.testing.assert_close(one, whole.matrices(torch.tensor([7]))[0])
