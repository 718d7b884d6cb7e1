"""A scan as it came: its own unit, its own frame, nothing guessed yet."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from rigface.geometry.mesh import Mesh


@dataclass(frozen=True)
class Scan:
    """A mesh or a point cloud (`faces` is None) in the file's own unit and frame."""

    vertices: Float[np.ndarray, "verts 3"]
    faces: Int[np.ndarray, "faces 3"] | None = None
    normals: Float[np.ndarray, "verts 3"] | None = None
    """Vertex normals as stored in the file, if any; never trusted for their sign."""
    uv: Float[np.ndarray, "uvs 2"] | None = None
    uv_faces: Int[np.ndarray, "faces 3"] | None = None
    colors: Float[np.ndarray, "verts 3"] | None = None
    source: Path | None = None
    notes: tuple[str, ...] = ()
    """What the reader repaired or ignored."""

    @property
    def is_point_cloud(self) -> bool:
        return self.faces is None

    def mesh(self) -> Mesh:
        """The scan as a mesh; a point cloud has none."""
        if self.faces is None:
            raise ValueError("this scan is a point cloud and has no faces")
        return Mesh(self.vertices, self.faces, self.uv, self.uv_faces, self.colors)
