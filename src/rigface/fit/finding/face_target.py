"""What the finder knows of a face: the front of the template as points, patches and a tree."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from rigface.fit.finding.evidence import FaceVolume, face_volume
from rigface.fit.finding.patches import ANGLES, CELLS, RINGS, Patches, polar_patches, relief_of
from rigface.fit.finding.prepare import one_per_voxel
from rigface.geometry.mesh import sample_surface, vertex_normals
from rigface.rig.template import Template

_KEY_SPACING = 0.012
_KEYS = 48
SHAPES = 12
_RIM = 0.008
_SMOOTH = 0.022
_PIECE = 0.006


@dataclass(frozen=True)
class FaceTarget:
    """The template's front face; metres, template frame."""

    points: Float[np.ndarray, "points 3"]
    """Dense, even; with outward normals."""
    normals: Float[np.ndarray, "points 3"]
    value: Float[np.ndarray, " points"]
    """How telling a point is: how much its normal departs from the smoothed face; mean 1."""
    smooth_normals: Float[np.ndarray, "points 3"]
    """Normals of the smoothed face."""
    inner: Float[np.ndarray, " points"]
    """1 well inside the face region, 0 near its rim."""
    bending: Float[np.ndarray, "points 3 3"]
    """Change of the normal per metre of motion along the surface."""
    piece: Int[np.ndarray, " points"]
    """Number of the small piece of the face that the point belongs to."""
    shapes: Float[np.ndarray, "shapes points 3"]
    """How heads differ: offsets of one standard deviation each."""
    nose_tip: Float[np.ndarray, "3"]
    volume: FaceVolume
    keys: Patches
    """Patches with enough relief to be recognised by."""
    turned: Float[np.ndarray, "keys_turns cells"]
    """Heights of every key at every turn, millimetres (float32)."""


_known: dict[int, tuple[Template, FaceTarget]] = {}


def face_target(template: Template) -> FaceTarget:
    """The target of a template; built once, kept for the last one asked for."""
    if id(template) not in _known:
        _known.clear()
        _known[id(template)] = template, _build(template)
    return _known[id(template)][1]


def _build(template: Template) -> FaceTarget:
    """From the template's `face` region and the eyeballs that show in it."""
    vertices, faces = template.mesh.vertices, template.mesh.faces
    face_region = template.regions["face"]
    front = np.concatenate([faces[face_region[faces].all(1)], _shown_eyes(template)])
    points, of = sample_surface(vertices, front, 60_000, seed=0)
    corners = _barycentric(points, vertices[front[of]])
    dense = one_per_voxel(points, 0.002)
    points, corners, triangle = points[dense], corners[dense], front[of[dense]]
    normals = np.einsum("pc,pcd->pd", corners, vertex_normals(vertices, front)[triangle])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    shapes = _pure_shapes(
        points, np.einsum("pc,spcd->spd", corners, template.shape_modes[:, triangle])
    )
    rim = vertices[template.regions["outer"] & ~face_region]
    inner = (cKDTree(rim).query(points)[0] > _RIM).astype(float)
    smooth = _smoothed(points, normals)
    value = 0.1 + np.linalg.norm(np.cross(normals, smooth), axis=1)
    value /= value.mean()
    keys = _keys(template, points, normals)
    nose = points[template.regions["nose"][triangle].any(1)]
    return FaceTarget(
        points,
        normals,
        value,
        smooth,
        inner,
        _bending(points, normals),
        _pieces(points),
        shapes,
        nose[nose[:, 2].argmax()],
        face_volume(points, normals, value, inner),
        keys,
        _all_turns(keys),
    )


