"""The cases of `rigface bench registration`: what is registered, and what it is measured against.

Every scan is handed over as it came, in its own unit and frame. The unit and nose tip that are
written here serve the metric only; no fit may read them.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from rigface.errors import InputError
from rigface.evidence.scan import Scan
from rigface.geometry.mesh import Mesh
from rigface.io.scan import load_scan
from rigface.metrics.region import FaceRegion, face_region

REGION_SAMPLES = 20_000
_NOSE_VERTEX = 3588
"""Nose tip in the topology of the simulated faces."""


@dataclass(frozen=True)
class BenchScan:
    """A scan and the clean surface that stands for the truth about it."""

    name: str
    scan: Scan
    """What the fit gets."""
    metres_per_unit: float
    nose_tip: Float[np.ndarray, "3"]
    """In the scan's unit and frame."""
    credit: str
    clean: Mesh = field(repr=False)
    """Metres, in the scan's frame."""
    outside: Bool[np.ndarray, " clean_faces"] | None = None
    """Clean faces that are known to be skin or eyeball; None: visibility alone decides."""

    @cached_property
    def region(self) -> FaceRegion:
        """The face region of the clean surface, metres."""
        nose_tip = self.nose_tip * self.metres_per_unit
        return face_region(self.clean, nose_tip, samples=REGION_SAMPLES, candidates=self.outside)

    def in_metres(self, points: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 3"]:
        """From the scan's unit to that of `region`."""
        return points * self.metres_per_unit


def data_dir(path: Path | None = None) -> Path:
    """The folder of public scans: `path`, else RIGFACE_DATA, else ../shared/data of a checkout.

    Raises InputError if it is not there.
    """
    checkout = Path(__file__).parents[3]
    chosen = path or Path(os.environ.get("RIGFACE_DATA", checkout.parent / "shared" / "data"))
    if not chosen.is_dir():
        raise InputError(
            f"no scan data at {chosen}; name the folder that holds 'scans' and 'ict_facekit' with "
            "--data or the environment variable RIGFACE_DATA."
        )
    return chosen


def lee_perry_smith(data: Path) -> BenchScan:
    """Photogrammetry head with a modelled mouth bag and eye pockets; eyes closed."""
    scan = load_scan(data / "scans" / "lee_perry_smith" / "LeePerrySmith.glb")
    nose = np.array([-0.0878, 1.0975, 2.5904])
    credit = "Lee Perry-Smith, Infinite-Realities, CC-BY 3.0"
    return _as_it_is("lee_perry_smith", scan, 0.047812, nose, credit)


def meshmonk_fullres(data: Path) -> BenchScan:
    """Real cleaned scan of a face without the back of the head."""
    scan = load_scan(data / "scans" / "meshmonk" / "demoFace_fullres_from_history.obj")
    nose = np.array([1.2, 59.3, 214.1])
    return _as_it_is("meshmonk_fullres", scan, 0.001, nose, "MeshMonk, Apache-2.0")


def meshmonk_10k(data: Path) -> BenchScan:
    """Raw scan with hair and shirt, 10,000 vertices."""
    scan = load_scan(data / "scans" / "meshmonk" / "DemoFace_10K.obj")
    nose = np.array([13.5, 27.6, 120.0])
    return _as_it_is("meshmonk_10k", scan, 0.001, nose, "MeshMonk, Apache-2.0")


def simulated_face(data: Path, number: int) -> BenchScan:
    """One of the 30 simulated faces (1 to 30), all in one topology."""
    name = f"SIMPOP_{number:02d}"
    scan = load_scan(data / "scans" / "meshmonk" / "simulated_faces" / f"{name}.obj")
    return _as_it_is(name, scan, 0.001, scan.vertices[_NOSE_VERTEX], "MeshMonk, Apache-2.0")


def simulated_pairs(
    data: Path, count: int = 10, seed: int = 0
) -> list[tuple[BenchScan, BenchScan]]:
    """Pairs of different simulated faces; no face is used twice (at most 15 pairs)."""
    if not 1 <= count <= 15:
        raise ValueError(f"count={count}; 30 faces make 1 to 15 pairs")
    order = np.random.default_rng(seed).permutation(30) + 1
    return [
        (simulated_face(data, int(order[2 * i])), simulated_face(data, int(order[2 * i + 1])))
        for i in range(count)
    ]


def named_scan(name: str, data: Path) -> BenchScan:
    """A real scan by its name in the tables; raises InputError for an unknown one."""
    known: dict[str, Callable[[Path], BenchScan]] = {
        "lee_perry_smith": lee_perry_smith,
        "meshmonk_fullres": meshmonk_fullres,
        "meshmonk_10k": meshmonk_10k,
    }
    if name not in known:
        raise InputError(f"unknown scan {name!r}; available: {', '.join(known)}.")
    return known[name](data)


def _as_it_is(
    name: str, scan: Scan, metres_per_unit: float, nose_tip: np.ndarray, credit: str
) -> BenchScan:
    assert scan.faces is not None
    clean = Mesh(scan.vertices * metres_per_unit, scan.faces)
    return BenchScan(name, scan, metres_per_unit, np.asarray(nose_tip, float), credit, clean)
