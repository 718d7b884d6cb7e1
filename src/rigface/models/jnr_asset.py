"""The files of JNR: the rig with its initial weights, and what `rigface train skinning` learned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.numpy import load

from rigface.errors import InputError
from rigface.io.learned_file import LearnedKind, read_learned, write_learned
from rigface.models.jnr import JnrModel
from rigface.models.level_decoder import LevelDecoder
from rigface.models.skinning_decoder import SkinningDecoder
from rigface.models.weight_field import WeightField, half_of, weight_field
from rigface.rig.jnr_expression import EXPRESSION_SHAPES
from rigface.rig.jnr_variables import asymmetric_motions, symmetric_motions
from rigface.rig.jnr_weights import SymmetricWeights
from rigface.rig.template import Template

JnrKind = Literal["jnr", "jnr-linear", "jnr-neural"]
KINDS: tuple[JnrKind, ...] = ("jnr", "jnr-linear", "jnr-neural")
"""Initial weights; learned linear weights; those plus the decoder's."""
_RIG, _SKINNING = "jnr_rig.safetensors", "jnr.safetensors"
_KIND = LearnedKind(
    "rigface_jnr",
    "a JNR skinning file",
    "rigface train skinning",
    1,
    ("rest", "weight.vertex", "weight.joint", "weight.value"),
)


@dataclass(frozen=True)
class JnrRig:
    """Joints and initial ("hand-painted") weights on the template."""

    joints: Float[np.ndarray, "joints 3"]
    weights: SymmetricWeights


@dataclass(frozen=True)
class Skinning:
    """Learned weights and the rest shape that they belong to."""

    rest: Float[np.ndarray, "verts 3"]
    weights: SymmetricWeights
    decoder: SkinningDecoder | LevelDecoder | None
    lever: Float[np.ndarray, "joints 3"] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def linear_floats(self) -> int:
        """Rest vertices and free weights, the paper's convention; our levers count as well."""
        levers = 0 if self.lever is None else self.lever.size
        return 3 * len(self.rest) + len(self.weights) + levers

    @property
    def floats(self) -> int:
        """The same and the decoder."""
        return self.linear_floats + (0 if self.decoder is None else self.decoder.floats)


@lru_cache(maxsize=1)
def _rig_arrays() -> dict[str, np.ndarray]:
    return load((resources.files("rigface") / "assets" / _RIG).read_bytes())


def load_jnr_rig(template: Template) -> JnrRig:
    """The shipped joints and initial weights."""
    arrays = _rig_arrays()
    mirror = template.mirror[template.parts["skin"].vertices]
    dense = np.zeros((len(mirror), len(arrays["joints"])))
    dense[arrays["weight.vertex"], arrays["weight.joint"]] = arrays["weight.value"]
    dense /= dense.sum(axis=1, keepdims=True)
    return JnrRig(arrays["joints"].copy(), SymmetricWeights.of(dense, mirror))


def load_skinning(template: Template) -> Skinning:
    """The shipped learned weights and decoder."""
    with resources.as_file(resources.files("rigface") / "assets" / _SKINNING) as path:
        return read_skinning(path, template)


def load_jnr(
    template: Template,
    kind: JnrKind = "jnr-neural",
    asymmetric: bool = False,
    expressions: bool = False,
    skinning: Skinning | None = None,
) -> JnrModel:
    """A JNR model on the template's skin.

    `asymmetric` frees the joints of both sides and sideways motion of the middle; `expressions`
    adds the 24 shapes of `rigface.rig.jnr_expression`; `skinning` replaces the shipped learned
    weights. Raises InputError for an unknown kind, and for a
    `skinning` without decoder if the neural model is asked for.
    """
    if kind not in KINDS:
        raise InputError(f"unknown JNR model {kind!r}; available: {', '.join(KINDS)}")
    skin = template.parts["skin"]
    rig = load_jnr_rig(template)
    rest, weights = template.mesh.vertices[skin.vertices], rig.weights
    lever, decoder = None, None
    if kind != "jnr":
        learned = load_skinning(template) if skinning is None else skinning
        rest, weights = learned.rest, learned.weights
        lever = learned.lever
        decoder = learned.decoder if kind == "jnr-neural" else None
        if kind == "jnr-neural" and decoder is None:
            raise InputError(
                "this skinning file has linear weights only; use --model jnr-linear, or train the "
                "decoder with `rigface train skinning --stage neural`."
            )
    shapes = None
    if expressions:
        shapes = _expression_shapes(template)
    motions = asymmetric_motions() if asymmetric else symmetric_motions()
    faces = template.mesh.faces[skin.faces]
    build = partial(JnrModel.build, kind, rest, faces, rig.joints, weights, motions, lever=lever)
    if isinstance(decoder, LevelDecoder):
        decoder = decoder.expanded(field_of(build(), weights.mirror).to(decoder.hidden.dtype))
    return build(decoder=decoder, shapes=shapes)


