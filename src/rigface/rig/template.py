"""The neutral head everything starts from: skin, eyeballs, teeth, tongue, and their anatomy."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from rigface.geometry.mesh import Mesh


@dataclass(frozen=True)
class Part:
    """A contiguous run of vertices and faces that moves as one piece of anatomy."""

    vertices: slice
    faces: slice


@dataclass(frozen=True)
class SparseShapes:
    """Named offsets that move few vertices each. Metres."""

    names: tuple[str, ...]
    starts: Int[np.ndarray, " shapes_plus_one"]
    indices: Int[np.ndarray, " moved"]
    offsets: Float[np.ndarray, "moved 3"]

    def dense(self, verts: int) -> Float[np.ndarray, "shapes verts 3"]:
        """All shapes as full arrays."""
        out = np.zeros((len(self.names), verts, 3))
        for shape in range(len(self.names)):
            run = slice(self.starts[shape], self.starts[shape + 1])
            out[shape, self.indices[run]] = self.offsets[run]
        return out

    def of(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Vertex indices and offsets of one shape."""
        shape = self.names.index(name)
        run = slice(self.starts[shape], self.starts[shape + 1])
        return self.indices[run], self.offsets[run]


@dataclass(frozen=True)
class SurfacePoints:
    """Named points on the template surface: a triangle and barycentric coordinates each."""

    names: tuple[str, ...]
    face: Int[np.ndarray, " points"]
    bary: Float[np.ndarray, "points 3"]

    def positions(
        self, vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]
    ) -> Float[np.ndarray, "points 3"]:
        """Where the points lie for a given geometry."""
        return np.einsum("nc,ncd->nd", self.bary, vertices[faces[self.face]])


@dataclass(frozen=True)
class Eyeball:
    """The sphere an eyeball was fitted with; gaze turns about its centre."""

    centre: Float[np.ndarray, "3"]
    radius: float
    """Metres."""
    gaze: Float[np.ndarray, "3"]
    """Unit direction from the centre through the pupil, at rest."""


@dataclass(frozen=True)
class Template:
    """Metres, +Y up, +Z out of the face, +X to the subject's left.

    The origin is the midpoint of the two eyeball centres. Skin vertices come first.
    """

    name: str
    mesh: Mesh
    """All parts in one vertex array; `uv` is the artist's, per corner."""
    parts: dict[str, Part]
    """skin, eyeball.L, eyeball.R, teeth.upper, teeth.lower, tongue."""
    regions: dict[str, Bool[np.ndarray, " verts"]]
    """Vertex masks. Disjoint outer-face regions: forehead, brows, eyes, nose, cheeks, lips, jaw,
    ears; with scalp and neck they make up `outer` (skin seen from outside). Others: face (outer
    skin that a face scan shows: the eight regions without the ears), inner (the rest of the skin:
    mouth_cavity, socket.L, socket.R), nostrils (a part of nose that a scan still shows),
    lid_rim.L, lid_rim.R (where lid meets eyeball) and lip_ring (where lip meets lip), the last
    rings of `outer`."""
    mirror: Int[np.ndarray, " verts"]
    """Vertex on the other side, for all parts; an involution."""
    expressions: SparseShapes
    """The 52 ARKit shapes, over all parts."""
    landmarks: SurfacePoints
    """ibug.0 .. ibug.67 on the skin."""
    shape_modes: Float[np.ndarray, "modes verts 3"]
    """Orthogonal directions of the embedded head population, scaled to one standard deviation."""
    shape_mean: Float[np.ndarray, "verts 3"]
    """Mean of that population minus the template."""
    loops: dict[str, Int[np.ndarray, " ring"]]
    """Ordered vertex rings along contact lines, subject's right to left: lid.upper.L,
    lid.lower.L, lid.upper.R, lid.lower.R, lip.upper, lip.lower; both ends are the shared
    corners. Closed rings without a repeated vertex: lip.border and neck."""
    eyeballs: dict[str, Eyeball]
    """By side, L and R."""

    def with_shapes(self, weights: Mapping[str, float]) -> Float[np.ndarray, "verts 3"]:
        """All vertices with the named expressions at their weights."""
        out = self.mesh.vertices.copy()
        for name, weight in weights.items():
            index, offset = self.expressions.of(name)
            out[index] += weight * offset
        return out
