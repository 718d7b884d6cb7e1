"""One scan, spoiled in the ways that scans are spoiled, and how to measure a fit to it.

Errors are always measured against the region of the clean scan: a variant says how to bring a fit
back into the clean frame and which points of the clean region it still shows.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from rigface.bench.registration_data import BenchScan
from rigface.errors import MissingExtraError
from rigface.evidence.scan import Scan
from rigface.metrics.region import FaceRegion
from rigface.report.decimate import decimate


@dataclass(frozen=True)
class Variant:
    """A changed scan, in the unit and frame it claims to have come in."""

    name: str
    scan: Scan
    linear: Float[np.ndarray, "3 3"]
    """Variant coordinates to those of the clean scan: rotation, scale, reflection."""
    kept_faces: Bool[np.ndarray, " clean_faces"] | None = None
    """Faces of the clean scan that are left; None: all."""

    def in_metres(
        self, points: Float[np.ndarray, "points 3"], case: BenchScan
    ) -> Float[np.ndarray, "points 3"]:
        """Points of a fit to this variant, in the frame of `case.region`."""
        return case.in_metres(points @ self.linear.T)

    def region(self, case: BenchScan) -> FaceRegion:
        """What of the clean region this variant still shows."""
        if self.kept_faces is None:
            return case.region
        assert case.region.face is not None
        return case.region.subset(self.kept_faces[case.region.face])


def all_variants(case: BenchScan, seed: int = 0) -> list[Variant]:
    """Every spoiled version of a mesh scan, in a fixed order."""
    upside_down = Rotation.from_euler("z", 180, degrees=True).as_matrix()
    away = Rotation.from_euler("y", 180, degrees=True).as_matrix()
    rotations = {"upside down": upside_down, "facing away": away}
    rotations |= {
        f"rotated {i}": Rotation.random(rng=np.random.default_rng([seed, i])).as_matrix()
        for i in (1, 2, 3)
    }
    units = {"mm": 0.001, "cm": 0.01, "m": 1.0, "inch": 0.0254}
    return [
        *(rotated(case, matrix, name) for name, matrix in rotations.items()),
        *(in_unit(case, name, metres) for name, metres in units.items()),
        flipped_winding(case),
        mirrored(case),
        decimated(case),
        noisy(case, seed=seed),
        cut(case, "left"),
        cut(case, "right"),
        with_outliers(case, seed=seed),
        with_floaters(case, seed=seed),
        bare_points(case),
    ]


def rotated(case: BenchScan, rotation: Float[np.ndarray, "3 3"], name: str) -> Variant:
    """Turned about the origin of its frame."""
    return Variant(name, _moved(case.scan, rotation), rotation.T)


def in_unit(case: BenchScan, name: str, metres_per_unit: float) -> Variant:
    """The same scan written in another unit."""
    factor = case.metres_per_unit / metres_per_unit
    return Variant(f"in {name}", _moved(case.scan, np.eye(3) * factor), np.eye(3) / factor)


def flipped_winding(case: BenchScan) -> Variant:
    """Every triangle turned inside out, and the stored normals with it."""
    scan = case.scan
    assert scan.faces is not None
    turned = replace(
        scan,
        faces=np.ascontiguousarray(scan.faces[:, ::-1]),
        uv_faces=None if scan.uv_faces is None else np.ascontiguousarray(scan.uv_faces[:, ::-1]),
        normals=None if scan.normals is None else -scan.normals,
    )
    return Variant("flipped winding", turned, np.eye(3))


def mirrored(case: BenchScan) -> Variant:
    """x -> -x with the winding left as it was, so the surface is inside out as well."""
    reflection = np.diag([-1.0, 1.0, 1.0])
    return Variant("mirrored", _moved(case.scan, reflection), reflection)


def decimated(case: BenchScan, share: float = 0.1) -> Variant:
    """`share` of the triangles left, by quadric error; needs the package `libigl`.

    It refuses meshes with edges of three faces; those lose their vertices by half-edge collapse.
    """
    try:
        import igl
    except ImportError as error:
        raise MissingExtraError(
            "decimating a scan needs libigl: pip install 'rigface[test]'"
        ) from error
    scan = case.scan
    assert scan.faces is not None
    target = max(4, int(share * len(scan.faces)))
    vertices, faces = igl.qslim(scan.vertices, scan.faces.astype(np.int64), target)[:2]
    if not len(faces):
        all_alike = np.ones(len(scan.vertices), dtype=bool)
        kept, faces = decimate(scan.vertices, scan.faces, all_alike, target)
        vertices = scan.vertices[kept]
    left = Scan(np.asarray(vertices, float), np.asarray(faces, np.int64), source=scan.source)
    return Variant(f"decimated to {100 * share:.0f} %", left, np.eye(3))


def noisy(case: BenchScan, sigma: float = 0.0003, seed: int = 0) -> Variant:
    """Independent Gaussian noise of `sigma` metres along each axis of each vertex."""
    noise = np.random.default_rng(seed).normal(size=case.scan.vertices.shape)
    moved = case.scan.vertices + noise * (sigma / case.metres_per_unit)
    scan = replace(case.scan, vertices=moved, normals=None)
    return Variant(f"{1000 * sigma:.1f} mm noise", scan, np.eye(3))


def cut(case: BenchScan, side: str) -> Variant:
    """Half of the face cut away at the plane through the nose tip: `side` (of x) is what goes."""
    scan = case.scan
    assert scan.faces is not None
    across = scan.vertices[:, 0] - case.nose_tip[0]
    kept = ((across if side == "right" else -across)[scan.faces] > 0).all(axis=1)
    used, flat = np.unique(scan.faces[kept], return_inverse=True)
    left = Scan(scan.vertices[used], flat.reshape(-1, 3), source=scan.source)
    return Variant(f"{side} half cut away", left, np.eye(3), kept)


def with_outliers(case: BenchScan, share: float = 0.2, seed: int = 0) -> Variant:
    """The vertices as points, and as many random ones that they make `share` of the whole."""
    count = int(round(len(case.scan.vertices) * share / (1 - share)))
    strays = _strays(case, count, seed)
    points = np.concatenate([case.scan.vertices, strays])
    order = np.random.default_rng(seed).permutation(len(points))
    return Variant(f"{100 * share:.0f} % outlier points", Scan(points[order]), np.eye(3))


def with_floaters(case: BenchScan, share: float = 0.2, seed: int = 0) -> Variant:
    """Small random triangles in the air (edges of some 3 mm), `share` of all triangles."""
    scan = case.scan
    assert scan.faces is not None
    count = int(round(len(scan.faces) * share / (1 - share)))
    rng = np.random.default_rng(seed)
    size = 0.003 / case.metres_per_unit
    corners = _strays(case, count, seed)[:, None] + rng.normal(size=(count, 3, 3)) * size / 2
    floating = np.arange(3 * count).reshape(-1, 3) + len(scan.vertices)
    spoiled = Scan(
        np.concatenate([scan.vertices, corners.reshape(-1, 3)]),
        np.concatenate([scan.faces, floating]),
    )
    return Variant(f"{100 * share:.0f} % floating triangles", spoiled, np.eye(3))


def bare_points(case: BenchScan) -> Variant:
    """The vertices without faces or normals."""
    return Variant("bare point cloud", Scan(case.scan.vertices), np.eye(3))


def _strays(case: BenchScan, count: int, seed: int) -> np.ndarray:
    low, high = case.scan.vertices.min(axis=0), case.scan.vertices.max(axis=0)
    return np.random.default_rng([seed, 1]).uniform(low, high, size=(count, 3))


def _moved(scan: Scan, linear: np.ndarray) -> Scan:
    normals = scan.normals
    if normals is not None:
        normals = normals @ linear.T / np.cbrt(np.abs(np.linalg.det(linear)))
    return replace(scan, vertices=scan.vertices @ linear.T, normals=normals)
