"""Any scan becomes a cloud of points spread evenly over its surface, without gross outliers."""

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from rigface.errors import InputError
from rigface.evidence.scan import Scan
from rigface.geometry.normals import calm_normals, plane_normals, unit

_NEIGHBOURS = 12
_FEWEST_POINTS = 200


def prepare_points(
    scan: Scan, count: int = 20_000, seed: int = 0
) -> tuple[
    Float[np.ndarray, "points 3"], Float[np.ndarray, "points 3"], Float[np.ndarray, " points"]
]:
    """Points, unit normals (sign unknown) and area weights (mean 1), in the scan's unit and frame.

    Meshes are sampled uniformly by area after triangles that hang on displaced vertices are
    dropped; point clouds are thinned to an even spacing and get normals of local planes. Isolated
    points are dropped from both. Raises InputError when too little is left.
    """
    if scan.faces is not None and len(scan.faces):
        cloud, cloud_normals = _sample_mesh(scan.vertices, _sound_faces(scan), count, seed)
    else:
        cloud = np.unique(scan.vertices[np.isfinite(scan.vertices).all(1)], axis=0)
        cloud_normals = None
    chosen = thin(cloud, count, seed)
    if len(chosen) >= _FEWEST_POINTS:
        chosen = chosen[~isolated(cloud[chosen])]
    if len(chosen) < _FEWEST_POINTS:
        raise InputError(
            f"{len(chosen)} usable surface points after dropping isolated ones, but a face "
            f"needs at least {_FEWEST_POINTS}; give a denser scan"
        )
    points = cloud[chosen]
    if cloud_normals is None:
        return points, plane_normals(points), _area_weights(points)
    return points, cloud_normals[chosen], _area_weights(points)


def scan_size(points: Float[np.ndarray, "points 3"]) -> float:
    """Robust diameter, in the unit of the points."""
    distance = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    return 2.0 * float(np.percentile(distance, 95))


def isolated(points: Float[np.ndarray, "points 3"]) -> np.ndarray:
    """Points whose surroundings are far emptier than those of a surface point (bool mask).

    A surface may be sampled unevenly, so a point is judged against its own neighbours
    (local outlier factor) and, only for the very far ones, against the whole cloud.
    """
    tree = cKDTree(points)
    count = min(_NEIGHBOURS, len(points) - 1)
    distance, neighbour = tree.query(points, k=count + 1)
    reach = distance[:, 1:].mean(1)
    typical = np.median(reach) + 1e-12 * np.ptp(points)
    around = np.median(reach[neighbour[:, 1:]], axis=1) + 1e-9 * typical
    lonely = (reach > 2.2 * around) & (reach > 1.5 * typical)
    # Volume noise is not flat: the smallest spread of its neighbourhoods is large.
    near = points[neighbour]
    near = near - near.mean(1, keepdims=True)
    spread = np.linalg.eigvalsh(np.einsum("nki,nkj->nij", near, near))
    thick = spread[:, 0] > 0.12 * spread[:, 1]
    return lonely | (thick & (reach > 1.8 * typical)) | (reach > 12 * typical)


def thin(points: Float[np.ndarray, "points 3"], count: int, seed: int) -> np.ndarray:
    """Indices of about `count` points with even spacing (one per voxel)."""
    if len(points) <= count:
        return np.arange(len(points))
    order = np.random.default_rng(seed).permutation(len(points))
    low, high = 0.0, float(np.ptp(points, axis=0).max())
    chosen = order
    for _ in range(12):
        size = 0.5 * (low + high)
        chosen = order[one_per_voxel(points[order], size)]
        if len(chosen) > 1.05 * count:
            low = size
        elif len(chosen) < 0.95 * count:
            high = size
        else:
            break
    return np.sort(chosen[: int(1.1 * count)])


def one_per_voxel(points: Float[np.ndarray, "points 3"], size: float) -> np.ndarray:
    """Index of the first point in every occupied cube of the given edge length."""
    cell = np.floor((points - points.min(0)) / size).astype(np.int64)
    extent = cell.max(0) + 1
    key = (cell[:, 0] * extent[1] + cell[:, 1]) * extent[2] + cell[:, 2]
    return np.unique(key, return_index=True)[1]


def _sound_faces(scan: Scan) -> np.ndarray:
    """Faces without vertices that stick out.

    A displaced vertex is one whose edges reach across a good part of the scan and are much
    longer than the shortest edge at their other end; when there are many, the vertices are also
    judged as a cloud. (Thrifty meshes have long edges too, but few such vertices.)
    """
    assert scan.faces is not None
    vertices, faces = scan.vertices, scan.faces
    faces = faces[np.all(np.isfinite(vertices), axis=1)[faces].all(1)]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    both, both_length = np.concatenate([edges, edges[:, ::-1]]), np.concatenate([length, length])
    shortest = np.full(len(vertices), np.inf)
    np.minimum.at(shortest, both[:, 0], both_length)
    far = 0.1 * scan_size(vertices[faces.reshape(-1)])
    needle = (both_length > 8 * shortest[both[:, 1]]) & (both_length > far)
    degree = np.bincount(both[:, 0], minlength=len(vertices))
    needles = np.bincount(both[:, 0], weights=needle, minlength=len(vertices))
    displaced = needles > 0.5 * np.maximum(degree, 1)
    damaged = bool(displaced.sum() > 0.02 * (degree > 0).sum())
    if damaged:
        used = np.flatnonzero(degree)
        displaced[used[isolated(vertices[used])]] = True
    longest = length.reshape(3, -1).max(0)
    sound = ~displaced[faces].any(1) & (longest < 25 * np.median(length))
    return faces[sound] if sound.sum() >= 0.1 * len(faces) else faces


def _sample_mesh(
    vertices: np.ndarray, faces: np.ndarray, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Area-uniform points (systematic, so more even than independent draws) and face normals,
    those of a noisy mesh averaged."""
    a, b, c = (vertices[faces[:, corner]].astype(np.float64) for corner in range(3))
    cross = np.cross(b - a, c - a)
    area = np.linalg.norm(cross, axis=1)
    total = np.cumsum(area)
    if not len(faces) or not total[-1] > 0:
        raise InputError("the mesh has no triangle with an area; give a mesh with a surface")
    rng = np.random.default_rng(seed)
    face = np.searchsorted(total, (np.arange(count) + rng.random(count)) / count * total[-1])
    face = np.minimum(face, len(faces) - 1)
    root, second = np.sqrt(rng.random(count))[:, None], rng.random(count)[:, None]
    points = a[face] * (1 - root) + b[face] * root * (1 - second) + c[face] * root * second
    smooth, passes = calm_normals(vertices, faces)
    return points, unit(smooth[faces[face]].sum(axis=1) if passes else cross[face])


def _area_weights(points: np.ndarray) -> np.ndarray:
    """Area that each point stands for, from the distance to its neighbours; mean 1."""
    distance, _ = cKDTree(points).query(points, k=min(7, len(points)))
    area = distance[:, -1] ** 2
    area = np.minimum(area, 4 * np.median(area))
    return area / area.mean()
