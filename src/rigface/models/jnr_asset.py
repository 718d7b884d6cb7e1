"""The files of JNR: the rig with its initial weights, and what `rigface train skinning` learned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from safetensors.numpy import load

from rigface.errors import InputError
from rigface.io.learned_file import LearnedKind, read_learned, write_learned
from rigface.models.jnr import JnrModel
from rigface.models.skinning_decoder import SkinningDecoder
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
    decoder: SkinningDecoder | None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def linear_floats(self) -> int:
        """Rest vertices and free weights: the paper's convention."""
        return 3 * len(self.rest) + len(self.weights)

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

    `asymmetric` frees the joints of both sides and sideways motion of the middle; `skinning`
    replaces the shipped learned weights. Raises InputError for an unknown kind, and for a
    `skinning` without decoder if the neural model is asked for.
    """
    if kind not in KINDS:
        raise InputError(f"unknown JNR model {kind!r}; available: {', '.join(KINDS)}")
    skin = template.parts["skin"]
    rig = load_jnr_rig(template)
    rest, weights, decoder = template.mesh.vertices[skin.vertices], rig.weights, None
    if kind != "jnr":
        learned = load_skinning(template) if skinning is None else skinning
        rest, weights = learned.rest, learned.weights
        decoder = learned.decoder if kind == "jnr-neural" else None
        if kind == "jnr-neural" and decoder is None:
            raise InputError(
                "this skinning file has linear weights only; use --model jnr-linear, or train the "
                "decoder with `rigface train skinning --stage neural`."
            )
    shapes = None
    if expressions:
        shapes = template.expressions.dense(len(template.mesh.vertices))[:, skin.vertices]
    motions = asymmetric_motions() if asymmetric else symmetric_motions()
    faces = template.mesh.faces[skin.faces]
    return JnrModel.build(kind, rest, faces, rig.joints, weights, motions, decoder, shapes)


def write_skinning(path: Path, skinning: Skinning) -> None:
    """One safetensors file in single precision, its facts in the header."""
    weights = skinning.weights
    arrays = {
        "rest": skinning.rest.astype(np.float32),
        "weight.vertex": weights.vertex.astype(np.uint16),
        "weight.joint": weights.joint.astype(np.uint8),
        "weight.value": weights.value.astype(np.float32),
    }
    if skinning.decoder is not None:
        for index, matrix in enumerate(skinning.decoder.matrices):
            arrays[f"decoder.{index}"] = matrix.detach().float().cpu().numpy()
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
    matrices = [torch.from_numpy(arrays[k]) for k in sorted(arrays) if k.startswith("decoder.")]
    decoder = SkinningDecoder(tuple(matrices), len(weights)) if matrices else None
    return Skinning(rest, weights, decoder, header.get("facts", {}))
