"""Other people's registration beside ours: same template, same scan, same start, same metric.

Every peer gets the outer skin of the template, already aligned to the scan by the same similarity
that our own fit starts from, and the part of the scan that can be seen from outside near the face
(a favour: mouth bags and hair further away cannot lead it astray). It gives back the vertices.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.csgraph import connected_components

from rigface.errors import MissingExtraError
from rigface.geometry.mesh import Mesh, face_normals, submesh, vertex_normals
from rigface.geometry.similarity import Similarity, align_points
from rigface.geometry.visibility import seen_from_outside
from rigface.metrics.closest import closest_on_mesh
from rigface.metrics.distance import ErrorSamples, scan_to_mesh
from rigface.metrics.mesh_quality import MeshQuality, mesh_quality
from rigface.metrics.outer import label_surface
from rigface.metrics.region import FaceRegion

TARGET_RADIUS = 0.14
"""Metres of scan around the nose tip that a peer gets; the face region ends at 0.095."""
_MM = 1000.0

_ANNEALING = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002)
AMBERG_SCHEDULES: dict[str, Sequence[Sequence[float]] | None] = {
    "defaults": None,
    "annealed": [[stiffness, 0, 0.5, 5] for stiffness in _ANNEALING[:7]],
    "long": [[stiffness, 0, 0.5, 5] for stiffness in _ANNEALING],
    "soft": [[0.02, 0, 0.5, 10], [0.005, 0, 0.5, 10], [0.001, 0, 0, 10], [0.0002, 0, 0, 10]],
}
"""Stiffness, landmark weight, normal weight and iterations of each step; None: trimesh's own."""


@dataclass(frozen=True)
class PeerFit:
    """What a peer made of the start mesh."""

    name: str
    vertices: Float[np.ndarray, "verts 3"]
    """Metres, in the scan's frame, in the order of the start mesh."""
    seconds: float
    """Wall clock of the registration call alone."""
    cpu_seconds: float
    variables: int
    note: str


def peer_start(
    vertices: Float[np.ndarray, "verts 3"], outer_faces: Int[np.ndarray, "faces 3"]
) -> Mesh:
    """The largest connected piece of the outer skin of a template, aligned to the scan, metres.

    nricp_amberg solves one system for all pieces and stops as singular if one of them finds no
    partner, hence a single piece.
    """
    skin, _ = submesh(Mesh(vertices, outer_faces), np.ones(len(outer_faces), dtype=bool))
    count = len(skin.vertices)
    corners = skin.faces[:, :2].ravel(), skin.faces[:, 1:].ravel()
    graph = sp.coo_matrix((np.ones(len(corners[0])), corners), shape=(count, count))
    _, piece = connected_components(graph, directed=False)
    largest = np.bincount(piece[skin.faces[:, 0]]).argmax()
    return submesh(skin, piece[skin.faces[:, 0]] == largest)[0]


def peer_target(scan: Mesh, nose_tip: Float[np.ndarray, "3"]) -> Mesh:
    """The faces of a scan (metres) near the nose tip whose centroids are seen from outside."""
    centroids = scan.vertices[scan.faces].mean(axis=1)
    near = np.flatnonzero(np.linalg.norm(centroids - nose_tip, axis=1) < TARGET_RADIUS)
    normals = face_normals(scan.vertices, scan.faces)
    seen = seen_from_outside(scan, centroids[near], normals[near])
    return submesh(Mesh(scan.vertices, scan.faces), near[seen])[0]


def amberg(start: Mesh, target: Mesh, schedule: str = "defaults") -> PeerFit:
    """Amberg et al. 2007 as in `trimesh.registration.nricp_amberg`; twelve unknowns per vertex.

    `schedule` is a key of `AMBERG_SCHEDULES`. No landmarks are given, so their weight is void.
    """
    import trimesh
    from trimesh.registration import nricp_amberg

    source = trimesh.Trimesh(start.vertices, start.faces, process=False)
    scan = trimesh.Trimesh(target.vertices, target.faces, process=False)
    steps = AMBERG_SCHEDULES[schedule]
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        moved = nricp_amberg(source, scan, steps=steps)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"nricp_amberg of trimesh needs {error.name}: pip install 'rigface[bench]'"
        ) from error
    return PeerFit(
        f"nricp_amberg ({schedule})",
        np.asarray(moved, dtype=np.float64),
        time.perf_counter() - wall,
        time.process_time() - cpu,
        12 * len(start.vertices),
        "trimesh's own steps" if steps is None else f"steps {list(map(list, steps))}",
    )


