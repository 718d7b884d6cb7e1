"""The plain rig that every exporter takes: it knows meshes and joints, never face models."""

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Material:
    """A physically based material, glTF metallic-roughness."""

    name: str
    base_color: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    """Linear RGBA factor."""
    roughness: float = 0.6
    metallic: float = 0.0
    double_sided: bool = False
    base_color_image: bytes | None = None
    """PNG or JPEG bytes, sRGB."""


@dataclass(frozen=True)
class Morph:
    """A sparse morph target: offsets in metres of some vertices, applied before skinning."""

    name: str
    indices: Int[np.ndarray, " moved"]
    offsets: Float[np.ndarray, "moved 3"]


@dataclass(frozen=True)
class RigAsset:
    """Everything a skinned, morphable mesh file holds. Metres, +Y up, +Z out of the face.

    A vertex goes through `morphs`, then sum_j weights[v, j] node_world[j] @ inverse_bind[j] @ v,
    where node_world follows from parents and the node TRS (translation, wxyz rotation, scale).
    """

    name: str
    vertices: Float[np.ndarray, "verts 3"]
    faces: Int[np.ndarray, "faces 3"]
    uv: Float[np.ndarray, "uvs 2"]
    """As OBJ files have it: v grows upwards in the image. Empty where there is no UV."""
    uv_faces: Int[np.ndarray, "faces 3"]
    """Index into `uv` of each corner; zeros where `uv` is empty."""
    materials: tuple[Material, ...]
    face_material: Int[np.ndarray, " faces"]
    joint_names: tuple[str, ...]
    joint_parents: tuple[int, ...]
    """Index of the parent, -1 for the one root; parents come before their children."""
    node_translation: Float[np.ndarray, "joints 3"]
    node_rotation: Float[np.ndarray, "joints 4"]
    node_scale: Float[np.ndarray, "joints 3"]
    inverse_bind: Float[np.ndarray, "joints 4 4"]
    weights: sp.csr_matrix | sp.csr_array
    """(verts, joints), rows sum to one; may hold more than four influences per vertex."""
    morphs: tuple[Morph, ...] = ()
    extras: dict = field(default_factory=dict)
    """JSON-serialisable; written to the mesh node's `extras`."""
