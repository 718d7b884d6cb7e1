"""The shipped head spaces of photo fits: ASM's, JNR's and a linear one."""

from functools import lru_cache

import torch

from rigface.fit.jnr_space import jnr_identity
from rigface.fit.models import ModelName, template_space
from rigface.fit.views import HeadSpace
from rigface.models.identity import AsmIdentity
from rigface.models.linear import LinearModel
from rigface.models.rest_shapes import load_rest_shapes
from rigface.rig.template_io import load_template


@lru_cache(maxsize=1)
def identity_model() -> AsmIdentity:
    """The shipped identity space on the shipped template, built once per process."""
    return AsmIdentity.build()


@lru_cache(maxsize=1)
def carved_model(count: int) -> AsmIdentity:
    """The same with the first `count` rest shapes."""
    return identity_model().with_rests(torch.from_numpy(load_rest_shapes().shapes[:count]))


def head_space(model: ModelName) -> HeadSpace:
    """What a photo is fitted with, by the model's name; `linear` is the template's population."""
    if model == "asm":
        return identity_model()
    if model == "linear":
        return _linear()
    return jnr_identity(model)


@lru_cache(maxsize=1)
def _linear() -> LinearModel:
    template = load_template()
    return template_space(template, template.expressions.names)
