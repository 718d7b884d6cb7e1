"""What of a scan is surface at all: strays are left out before anything looks at it."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from rigface.evidence.scan import Scan
from rigface.geometry.mesh import Mesh, face_areas, submesh
from rigface.geometry.winding import consistent_winding

_SPECK = 2e-4
"""A connected piece with less than this share of the area (some 0.2 cm^2 of a bust) is a stray."""
_FLAT, _THICK = 0.05, 0.2
"""Least over middle variance of the neighbours of a point: a surface, a volume."""
_FEWEST = 200
_SUSPECTS = 0.01
"""Share of strays up to which a cloud is left as it is: clean ones show up to 0.5 %, and so few do
not spoil a robust fit."""


@dataclass(frozen=True)
class CleanScan:
    """A scan without strays, in the unit and frame it came in."""

    scan: Scan
    kept: Bool[np.ndarray, " verts"]
    """Vertices of the original that are left."""


def clean(scan: Scan) -> CleanScan:
    """Drop lone points, or triangles that hang on nothing, and let neighbours wind alike.

    Looks at the scan alone. What was done is added to its notes.
    """
    if scan.faces is None:
        return _clean_points(scan)
    faces, turned = consistent_winding(scan.faces)
    notes = [f"turned {turned:,} faces round that ran against their neighbours"] if turned else []
    good = ~_specks(scan.vertices, faces)
    if not good.all():
        lost = int((~good).sum())
        notes.append(f"left out {lost:,} stray triangles ({lost / len(good):.1%})")
    part, ids = submesh(Mesh(scan.vertices, faces), good)
    kept = np.zeros(len(scan.vertices), dtype=bool)
    kept[ids] = True
    left = replace(
        scan,
        vertices=part.vertices,
        faces=part.faces,
        normals=None,
        uv=None,
        uv_faces=None,
        colors=None,
        notes=(*scan.notes, *notes),
    )
    return CleanScan(left, kept)


def _clean_points(scan: Scan) -> CleanScan:
    if len(scan.vertices) < _FEWEST:
        return CleanScan(scan, np.ones(len(scan.vertices), dtype=bool))
    stray = strays(scan.vertices)
    if stray.mean() < _SUSPECTS:
        return CleanScan(scan, np.ones(len(stray), dtype=bool))
    note = f"left out {int(stray.sum()):,} stray points ({stray.mean():.1%})"
    left = replace(
        scan,
        vertices=scan.vertices[~stray],
        normals=None,
        colors=None,
        notes=(*scan.notes, note),
    )
    return CleanScan(left, ~stray)


def strays(
    points: Float[np.ndarray, "points 3"], neighbours: int = 12
) -> Bool[np.ndarray, " points"]:
    """Points that no surface runs through: they lie beside the plane of their neighbours, or these
    fill a volume and are farther away than is usual in flat places, the sparse ones included.

    The second pass sees what the strays of the first had hidden.
    """
    stray = np.zeros(len(points), dtype=bool)
    for _ in range(2):
        left = np.flatnonzero(~stray)
        cloud = points[left]
        distance, near = cKDTree(cloud).query(cloud, k=min(neighbours + 1, len(cloud)))
        reach = distance[:, 1:].mean(axis=1)
        around = cloud[near[:, 1:]]
        middle = around.mean(axis=1, keepdims=True)
        around = around - middle
        spread, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", around, around))
        beside = np.abs(((cloud - middle[:, 0]) * axes[:, :, 0]).sum(axis=1))
        flatness = spread[:, 0] / np.maximum(spread[:, 1], 1e-300)
        usual = np.median(reach)
        flat = np.append(reach[flatness < _FLAT], usual)
        far = 1.5 * max(float(np.percentile(flat, 95)), 1.5 * usual)
        off = (beside > 0.5 * reach) & (reach > 1.2 * usual)
        stray[left] = off | ((flatness > _THICK) & (reach > far))
    return stray


def _specks(vertices: np.ndarray, faces: np.ndarray) -> Bool[np.ndarray, " faces"]:
    """Faces of pieces too small to be told from noise; none where all of the mesh is like that."""
    piece = pieces(faces)
    areas = face_areas(vertices, faces)
    total = np.bincount(piece, areas)
    specks = (total < _SPECK * areas.sum())[piece]
    return specks if areas[specks].sum() < 0.5 * areas.sum() else np.zeros(len(faces), dtype=bool)


def pieces(faces: Int[np.ndarray, "faces 3"]) -> Int[np.ndarray, " faces"]:
    """The number of the connected piece that each face belongs to; pieces meet at vertices."""
    count = int(faces.max(initial=-1)) + 1
    ends = (np.concatenate([faces[:, 0], faces[:, 1]]), np.concatenate([faces[:, 1], faces[:, 2]]))
    graph = sp.coo_matrix((np.ones(len(ends[0])), ends), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    _, numbered = np.unique(label[faces[:, 0]], return_inverse=True)
    return numbered.reshape(-1)