def _bending(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Least-squares gradient of the normal field over the tangent plane, per point."""
    _, near = cKDTree(points).query(points, k=25)
    d = points[near] - points[:, None]
    d -= (d * normals[:, None]).sum(-1, keepdims=True) * normals[:, None]
    spread = np.einsum("pki,pkj->pij", d, d) + 1e-6 * np.eye(3)
    change = np.einsum("pki,pkj->pij", normals[near] - normals[:, None], d)
    return change @ np.linalg.inv(spread)


def _pieces(points: np.ndarray) -> np.ndarray:
    cell = np.floor((points - points.min(0)) / _PIECE).astype(int)
    return np.unique((cell[:, 0] * 1000 + cell[:, 1]) * 1000 + cell[:, 2], return_inverse=True)[1]


def _pure_shapes(points: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """The leading shapes of the face alone, without what a similarity can do as well."""
    centred = points - points.mean(0)
    turns = [np.cross(axis, centred) for axis in np.eye(3)]
    shifts = [np.broadcast_to(axis, centred.shape) for axis in np.eye(3)]
    motions = np.stack([*turns, *shifts, centred]).reshape(7, -1)
    basis = np.linalg.qr(motions.T)[0]
    flat = shapes.reshape(len(shapes), -1)
    flat = flat - (flat @ basis) @ basis.T
    values, axes = np.linalg.eigh(flat @ flat.T)
    leading = axes[:, np.argsort(-values)[:SHAPES]]
    return (leading.T @ flat).reshape(-1, *points.shape)


def _shown_eyes(template: Template) -> np.ndarray:
    """Faces of the eyeballs between the open lids."""
    vertices, shown = template.mesh.vertices, []
    for side, ball in template.eyeballs.items():
        faces = template.mesh.faces[template.parts[f"eyeball.{side}"].faces]
        outward = vertices[faces].mean(1) - ball.centre
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        shown.append(faces[outward @ ball.gaze > 0.85])
    return np.concatenate(shown)


def _barycentric(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    edges = np.stack([triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]], 1)
    gram = np.einsum("nic,njc->nij", edges, edges)
    right = np.einsum("nic,nc->ni", edges, points - triangles[:, 0])
    second = np.linalg.solve(gram, right[:, :, None])[:, :, 0]
    return np.concatenate([1 - second.sum(1, keepdims=True), second], 1)


def _keys(template: Template, points: np.ndarray, normals: np.ndarray) -> Patches:
    """Patches all over the face, of the whole head, those with the most relief."""
    skin = template.mesh.faces[template.parts["skin"].faces]
    around, _ = sample_surface(template.mesh.vertices, skin, 120_000, seed=0)
    spread = one_per_voxel(points, _KEY_SPACING)
    here, there = polar_patches(around[one_per_voxel(around, 0.004)], points[spread])
    outward = (here.frames[:, :, 2] * normals[spread]).sum(1) > 0
    both = [here[outward], there[~outward]]
    patches = Patches(
        *(np.concatenate(each) for each in zip(*map(Patches.arrays, both), strict=True))
    )
    worth = relief_of(patches).size * (patches.seen.mean(1) > 0.7)
    best = np.argsort(-worth, kind="stable")[:_KEYS]
    return _filled(patches[np.sort(best)])


def _smoothed(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    some = points[one_per_voxel(points, 0.006)]
    apart = cKDTree(some).sparse_distance_matrix(
        cKDTree(points[::4]), 3 * _SMOOTH, output_type="ndarray"
    )
    weight = np.exp(-0.5 * (apart["v"] / _SMOOTH) ** 2)
    near = normals[::4][apart["j"]] * weight[:, None]
    smooth = np.stack([np.bincount(apart["i"], near[:, a], len(some)) for a in range(3)], 1)
    smooth /= np.linalg.norm(smooth, axis=1, keepdims=True)
    distance, nearest = cKDTree(some).query(points, k=4)
    blend = 1 / (distance + 1e-3)
    smooth = (smooth[nearest] * blend[:, :, None]).sum(1)
    return smooth / np.linalg.norm(smooth, axis=1, keepdims=True)


def _all_turns(keys: Patches) -> np.ndarray:
    height = (keys.height * 1e3).astype(np.float32).reshape(-1, RINGS, ANGLES)
    rolls = [np.roll(height, turn, axis=2).reshape(-1, CELLS) for turn in range(ANGLES)]
    return np.stack(rolls, 1).reshape(-1, CELLS)


def _filled(patches: Patches) -> Patches:
    """Unseen cells take the height of the nearest seen cell of their ring (else of the patch)."""
    height = patches.height.reshape(-1, RINGS, ANGLES).copy()
    seen = patches.seen.reshape(-1, RINGS, ANGLES)
    for key in range(len(height)):
        for ring in range(RINGS):
            have = np.flatnonzero(seen[key, ring])
            source = height[key, ring, have]
            if not len(have):
                height[key, ring] = height[key, ring - 1]
                continue
            apart = np.abs(np.arange(ANGLES)[:, None] - have)
            height[key, ring] = source[np.minimum(apart, ANGLES - apart).argmin(1)]
    filled = height.reshape(-1, CELLS)
    return Patches(patches.centres, patches.frames, filled, np.ones(filled.shape, bool))
