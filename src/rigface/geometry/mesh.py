"""Triangle meshes as plain data, and the small operations that everybody needs on them."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh; the unit and frame are the owner's, each owner says which.

    UV coordinates are kept per corner (`uv_faces` indexes `uv`), as OBJ files store them.
    """

    vertices: Float[np.ndarray, "verts 3"]
    faces: Int[np.ndarray, "faces 3"]
    uv: Float[np.ndarray, "uvs 2"] | None = None
    uv_faces: Int[np.ndarray, "faces 3"] | None = None
    colors: Float[np.ndarray, "verts 3"] | None = None
    """Linear RGB in [0, 1]."""

    def with_vertices(self, vertices: Float[np.ndarray, "verts 3"]) -> "Mesh":
        """The same topology at other positions."""
        return replace(self, vertices=vertices)


def face_normals(
    vertices: Float[np.ndarray, "*batch verts 3"], faces: Int[np.ndarray, "faces 3"]
) -> Float[np.ndarray, "*batch faces 3"]:
    """Unit normals, right-handed over the corner order; a degenerate face gets zeros."""
    cross = _face_cross(vertices, faces)
    length = np.linalg.norm(cross, axis=-1, keepdims=True)
    return np.divide(cross, length, out=np.zeros_like(cross), where=length > 0)


def face_areas(
    vertices: Float[np.ndarray, "*batch verts 3"], faces: Int[np.ndarray, "faces 3"]
) -> Float[np.ndarray, "*batch faces"]:
    """Areas in the square of the vertex unit."""
    return 0.5 * np.linalg.norm(_face_cross(vertices, faces), axis=-1)


def vertex_normals(
    vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]
) -> Float[np.ndarray, "verts 3"]:
    """Area-weighted unit normals; an isolated vertex gets zeros."""
    cross = _face_cross(vertices, faces)
    total = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(total, faces[:, corner], cross)
    length = np.linalg.norm(total, axis=-1, keepdims=True)
    return np.divide(total, length, out=np.zeros_like(total), where=length > 0)


def unique_edges(faces: Int[np.ndarray, "faces 3"]) -> Int[np.ndarray, "edges 2"]:
    """Every undirected edge once, lower vertex first, sorted."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(edges, axis=1), axis=0)


def boundary_edges(faces: Int[np.ndarray, "faces 3"]) -> Int[np.ndarray, "edges 2"]:
    """Edges that belong to exactly one face, in that face's direction."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    _, first, count = np.unique(
        np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True
    )
    return edges[first[count == 1]]


def submesh(mesh: Mesh, face_mask: np.ndarray) -> tuple[Mesh, Int[np.ndarray, " kept"]]:
    """The faces of `face_mask` (bool per face or indices), re-indexed, and the kept vertex ids."""
    faces = mesh.faces[face_mask]
    kept, flat = np.unique(faces, return_inverse=True)
    colors = None if mesh.colors is None else mesh.colors[kept]
    return Mesh(mesh.vertices[kept], flat.reshape(-1, 3), colors=colors), kept


def sample_surface(
    vertices: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
    count: int,
    seed: int = 0,
) -> tuple[Float[np.ndarray, "samples 3"], Int[np.ndarray, " samples"]]:
    """Points drawn uniformly by area, and the face of each."""
    rng = np.random.default_rng(seed)
    areas = face_areas(vertices, faces)
    face = rng.choice(len(faces), size=count, p=areas / areas.sum())
    root, second = np.sqrt(rng.random(count)), rng.random(count)
    bary = np.stack([1 - root, root * (1 - second), root * second], axis=-1)
    return np.einsum("nc,ncd->nd", bary, vertices[faces[face]]), face


def _face_cross(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[..., faces[:, corner], :] for corner in range(3))
    return np.cross(b - a, c - a)
