"""From shared vertices with UV per corner to the one-index buffers that graphics files want."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from rigface.export.asset import RigAsset


@dataclass(frozen=True)
class Primitive:
    """The faces of one material with vertices of their own."""

    material: int
    source: Int[np.ndarray, " corners"]
    """The asset's vertex of each exported vertex; a vertex on a UV seam comes several times."""
    uv: Float[np.ndarray, "corners 2"] | None
    faces: Int[np.ndarray, "faces 3"]


def split_primitives(asset: RigAsset) -> list[Primitive]:
    """One primitive per used material, split at UV seams; vertices of no face are left out."""
    primitives = []
    for material in range(len(asset.materials)):
        chosen = asset.face_material == material
        if not chosen.any():
            continue
        corners = asset.faces[chosen].reshape(-1, 1)
        if len(asset.uv):
            corners = np.concatenate([corners, asset.uv_faces[chosen].reshape(-1, 1)], axis=1)
        unique, inverse = np.unique(corners, axis=0, return_inverse=True)
        uv = asset.uv[unique[:, 1]] if len(asset.uv) else None
        primitives.append(Primitive(material, unique[:, 0], uv, inverse.reshape(-1, 3)))
    return primitives


class NormalField:
    """Area-weighted unit normals of one topology at many shapes; seams do not cut them."""

    def __init__(self, faces: Int[np.ndarray, "faces 3"], verts: int) -> None:
        ones = np.ones(faces.size)
        face = np.repeat(np.arange(len(faces)), 3)
        self._faces = faces
        self._vertex_from_face = sp.csr_array(
            (ones, (faces.ravel(), face)), shape=(verts, len(faces))
        )

    def __call__(self, vertices: Float[np.ndarray, "verts 3"]) -> Float[np.ndarray, "verts 3"]:
        """Normals; a vertex without area gets +Z, since files demand unit vectors."""
        a, b, c = (vertices[self._faces[:, corner]] for corner in range(3))
        total = self._vertex_from_face @ np.cross(b - a, c - a)
        length = np.linalg.norm(total, axis=1, keepdims=True)
        up = np.broadcast_to([0.0, 0.0, 1.0], total.shape)
        return np.where(length > 0, total / np.where(length > 0, length, 1.0), up)
