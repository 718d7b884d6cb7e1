"""MediaPipe's 478 face landmarks on the template: triangles and barycentric coordinates.

468 points lie on the outer skin, where a detector sees them on renders of the template
(`tools/build_landmarks`, docs/photo_landmarks.md). The two irises are rings on the eyeballs:
468 is the centre of the subject's right one, 469 to 472 its rim towards +x, +y, -x and -y of the
head; 473 to 477 the left one. The outline of a face is not a set of fixed points: `ContourPaths`
holds, for each point of the mesh's oval, the line across the skin on which it slides.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float, Int
from safetensors.numpy import load_file

from rigface.cameras import Camera
from rigface.evidence.face_mesh import LEFT_IRIS, RIGHT_IRIS
from rigface.evidence.ibug import IBUG_FROM_MESH, MESH_OVAL, ibug_from_mesh
from rigface.geometry.mesh import vertex_normals
from rigface.geometry.surface import Surface

SKIN_COUNT, COUNT = 468, 478
IRIS_CENTRES = (RIGHT_IRIS, LEFT_IRIS)
"""The subject's right and left eye; each is followed by four points of the rim."""
JAW_COUNT = 17
_LIFT = 1.5e-3
"""Metres off the skin at which the way to the camera begins."""


@dataclass(frozen=True)
class ContourPoints:
    """Where the outline runs in one view, one point per path."""

    face: Int[np.ndarray, " paths"]
    bary: Float[np.ndarray, "paths 3"]
    position: Float[np.ndarray, "paths 3"]
    on_outline: Bool[np.ndarray, " paths"]
    """False where the path ends before it turns away from the camera (this side faces it, and its
    outline lies behind the face: ear, neck, scalp), and where the point is hidden by what is
    nearer, such as nose or mouth in a half profile. Then no point of the path is on the outline."""


@dataclass(frozen=True)
class ContourPaths:
    """Lines across the outer skin, from the front of the face backwards, sampled evenly."""

    marks: Int[np.ndarray, " paths"]
    """The landmark of the oval that each path belongs to."""
    face: Int[np.ndarray, "paths samples"]
    bary: Float[np.ndarray, "paths samples 3"]

    def positions(
        self, vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]
    ) -> Float[np.ndarray, "paths samples 3"]:
        """The lines for a given geometry."""
        return np.einsum("psc,pscd->psd", self.bary, vertices[faces[self.face]])