def _expression_shapes(template: Template) -> Float[np.ndarray, "shapes verts 3"]:
    names = template.expressions.names
    chosen = [names.index(name) for name in EXPRESSION_SHAPES]
    every = template.expressions.dense(len(template.mesh.vertices))
    return every[chosen][:, template.parts["skin"].vertices]


def field_of(linear: JnrModel, mirror: Int[np.ndarray, " verts"]) -> WeightField:
    """The fixed half of a level decoder on a model with linear weights."""
    return weight_field(linear.at(half_of(mirror)), mirror)


def write_skinning(path: Path, skinning: Skinning) -> None:
    """One safetensors file in single precision, its facts in the header."""
    weights = skinning.weights
    arrays = {
        "rest": skinning.rest.astype(np.float32),
        "weight.vertex": weights.vertex.astype(np.uint16),
        "weight.joint": weights.joint.astype(np.uint8),
        "weight.value": weights.value.astype(np.float32),
    }
    if skinning.lever is not None:
        arrays["lever"] = skinning.lever.astype(np.float32)
    for name, matrix in _matrices(skinning.decoder).items():
        arrays[name] = matrix.detach().float().cpu().numpy()
    write_learned(path, _KIND, arrays, {"facts": dict(skinning.facts)})


def read_skinning(path: Path, template: Template) -> Skinning:
    """A file of `write_skinning`.

    Raises InputError if it is missing, truncated, of another kind or of another topology.
    """
    header, arrays = read_learned(path, _KIND)
    mirror = template.mirror[template.parts["skin"].vertices]
    rest = arrays["rest"].astype(np.float64)
    if len(rest) != len(mirror):
        raise InputError(
            f"{path} belongs to another topology: {len(rest):,} vertices, the template's skin has "
            f"{len(mirror):,}. Use the file with the template that it was trained on."
        )
    vertex, joint = (arrays[f"weight.{k}"].astype(np.int64) for k in ("vertex", "joint"))
    weights = SymmetricWeights(vertex, joint, arrays["weight.value"].astype(np.float64), mirror)
    lever = arrays["lever"].astype(np.float64) if "lever" in arrays else None
    return Skinning(rest, weights, _decoder(arrays, weights), lever, header.get("facts", {}))


def _matrices(decoder: SkinningDecoder | LevelDecoder | None) -> dict[str, torch.Tensor]:
    """By the names they have in the file."""
    if decoder is None:
        return {}
    if isinstance(decoder, LevelDecoder):
        levels = {f"level.{index}": level for index, level in enumerate(decoder.levels)}
        return {"hidden": decoder.hidden, **levels}
    return {f"decoder.{index}": matrix for index, matrix in enumerate(decoder.matrices)}


def _decoder(
    arrays: Mapping[str, np.ndarray], weights: SymmetricWeights
) -> SkinningDecoder | LevelDecoder | None:
    def group(start: str) -> tuple[torch.Tensor, ...]:
        return tuple(torch.from_numpy(arrays[k]) for k in sorted(arrays) if k.startswith(start))

    if "hidden" in arrays:
        return LevelDecoder(torch.from_numpy(arrays["hidden"]), group("level."))
    matrices = group("decoder.")
    return SkinningDecoder(matrices, len(weights)) if matrices else None
