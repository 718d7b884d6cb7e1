"""The models that a recipe works with, built once and kept."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from rigface.fit.lids import BLINK
from rigface.models.asm import AsmModel
from rigface.models.jnr import JnrModel
from rigface.models.jnr_asset import JnrKind, load_jnr
from rigface.models.linear import LinearModel
from rigface.rig.jnr_expression import EXPRESSION_SHAPES
from rigface.rig.rig import Rig, load_rig
from rigface.rig.template import Template
from rigface.rig.template_io import load_template

ModelName = Literal["asm", "linear"] | JnrKind


@dataclass(frozen=True)
class FitModels:
    """The face model to be fitted and the shape space that starts it."""

    face: AsmModel | LinearModel | JnrModel
    shape: LinearModel
    rig: Rig
    expression_names: tuple[str, ...]
    """Shapes that the face model fits; empty for a neutral fit."""
    closure_names: tuple[str, ...]
    """Shapes that the shape space fits: all, or only the lids, which many scans close."""

    @property
    def variables(self) -> int:
        """Free variables of the face model, without the pose."""
        return self.face.table.size


def build_models(
    template: Template,
    model: ModelName,
    gaussians: int,
    expression: bool,
    asymmetric: bool = True,
) -> FitModels:
    """Models on the shipped template; cached by their settings.

    `asymmetric` concerns JNR alone: whether both sides of a face are free.
    """
    assert template is load_template()
    return _build(model, gaussians, expression, asymmetric)


@lru_cache(maxsize=4)
def _build(model: ModelName, gaussians: int, expression: bool, asymmetric: bool) -> FitModels:
    template, rig = load_template(), load_rig(k=gaussians)
    names = template.expressions.names if expression else BLINK
    start = template_space(template, names)
    fitted = template.expressions.names if expression else ()
    if model == "linear":
        return FitModels(template_space(template, names), start, rig, names, names)
    if model != "asm":
        face = load_jnr(template, model, asymmetric, expression)
        own = EXPRESSION_SHAPES if expression else ()
        return FitModels(face, start, rig, own, names)
    return FitModels(AsmModel.build(template, rig, expression), start, rig, fitted, names)


def template_space(template: Template, expressions: tuple[str, ...]) -> LinearModel:
    """Mean head and identity modes of the embedded population, plus some ARKit shapes."""
    skin = template.parts["skin"]
    mean = template.mesh.vertices[skin.vertices] + template.shape_mean[skin.vertices]
    modes = np.asarray(template.shape_modes[:, skin.vertices], dtype=np.float64)
    shapes = np.zeros((len(expressions), len(mean), 3))
    for row, name in enumerate(expressions):
        index, offset = template.expressions.of(name)
        on_skin = index < len(mean)
        shapes[row, index[on_skin]] = offset[on_skin]
    return LinearModel.build("linear", mean, template.mesh.faces[skin.faces], modes, shapes)