@dataclass(frozen=True)
class LandmarkEmbedding:
    """The embedding, for vertices and faces of the whole template (skin and eyeballs)."""

    faces: Int[np.ndarray, "faces 3"]
    """The template's."""
    face: Int[np.ndarray, "468"]
    bary: Float[np.ndarray, "468 3"]
    ring_face: Int[np.ndarray, "8"]
    """The irises' rims on the eyeballs, right then left."""
    ring_bary: Float[np.ndarray, "8 3"]
    sigma: Float[np.ndarray, "478"]
    """How far a landmark may lie from here on another head, metres: the embedding's own error."""
    contour: ContourPaths

    def positions(
        self, vertices: Float[np.ndarray, "*batch verts 3"]
    ) -> Float[np.ndarray, "*batch 478 3"]:
        """The landmarks in space; `vertices` are those of the whole template, in any pose."""
        skin = self._points(vertices, self.face, self.bary)
        rings = self._points(vertices, self.ring_face, self.ring_bary)
        right, left = rings[..., :4, :], rings[..., 4:, :]
        parts = [skin]
        for ring in (right, left):
            parts += [ring.mean(axis=-2, keepdims=True), ring]
        return np.concatenate(parts, axis=-2)

    def ibug68(
        self, vertices: Float[np.ndarray, "*batch verts 3"]
    ) -> Float[np.ndarray, "*batch 68 3"]:
        """The iBUG-68 in space; its jaw line is the mesh's and does not follow the outline."""
        return ibug_from_mesh(self.positions(vertices))

    def operator(self, verts: int) -> sp.csr_matrix:
        """`positions` as a matrix (478, verts): every landmark is linear in the vertices."""
        rows = np.repeat(np.arange(SKIN_COUNT), 3)
        columns, values = self.faces[self.face].ravel(), self.bary.ravel()
        for side, centre in enumerate(IRIS_CENTRES):
            ring = slice(4 * side, 4 * side + 4)
            corners = self.faces[self.ring_face[ring]].ravel()
            weights = self.ring_bary[ring].ravel()
            rim = np.repeat(np.arange(centre + 1, centre + 5), 3)
            rows = np.concatenate([rows, np.full(12, centre), rim])
            columns = np.concatenate([columns, corners, corners])
            values = np.concatenate([values, weights / 4, weights])
        return sp.csr_matrix((values, (rows, columns)), shape=(COUNT, verts))

    def contour_points(
        self, vertices: Float[np.ndarray, "verts 3"], camera: Camera
    ) -> ContourPoints:
        """The visible outline: on each path the point that lies farthest out in the picture.

        Outwards is the direction, in the picture, from the middle of the oval to the path's own
        landmark. `vertices` are the whole template's, in the world of one camera.
        """
        lines = self.contour.positions(vertices, self.faces)
        flat, _ = camera.to(torch.float64).project(torch.from_numpy(lines.reshape(-1, 3)))
        flat = flat.numpy().reshape(*lines.shape[:2], 2)
        marks = self._points(vertices, self.face, self.bary)[self.contour.marks]
        anchor, _ = camera.to(torch.float64).project(torch.from_numpy(marks))
        outwards = anchor.numpy() - anchor.numpy().mean(axis=0)
        outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
        reach = np.einsum("psk,pk->ps", flat, outwards)
        best = reach.argmax(axis=1)
        row = np.arange(len(best))
        face, bary = self.contour.face[row, best], self.contour.bary[row, best]
        known = (best > 0) & (best < reach.shape[1] - 1)
        known &= ~self._hidden(vertices, face, bary, camera)
        return ContourPoints(face, bary, lines[row, best], known)

    def contour_jaw(self, points: ContourPoints) -> tuple[np.ndarray, np.ndarray]:
        """iBUG's 17 jaw points on the outline, (17, 3), and whether each lies on it, (17,)."""
        place = {int(mark): row for row, mark in enumerate(self.contour.marks)}
        rows = [[place[mark] for mark in pair] for pair in IBUG_FROM_MESH[:JAW_COUNT]]
        position = np.array([points.position[row].mean(axis=0) for row in rows])
        return position, np.array([bool(points.on_outline[row].all()) for row in rows])

    def _hidden(
        self, vertices: np.ndarray, face: np.ndarray, bary: np.ndarray, camera: Camera
    ) -> np.ndarray:
        """Points whose way to the camera is blocked, lifted off their own surface."""
        normals = vertex_normals(vertices, self.faces)
        lifted = self._points(vertices, face, bary) + _LIFT * self._points(normals, face, bary)
        way = camera.position.detach().cpu().double().numpy() - lifted
        surface = Surface(torch.from_numpy(vertices), torch.from_numpy(self.faces))
        return surface.ray(torch.from_numpy(lifted), torch.from_numpy(way))[0].numpy() >= 0

    def _points(self, vertices: np.ndarray, face: np.ndarray, bary: np.ndarray) -> np.ndarray:
        return np.einsum("nc,...ncd->...nd", bary, vertices[..., self.faces[face], :])


@lru_cache(maxsize=1)
def load_landmark_embedding() -> LandmarkEmbedding:
    """The embedding on the shipped template, read once per process."""
    from rigface.rig.template_io import load_template

    with resources.as_file(resources.files("rigface") / "assets" / "landmarks.safetensors") as path:
        stored = load_file(path)
    index = {name: stored[name].astype(np.int64) for name in ("face", "ring_face", "contour_face")}
    share = {name: _shares(stored[name]) for name in ("bary", "ring_bary", "contour_bary")}
    paths = ContourPaths(np.array(MESH_OVAL), index["contour_face"], share["contour_bary"])
    return LandmarkEmbedding(
        load_template().mesh.faces,
        index["face"],
        share["bary"],
        index["ring_face"],
        share["ring_bary"],
        stored["sigma"].astype(np.float64),
        paths,
    )


def _shares(stored: np.ndarray) -> np.ndarray:
    """float32 as written, adding up to 1 in float64."""
    bary = stored.astype(np.float64)
    return bary / bary.sum(axis=-1, keepdims=True)
