"""Synthetic skinning weights (section 3.2): perturb the joints, solve the weights again.

If the joints of a fitted head move a little, other weights give about the same head. The sets are
kept as coefficients of their first principal directions: thousands of them fit into memory.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rigface.learn.head_fit import HeadFit, fit_heads
from rigface.learn.person_weights import person_weights
from rigface.learn.support import Say
from rigface.models.jnr import JnrModel


@dataclass(frozen=True)
class WeightSetConfig:
    """How many and how different."""

    sets: int = 32_000
    rounds: int = 3
    """Turns of weights and joints per head; the joints after each turn are perturbed."""
    steps: int = 2
    """Levenberg-Marquardt steps of the joints in a turn."""
    perturbation: float = 0.05
    """Noise of a joint variable relative to its spread over the heads."""
    share: float = 0.25
    """Of the variables that are perturbed in a set."""
    ridge: float = 0.1
    """Square millimetres that a weight off by one from the linear one costs."""
    rank: int = 256
    basis_sets: int = 1500


@dataclass(frozen=True)
class WeightSets:
    """Residuals from the linear weights: mean-free, `coefficients @ basis`."""

    basis: Float[Tensor, "rank free"]
    """Orthonormal rows, the strongest first."""
    coefficients: Float[Tensor, "sets rank"]
    head: Int[Tensor, " sets"]
    """Head that each set belongs to."""
    kept: float
    """Share of the sum of squares that the basis holds."""


def person_joints(
    model: JnrModel,
    targets: Float[Tensor, "heads verts 3"],
    x: Float[Tensor, "heads params"],
    free: Bool[Tensor, " params"],
    config: WeightSetConfig,
    batch: int = 8,
) -> Float[Tensor, "rounds heads params"]:
    """Joints of every head after each turn of solving its own weights and its joints."""
    out = []
    for run in torch.arange(len(targets)).split(batch):
        own, turns = x[run], [x[run]]
        for _ in range(config.rounds - 1):
            weights = person_weights(model, targets[run], own, config.ridge)
            person = replace(model, free=weights)
            own = fit_heads(person, targets[run], own, HeadFit(config.steps, batch=batch), free)
            turns.append(own)
        out.append(torch.stack(turns))
    return torch.cat(out, dim=1)


def make_weight_sets(
    model: JnrModel,
    targets: Float[Tensor, "heads verts 3"],
    joints: Float[Tensor, "rounds heads params"],
    config: WeightSetConfig,
    generator: torch.Generator,
    say: Say = lambda text: None,
    batch: int = 16,
) -> WeightSets:
    """Draw heads, turns and perturbations; the last turn of each head comes first, unperturbed."""
    heads = joints.shape[1]
    spread = config.perturbation * joints[-1].std(dim=0)
    head = torch.cat(
        [torch.arange(heads), torch.randint(heads, (config.sets - heads,), generator=generator)]
    )
    turn = torch.randint(len(joints), (len(head),), generator=generator)
    turn[:heads] = len(joints) - 1

    def residuals(run: Tensor) -> Tensor:
        noise = torch.randn(len(run), joints.shape[-1], generator=generator)
        moved = torch.rand(noise.shape, generator=generator) < config.share
        moved &= (run >= heads)[:, None]
        x = joints[turn[run], head[run]] + (noise * moved).to(spread) * spread
        return person_weights(model, targets[head[run]], x, config.ridge) - model.free

    first = torch.randperm(len(head), generator=generator)[: config.basis_sets]
    sample = torch.cat([residuals(run) for run in first.split(batch)])
    # The basis by the eigenvectors of the small Gram matrix: sets are fewer than weights.
    value, vector = torch.linalg.eigh(sample @ sample.T)
    rank = min(config.rank, len(sample))
    basis = torch.nn.functional.normalize((vector[:, -rank:].T @ sample).flip(0), dim=1)
    kept = float(value[-rank:].clamp_min(0).sum() / value.clamp_min(0).sum())
    say(f"{rank} directions hold {kept:.1%} of {len(sample):,} weight sets")
    parts = [residuals(run) @ basis.T for run in torch.arange(len(head)).split(batch)]
    return WeightSets(basis, torch.cat(parts), head, kept)
