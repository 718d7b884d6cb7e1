"""Photos of one person agree about who it is."""

import numpy as np
import torch

from rigface.fit.strangers import (
    SHAPE,
    SKIN,
    STRANGER,
    IdentityEvidence,
    SkinLikeness,
    doubts,
    identity_evidence,
    limit,
    log_odds,
)
from rigface.solve.problem import Quadratic

MODES, OWN = 5, 4


def a_quadratic(seed: int) -> Quadratic:
    rng = np.random.default_rng(seed)
    root = torch.from_numpy(rng.normal(size=(30, MODES + OWN)))
    right = torch.from_numpy(rng.normal(size=30))
    return Quadratic(0.0, root.T @ right, root.T @ root)


def test_own_parameters_are_minimised_out() -> None:
    model = a_quadratic(1)
    own = torch.arange(MODES + OWN) >= MODES
    found = identity_evidence(model, torch.arange(MODES), own)

    def energy(z: torch.Tensor) -> float:
        h, g = model.hessian, model.gradient
        best = -torch.linalg.solve(h[MODES:, MODES:], g[MODES:] + h[MODES:, :MODES] @ z)
        x = torch.cat([z, best])
        return float(g @ x + x @ h @ x / 2)

    z = torch.linspace(-1, 1, MODES, dtype=torch.float64)
    quadratic = float(found.gradient @ z + z @ found.precision @ z / 2)
    assert abs(quadratic - (energy(z) - energy(torch.zeros(MODES).double()))) < 1e-6


def saying(z: np.ndarray, precision: float) -> IdentityEvidence:
    """A photo for which the identity is z; the joint solution is at zero."""
    strength = precision * torch.eye(len(z), dtype=torch.float64)
    return IdentityEvidence(strength, -strength @ torch.from_numpy(z))


def test_the_odds_are_those_of_gaussians_in_closed_form() -> None:
    """One coefficient, two photos: densities can be written down."""
    a, b, precision = 1.2, 0.9, 4.0
    odds = log_odds(
        [saying(np.array([a]), precision), saying(np.array([b]), precision)],
        torch.ones(1, dtype=torch.float64),
        torch.zeros(1, dtype=torch.float64),
    )

    def log_density(value: float, mean: float, variance: float) -> float:
        return -0.5 * (np.log(variance) + (value - mean) ** 2 / variance)

    spread = 1 / precision
    mean, variance = precision * b / (1 + precision), 1 / (1 + precision)
    expected = log_density(a, mean, variance + spread) - log_density(a, 0.0, 1.0 + spread)
    assert abs(float(odds[0]) - expected) < 1e-9


def test_a_stranger_is_less_likely_than_anybody() -> None:
    rng = np.random.default_rng(0)
    person, other = rng.normal(size=(2, 20))
    photos = [saying(person + 0.2 * rng.normal(size=20), 20.0) for _ in range(4)]
    photos.append(saying(other, 20.0))
    odds = log_odds(photos, torch.ones(20).double(), torch.zeros(20).double())
    assert int(odds.argmin()) == 4
    assert float(odds[4]) < 0 < float(odds[:4].min())


def test_a_fit_without_identity_prior_still_tells() -> None:
    photos = [saying(np.array([z, -z]), 4.0) for z in (0.9, 1.0, 1.1)]
    z = torch.full((2,), 0.3, dtype=torch.float64)
    told = [log_odds(photos, torch.full((2,), value).double(), z) for value in (0.0, 1.0)]
    assert torch.equal(*told)


def skin_of(likeness: list[float], share: float = 10.0) -> SkinLikeness:
    """Photos whose pairs are as like as the smaller of their two numbers."""
    each = torch.tensor(likeness, dtype=torch.float64)
    pairs = torch.minimum(each[:, None], each).fill_diagonal_(0.0)
    shares = torch.full_like(pairs, share).fill_diagonal_(0.0)
    return SkinLikeness(share * pairs, shares)


def test_the_skin_of_photos_is_compared_pair_by_pair() -> None:
    skin = skin_of([0.9, 0.9, 0.9, 0.6])
    torch.testing.assert_close(
        skin.of_photos(), torch.tensor([0.8, 0.8, 0.8, 0.6], dtype=torch.float64)
    )
    alone = SkinLikeness(torch.zeros(2, 2).double(), torch.zeros(2, 2).double())
    assert alone.of_photos().isnan().all()


def test_shape_and_skin_add_up() -> None:
    alike = torch.tensor([10.0, 11.0, 10.0, 9.0, 10.0], dtype=torch.float64)
    same = skin_of([0.6] * 5)
    assert float(doubts(alike, same).max()) < 0.2
    torch.testing.assert_close(doubts(alike, same), doubts(alike, None))
    apart = alike.clone()
    apart[1] -= 2 * SHAPE
    assert int(doubts(apart, None).argmax()) == 1 and float(doubts(apart, None)[1]) > STRANGER
    other = skin_of([0.6, 0.3, 0.6, 0.6, 0.6])
    ratio = float(other.of_photos()[0]) / 0.3
    more = doubts(apart, other) - doubts(apart, None)
    assert abs(float(more[1]) - np.log(ratio) / SKIN) < 1e-9


def test_skin_that_is_quite_unlike_is_no_number_out_of_range() -> None:
    doubt = doubts(torch.zeros(5).double(), skin_of([0.6, 0.6, -0.1, 0.6, 0.6]))
    assert doubt.isfinite().all() and int(doubt.argmax()) == 2


def test_a_photo_that_shares_no_skin_is_judged_by_its_shape() -> None:
    skin = skin_of([0.6] * 4)
    skin.total[3] = skin.total[:, 3] = skin.share[3] = skin.share[:, 3] = 0.0
    odds = torch.tensor([10.0, 10.0, 10.0, 10.0 - 1.2 * SHAPE]).double()
    torch.testing.assert_close(doubts(odds, skin), doubts(odds, None))


def test_more_photos_may_differ_more() -> None:
    """The limit follows the largest of so many honest doubts, and five have the plain one."""
    assert limit(3) == limit(4) == limit(5) == STRANGER
    rng = np.random.default_rng(0)
    for count in (8, 16, 40):
        largest = rng.standard_normal((4000, count)).max(axis=1).mean()
        five = rng.standard_normal((4000, 5)).max(axis=1).mean()
        assert abs(limit(count) / STRANGER - largest / five) < 0.05
