"""The rig on a template skin: bones, chart, anchors, initial weights and their Gaussians."""

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from jaxtyping import Float, Int
from safetensors.numpy import load

from rigface.errors import InputError
from rigface.rig.gmm import Mixture
from rigface.rig.skeleton import (
    ATTACHMENT_NAMES,
    ATTACHMENT_PARENTS,
    BONE_NAMES,
    BONE_PARENTS,
    Attachments,
    mirror_indices,
)

RIGS = ("anny",)
MIXTURE_SIZES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Rig:
    """ASM's initial state on one template skin. Metres, template frame; chart units of ~100 mm.

    Bind rotations are the identity for every bone, all axes parallel to the model axes. The
    supplement makes an exception of the root; a rigid bind needs none, so it is dropped.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    """-1 for the root; a parent always comes before its children."""
    mirror_bones: Int[np.ndarray, " bones"]
    bind_positions: Float[np.ndarray, "bones 3"]
    """psi^0 of Eq. 4."""
    faces: Int[np.ndarray, "faces 3"]
    """Skin triangles, as in the template."""
    chart: Float[np.ndarray, "verts 2"]
    zeta0: Float[np.ndarray, "bones 2"]
    """Chart position of each bone, inside a triangle of the outer skin."""
    anchor_face: Int[np.ndarray, " bones"]
    anchor_bary: Float[np.ndarray, "bones 3"]
    weights0: Float[np.ndarray, "verts bones"]
    """Heat-diffusion weights that the mixtures are fitted to (stand-in for Blender's)."""
    log_pi: Float[np.ndarray, "bones k"]
    mu: Float[np.ndarray, "bones k 2"]
    chol: Float[np.ndarray, "bones k 3"]
    attachments: Attachments

    @property
    def mixture(self) -> Mixture:
        """The Gaussians as one object."""
        return Mixture(self.log_pi, self.mu, self.chol)

    def index(self, name: str) -> int:
        """Row of a bone; raises InputError for a name that is not in Table 1."""
        if name not in self.names:
            raise InputError(f"unknown bone {name!r}; the bones are {', '.join(self.names)}")
        return self.names.index(name)


@lru_cache(maxsize=2)
def _arrays(name: str) -> dict[str, np.ndarray]:
    file = resources.files("rigface") / "assets" / "rig.safetensors"
    return load(file.read_bytes())


def load_rig(name: str = "anny", k: int = 2) -> Rig:
    """The shipped rig with K Gaussians per bone (1..5). Raises InputError for other values."""
    if name not in RIGS:
        raise InputError(f"unknown rig {name!r}; available: {', '.join(RIGS)}")
    if k not in MIXTURE_SIZES:
        raise InputError(f"k={k!r} Gaussians per bone; the rig holds fits for k = 1 to 5")
    a = _arrays(name)
    weights = np.zeros((len(a["chart"]), len(BONE_NAMES)))
    weights[a["weights0.vertex"], a["weights0.bone"]] = a["weights0.value"]
    weights /= weights.sum(axis=1, keepdims=True)
    parents = tuple(str(parent) for parent in ATTACHMENT_PARENTS)
    return Rig(
        names=BONE_NAMES,
        parents=BONE_PARENTS,
        mirror_bones=mirror_indices(BONE_NAMES),
        bind_positions=a["bind_positions"].copy(),
        faces=a["faces"].astype(np.int64),
        chart=a["chart"].copy(),
        zeta0=a["zeta0"].copy(),
        anchor_face=a["anchor_face"].astype(np.int64),
        anchor_bary=a["anchor_bary"].copy(),
        weights0=weights,
        log_pi=a[f"gmm{k}.log_pi"].copy(),
        mu=a[f"gmm{k}.mu"].copy(),
        chol=a[f"gmm{k}.chol"].copy(),
        attachments=Attachments(ATTACHMENT_NAMES, parents, a["attachment_positions"].copy()),
    )
