"""The heads of `rigface bench photo`: real and simulated scans in true metres, upright, frontal.

Each scan is registered once by `fit_scan`. The registration turns the head to the front, marks the
iBUG-68 and the regions on the scan, lends colour to those without a texture, and the back of the
head to those that are masks. It never takes part in a score: errors are distances of the scan's
own surface. None of these heads enters the prior, the embedding or any threshold.
"""

import hashlib
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from rigface.bench.registration_data import BenchScan, named_scan, simulated_face
from rigface.errors import InputError
from rigface.export.files import write_atomic
from rigface.fit.scan import fit_scan
from rigface.geometry.mesh import Mesh
from rigface.geometry.similarity import Similarity
from rigface.metrics.closest import closest_on_mesh
from rigface.metrics.now import ScanFace, now_mask
from rigface.metrics.outer import REGIONS, outer_surface
from rigface.metrics.region import face_region
from rigface.rig.template import Template
from rigface.rig.template_io import load_template

HEADS = (
    "lee_perry_smith",
    "meshmonk_fullres",
    "meshmonk_10k",
    *(f"SIMPOP_{number:02d}" for number in range(1, 11)),
)
"""Every identity, each weighing the same."""
SCORED_REGIONS: dict[str, tuple[str, ...]] = {
    "nose": ("nose",),
    "mouth": ("lips",),
    "eyes and forehead": ("forehead", "brows", "eyes"),
    "cheeks": ("cheeks",),
}
"""By their names in REALY, of the template's regions."""
_SAMPLES = 14_000
"""Drawn on the scan near the face; some 10,000 lie in the mask and are seen from outside."""
_FORMAT = 1
"""Of the cached registrations; raise it when what is stored, or how it is made, changes."""


@dataclass(frozen=True)
class PhotoHead:
    """A head to be photographed. Metres, +Y up, +Z out of the face, origin between the eyes."""

    case: BenchScan
    mesh: Mesh
    """The scan itself, with its UV where it has a texture."""
    template: Float[np.ndarray, "verts 3"]
    """The template registered to it, all parts."""
    truth: ScanFace
    region: Int[np.ndarray, " points"]
    """Index into `metrics.outer.REGIONS` of each point of `truth`; beyond it: none of them."""

    @property
    def name(self) -> str:
        return self.case.name

    def points_of(self, region: str) -> Float[np.ndarray, "some 3"]:
        """The points of one of `SCORED_REGIONS`."""
        wanted = [REGIONS.index(name) for name in SCORED_REGIONS[region]]
        return self.truth.points[np.isin(self.region, wanted)]


def photo_head(name: str, data: Path, cache: Path | None = None) -> PhotoHead:
    """One of `HEADS`; `cache` keeps registrations between runs (default: the temporary folder).

    Raises InputError for an unknown name, missing data, or a scan that cannot be registered.
    """
    case = _case(name, data)
    template = load_template()
    fitted, scan_from_model = _registered(case, cache)
    # Only turned and shifted: the size stays the scan's own.
    scale = case.metres_per_unit
    model_from_metres = Similarity(
        1.0,
        scan_from_model.rotation.T,
        -(scan_from_model.rotation.T @ scan_from_model.translation) * scale,
    )
    vertices = model_from_metres.apply(case.scan.vertices * scale)
    skin = model_from_metres.apply(fitted * scale)
    assert case.scan.faces is not None
    mesh = Mesh(vertices, case.scan.faces, case.scan.uv, case.scan.uv_faces)
    truth = _truth(mesh, skin, template)
    outer = outer_surface(template)
    region = outer.region[closest_on_mesh(truth.points, skin, outer.faces).face]
    return PhotoHead(case, mesh, skin, truth, region)


def _case(name: str, data: Path) -> BenchScan:
    if name not in HEADS:
        raise InputError(f"unknown head {name!r}; available: {', '.join(HEADS)}.")
    if name.startswith("SIMPOP_"):
        return simulated_face(data, int(name.removeprefix("SIMPOP_")))
    return named_scan(name, data)


def _truth(mesh: Mesh, fitted: np.ndarray, template: Template) -> ScanFace:
    """Landmarks carried to the scan's nearest places, and points inside their mask."""
    marks = template.landmarks.positions(fitted, template.mesh.faces)
    landmarks = closest_on_mesh(marks, mesh.vertices, mesh.faces).point
    centre, radius = now_mask(landmarks)
    points = face_region(mesh, centre, radius, _SAMPLES).points
    return ScanFace(points, landmarks)


def _registered(case: BenchScan, cache: Path | None) -> tuple[np.ndarray, Similarity]:
    """All parts of the fitted template in the scan's frame and unit, and scan_from_model."""
    folder = Path(tempfile.gettempdir()) / "rigface-bench" if cache is None else cache
    file = folder / f"{case.name}-{_key(case)}.npz"
    if file.is_file():
        with np.load(file, allow_pickle=False) as stored:
            vertices, pose = stored["vertices"], stored["scan_from_model"]
    else:
        result = fit_scan(case.scan)
        vertices, pose = result.vertices_in_scan, result.scan_from_model.matrix()
        packed = io.BytesIO()
        np.savez(packed, vertices=vertices, scan_from_model=pose)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(file, packed.getvalue())
    scale = float(np.cbrt(np.linalg.det(pose[:3, :3])))
    return vertices, Similarity(scale, pose[:3, :3] / scale, pose[:3, 3])


def _key(case: BenchScan) -> str:
    """Of the scan's content."""
    assert case.scan.faces is not None
    digest = hashlib.sha256(str(_FORMAT).encode())
    for array in (case.scan.vertices, case.scan.faces):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
