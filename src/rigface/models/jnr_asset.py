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
from rigface.models.patch_decoder import PatchDecoder
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
    2,
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
    decoder: SkinningDecoder | PatchDecoder | None
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
    expressions: bool | tuple[str, ...] = False,
    skinning: Skinning | None = None,
) -> JnrModel:
    """A JNR model on the template's skin.

    `asymmetric` frees the joints of both sides and sideways motion of the middle; `expressions`
    adds the 24 shapes of `rigface.rig.jnr_expression`, or those of the template that it names;
    `skinning` replaces the shipped learned weights. Raises InputError for an unknown kind, and for
    a `skinning` without decoder if the neural model is asked for.
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
        shapes = _shapes(template, EXPRESSION_SHAPES if expressions is True else expressions)
    motions = asymmetric_motions() if asymmetric else symmetric_motions()
    faces = template.mesh.faces[skin.faces]
    build = partial(JnrModel.build, kind, rest, faces, rig.joints, weights, motions, lever=lever)
    if isinstance(decoder, PatchDecoder):
        decoder = decoder.bound(field_of(build(), weights.mirror))
    return build(decoder=decoder, shapes=shapes)


def _shapes(template: Template, wanted: tuple[str, ...]) -> Float[np.ndarray, "shapes verts 3"]:
    names = template.expressions.names
    chosen = [names.index(name) for name in wanted]
    every = template.expressions.dense(len(template.mesh.vertices))
    return every[chosen][:, template.parts["skin"].vertices]


def field_of(linear: JnrModel, mirror: Int[np.ndarray, " verts"]) -> WeightField:
    """The fixed half of a patch decoder on a model with linear weights."""
    return weight_field(linear.at(half_of(mirror)))


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
    arrays |= _matrices(skinning.decoder)
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


def _matrices(decoder: SkinningDecoder | PatchDecoder | None) -> dict[str, np.ndarray]:
    """By the names they have in the file."""
    if decoder is None:
        return {}
    if isinstance(decoder, PatchDecoder):
        units = np.array([len(output) for output in decoder.outputs], dtype=np.uint16)
        outputs = np.concatenate([_single(output).ravel() for output in decoder.outputs])
        patch = decoder.patch.cpu().numpy().astype(np.uint16)
        return {
            "hidden": _single(decoder.hidden),
            "outputs": outputs,
            "patch": patch,
            "units": units,
        }
    return {f"decoder.{index}": _single(matrix) for index, matrix in enumerate(decoder.matrices)}


def _single(matrix: torch.Tensor) -> np.ndarray:
    return matrix.detach().float().cpu().numpy()


def _decoder(
    arrays: Mapping[str, np.ndarray], weights: SymmetricWeights
) -> SkinningDecoder | PatchDecoder | None:
    if "patch" in arrays:
        patch, units = (torch.from_numpy(arrays[k].astype(np.int64)) for k in ("patch", "units"))
        numbers = 3 * torch.bincount(patch, minlength=len(units))
        flat = torch.from_numpy(arrays["outputs"]).split((units * numbers).tolist())
        outputs = tuple(
            one.reshape(count, -1) for one, count in zip(flat, units.tolist(), strict=True)
        )
        return PatchDecoder(torch.from_numpy(arrays["hidden"]), outputs, patch)
    names = sorted(name for name in arrays if name.startswith("decoder."))
    matrices = tuple(torch.from_numpy(arrays[name]) for name in names)
    return SkinningDecoder(matrices, len(weights)) if matrices else None
