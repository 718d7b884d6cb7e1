"""Photos of one person agree about who it is."""

import numpy as np
import torch

from rigface.fit.strangers import IdentityEvidence, identity_evidence, log_odds
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
