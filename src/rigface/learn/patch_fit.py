"""A patch decoder from the fields of a code: which vertices go together, and how many units each.

Neighbours want nearly the same directions of a code, vertices far apart do not: few numbers say
much where a patch has its own singular vectors.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.cluster.vq import kmeans2
from torch import Tensor

from rigface.models.patch_decoder import PatchDecoder

PATCHES = 96
_SMALL = 0.05
"""Scale of the hidden units at the start: swish is x / 2 there, and the decoder linear."""
_ALIKE = 0.5
"""Weight of being alike in the fields against being near, when vertices are dealt to patches."""


def skin_patches(
    rest: Float[Tensor, "half 3"], fields: Float[Tensor, "codes half 3"], count: int, seed: int = 0
) -> Int[Tensor, " half"]:
    """Patch of every vertex: near each other, and with nearly the same fields."""
    near = rest.double()
    alike = fields.double().permute(1, 0, 2).flatten(1)
    scale = (alike.square().sum(dim=1).mean() / near.var(dim=0).sum()).sqrt().clamp_min(1e-12)
    features = torch.cat([near, _ALIKE * alike / scale], dim=1).numpy()
    features = features / np.sqrt(features.var(axis=0).sum())
    _, patch = kmeans2(features, count, iter=40, minit="++", rng=np.random.default_rng(seed))
    return torch.from_numpy(np.unique(patch, return_inverse=True)[1]).long()


def patch_decoder(
    fields: Float[Tensor, "codes half 3"], patch: Int[Tensor, " half"], floats: int
) -> PatchDecoder:
    """Nearest to `fields` (codes of unit second moment) with at most so many floats.

    Each patch's fields are ordered by singular value; the budget goes to the directions that
    explain most per float. Every patch has one unit at least.
    """
    codes = len(fields)
    parts = [
        torch.linalg.svd(fields[:, patch == index].double().flatten(1), full_matrices=False)
        for index in range(int(patch.max()) + 1)
    ]
    price = [codes + numbers.shape[1] for _, _, numbers in parts]
    gain = torch.cat(
        [(s.square() / p).index_fill(0, torch.tensor(0), torch.inf) for (_, s, _), p in
         zip(parts, price, strict=True)]
    )  # fmt: skip
    cost = torch.cat([torch.full((len(s),), p) for (_, s, _), p in zip(parts, price, strict=True)])
    owner = torch.arange(len(parts)).repeat_interleave(torch.tensor([len(s) for _, s, _ in parts]))
    order = gain.argsort(descending=True, stable=True)
    bought = order[cost[order].cumsum(0) <= floats]
    counts = torch.bincount(owner[bought], minlength=len(parts)).tolist()
    hidden = [left[:, :count] for (left, _, _), count in zip(parts, counts, strict=True)]
    outputs = [
        (2.0 / _SMALL * size[:count, None] * numbers[:count]).float()
        for (_, size, numbers), count in zip(parts, counts, strict=True)
    ]
    return PatchDecoder((_SMALL * torch.cat(hidden, dim=1)).float(), tuple(outputs), patch)
