"""Whether a fitted mesh is one that an artist would accept: folds, cuts, stretched triangles."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from rigface.geometry.intersections import folded_neighbours, intersections, self_intersections
from rigface.geometry.mesh import face_areas, face_normals, unique_edges
from rigface.geometry.similarity import align_points
from rigface.rig.template import Template

_CREASE_COSINE = -0.5


@dataclass(frozen=True)
class MeshQuality:
    """Counts and ratios of one posed surface against its rest shape."""

    triangles: int
    flipped: int
    self_intersections: int
    """Crossing pairs of triangles that share no vertex."""
    folded_neighbours: int
    """Crossing pairs of triangles that share one vertex."""
    sharp_creases: int
    """Edges whose two faces turn by more than 120 degrees against each other; not so at rest."""
    edge_stretch_p01: float
    """Edge lengths over those at rest, after removing the median ratio; first percentile."""
    edge_stretch_p99: float
    area_stretch_p01: float
    area_stretch_p99: float
    aspect_median: float
    """Longest edge over twice the inradius, times 1/sqrt(3): 1 for an equilateral triangle."""
    aspect_p99: float
    smallest_angle_p01: float
    """Degrees."""

    @property
    def flipped_share(self) -> float:
        """Flipped triangles over all triangles, 0 to 1."""
        return self.flipped / max(self.triangles, 1)


def mesh_quality(
    rest: Float[np.ndarray, "verts 3"],
    posed: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
) -> MeshQuality:
    """All measures for one set of faces, e.g. `OuterSurface.skin_faces`; any unit and frame."""
    edge = _edge_ratios(rest, posed, faces)
    area = _normalised(face_areas(posed, faces), face_areas(rest, faces))
    aspect, angle = triangle_shapes(posed, faces)
    return MeshQuality(
        triangles=len(faces),
        flipped=int(flipped_faces(rest, posed, faces).sum()),
        self_intersections=len(self_intersections(posed, faces)),
        folded_neighbours=len(folded_neighbours(posed, faces)),
        sharp_creases=sharp_creases(rest, posed, faces),
        edge_stretch_p01=float(np.percentile(edge, 1)),
        edge_stretch_p99=float(np.percentile(edge, 99)),
        area_stretch_p01=float(np.percentile(area, 1)),
        area_stretch_p99=float(np.percentile(area, 99)),
        aspect_median=float(np.median(aspect)),
        aspect_p99=float(np.percentile(aspect, 99)),
        smallest_angle_p01=float(np.percentile(angle, 1)),
    )


def flipped_faces(
    rest: Float[np.ndarray, "verts 3"],
    posed: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
) -> Bool[np.ndarray, " faces"]:
    """Faces whose normal makes more than 90 degrees with its rest normal.

    The global pose is removed first: the similarity that best carries the rest positions of the
    vertices in `faces` to their posed ones. A face that shrank to nothing counts as flipped.
    """
    used = np.unique(faces)
    rotation = align_points(rest[used], posed[used]).rotation
    at_rest = face_normals(rest, faces) @ rotation.T
    cosine = np.einsum("fd,fd->f", at_rest, face_normals(posed, faces))
    degenerate = face_areas(rest, faces) == 0
    return (cosine <= 0) & ~degenerate


def sharp_creases(
    rest: Float[np.ndarray, "verts 3"],
    posed: Float[np.ndarray, "verts 3"],
    faces: Int[np.ndarray, "faces 3"],
) -> int:
    """Inner edges folded by more than 120 degrees that were not at rest."""
    pairs = _edge_neighbours(faces)
    turned = [
        np.einsum("ed,ed->e", normals[pairs[:, 0]], normals[pairs[:, 1]]) < _CREASE_COSINE
        for normals in (face_normals(posed, faces), face_normals(rest, faces))
    ]
    return int((turned[0] & ~turned[1]).sum())


def triangle_shapes(
    vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]
) -> tuple[Float[np.ndarray, " faces"], Float[np.ndarray, " faces"]]:
    """Aspect ratio (1 for equilateral, infinite for degenerate) and smallest angle in degrees."""
    corners = vertices[faces]
    sides = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)
    area = face_areas(vertices, faces)
    inradius = 2 * area / np.maximum(sides.sum(axis=1), 1e-300)
    aspect = np.full(len(faces), np.inf)
    np.divide(sides.max(axis=1), inradius * 2 * np.sqrt(3), out=aspect, where=inradius > 0)
    ordered = np.sort(sides, axis=1)
    product = np.maximum(ordered[:, 1] * ordered[:, 2], 1e-300)
    angle = np.degrees(np.arcsin(np.clip(2 * area / product, 0, 1)))
    return aspect, angle


def part_intersections(
    template: Template, vertices: Float[np.ndarray, "verts 3"]
) -> dict[str, int]:
    """Crossing pairs between lids and eyeballs and between lips and teeth.

    Keys lid_eyeball and lip_teeth. Lids are the skin faces that touch the eye region or a lid
    rim, lips those that touch the lip region or the visible lip border; both include the first
    rows of faces that turn inwards. `vertices` are all of the template's, in any frame.
    """
    lids = skin_faces_touching(template, ("eyes", "lid_rim.L", "lid_rim.R"))
    lips = skin_faces_touching(template, ("lips", "lip_ring"))
    return {
        "lid_eyeball": _crossings(template, vertices, lids, ("eyeball.L", "eyeball.R")),
        "lip_teeth": _crossings(template, vertices, lips, ("teeth.upper", "teeth.lower")),
    }


def skin_faces_touching(template: Template, regions: tuple[str, ...]) -> Int[np.ndarray, "faces 3"]:
    """Skin faces with at least one corner in one of the named regions."""
    mask = np.any([template.regions[name] for name in regions], axis=0)
    faces = template.mesh.faces[template.parts["skin"].faces]
    return faces[mask[faces].any(axis=1)]


def _crossings(
    template: Template, vertices: np.ndarray, skin: np.ndarray, parts: tuple[str, ...]
) -> int:
    return sum(
        len(intersections(vertices, skin, vertices, template.mesh.faces[template.parts[p].faces]))
        for p in parts
    )


def _edge_ratios(rest: np.ndarray, posed: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b = unique_edges(faces).T
    return _normalised(
        np.linalg.norm(posed[a] - posed[b], axis=1), np.linalg.norm(rest[a] - rest[b], axis=1)
    )


def _normalised(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    ratio = now[before > 0] / before[before > 0]
    middle = np.median(ratio)
    return ratio / middle if middle > 0 else ratio


def _edge_neighbours(faces: np.ndarray) -> np.ndarray:
    """The two faces at each edge that has exactly two."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    owner = np.tile(np.arange(len(faces)), 3)
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    edges, owner = edges[order], owner[order]
    _, first, count = np.unique(edges, axis=0, return_index=True, return_counts=True)
    pairs = first[count == 2]
    return np.stack([owner[pairs], owner[pairs + 1]], axis=1)