def meshmonk(start: Mesh, target: Mesh) -> PeerFit:
    """`meshmonk.pyramid_register` with its defaults, in millimetres as its examples are.

    Raises MissingExtraError if the package is not installed.
    """
    try:
        import meshmonk as package  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtraError(
            "the peer meshmonk is not installed: pip install 'rigface[bench]'"
        ) from error
    package.set_log_level("error")
    arrays = {}
    for name, mesh in (("floating", start), ("target", target)):
        normals = vertex_normals(mesh.vertices, mesh.faces)
        arrays[f"{name}_features"] = np.hstack([mesh.vertices * _MM, normals]).astype(np.float32)
        arrays[f"{name}_faces"] = mesh.faces.astype(np.int32)
        arrays[f"{name}_flags"] = np.ones(len(mesh.vertices), dtype=np.float32)
    wall, cpu = time.perf_counter(), time.process_time()
    found = package.pyramid_register(**arrays)
    return PeerFit(
        "meshmonk",
        np.asarray(found.aligned_vertices, dtype=np.float64) / _MM,
        time.perf_counter() - wall,
        time.process_time() - cpu,
        3 * len(start.vertices),
        "pyramid_register, defaults",
    )


def icp(start: Mesh, target: Mesh, steps: int = 50, trim: float = 0.9) -> PeerFit:
    """Plain similarity ICP from the aligned start: the baseline of the correspondence error.

    Point to point, both surfaces dense; in each step the closest `trim` of the pairs count.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    pose = Similarity.identity()
    for _ in range(steps):
        moved = pose.apply(start.vertices)
        found = closest_on_mesh(target.vertices, moved, start.faces)
        kept = found.distance <= np.quantile(found.distance, trim)
        at_start = np.einsum("nc,ncd->nd", found.bary, start.vertices[start.faces[found.face]])
        pose = align_points(at_start[kept], target.vertices[kept])
    return PeerFit(
        "ICP",
        pose.apply(start.vertices),
        time.perf_counter() - wall,
        time.process_time() - cpu,
        7,
        f"similarity, {steps} steps, closest {100 * trim:.0f} %",
    )


PEERS: dict[str, Callable[[Mesh, Mesh], PeerFit]] = {
    **{f"nricp_amberg {name}": partial(amberg, schedule=name) for name in AMBERG_SCHEDULES},
    "meshmonk": meshmonk,
}
"""The peers of the tables. Of the three schedules of nricp_amberg the best one counts."""


def run_peer(name: str, start: Mesh, target: Mesh) -> PeerFit | str:
    """The fit of a peer of `PEERS`, or why there is none: not installed, or failed."""
    try:
        fit = PEERS[name](start, target)
    except MissingExtraError as error:
        return f"{name} was not run: {error}"
    except (RuntimeError, ValueError, np.linalg.LinAlgError) as error:
        return f"{name} failed: {error}"
    if not np.isfinite(fit.vertices).all():
        return f"{name} failed: it returned vertices that are not finite"
    return fit


def measure_peer(fit: PeerFit, start: Mesh, region: FaceRegion) -> tuple[ErrorSamples, MeshQuality]:
    """A peer's error over the face region and the soundness of its mesh, as for our own fits.

    A peer has no eyeballs, so its skin alone is measured. Its triangles count within the radius of
    the region only: what it does at the border of the scan further back is not held against it.
    """
    surface = label_surface(start.faces, np.zeros((0, 3), dtype=np.int64))
    errors = scan_to_mesh(region, surface, fit.vertices)
    near = np.linalg.norm(fit.vertices - region.nose_tip, axis=1) <= region.radius
    faces = start.faces[near[start.faces].all(axis=1)]
    return errors, mesh_quality(start.vertices, fit.vertices, faces)
