"""The shipped identity space of photo fits, and the same with finer directions."""

from functools import lru_cache

from rigface.models.finer_identity import finer_identity
from rigface.models.identity import AsmIdentity
from rigface.rig.template_io import load_template


@lru_cache(maxsize=1)
def identity_model() -> AsmIdentity:
    """The shipped identity space on the shipped template, built once per process."""
    return AsmIdentity.build()


@lru_cache(maxsize=1)
def finer_model(count: int) -> AsmIdentity:
    """The same with `count` directions beyond its modes."""
    return finer_identity(identity_model(), load_template(), count)
