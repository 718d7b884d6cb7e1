"""The shipped identity space of photo fits, and the same with rest shapes behind its modes."""

from functools import lru_cache

import torch

from rigface.models.identity import AsmIdentity
from rigface.models.rest_shapes import load_rest_shapes


@lru_cache(maxsize=1)
def identity_model() -> AsmIdentity:
    """The shipped identity space on the shipped template, built once per process."""
    return AsmIdentity.build()


@lru_cache(maxsize=1)
def carved_model(count: int) -> AsmIdentity:
    """The same with the first `count` rest shapes."""
    return identity_model().with_rests(torch.from_numpy(load_rest_shapes().shapes[:count]))
