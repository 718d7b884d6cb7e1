"""A fit of a synthetic head, done once per test run with cheap settings."""

from functools import lru_cache

import numpy as np

from rigface.evidence.scan import Scan
from rigface.fit.registration import RegistrationSettings
from rigface.fit.result import ScanResult
from rigface.fit.scan import ScanConfig, fit_scan
from rigface.geometry.mesh import Mesh, submesh
from rigface.geometry.similarity import Similarity
from rigface.rig.template import Template
from rigface.rig.template_io import load_template


def synthetic_head(template: Template, seed: int = 1, spread: float = 0.8) -> np.ndarray:
    """All vertices of a head drawn from the template's shape space, metres."""
    modes = template.shape_modes
    amount = spread * np.random.default_rng(seed).standard_normal(len(modes))
    shape = np.tensordot(amount, np.asarray(modes, dtype=np.float64), axes=1)
    return template.mesh.vertices + template.shape_mean + shape


def synthetic_scan(template: Template, vertices: np.ndarray) -> Scan:
    """What a scanner sees of a head, in metres: outer skin and eyeballs."""
    faces = template.mesh.faces
    seen = template.regions["outer"][faces].all(axis=1)
    for side in "LR":
        seen[template.parts[f"eyeball.{side}"].faces] = True
    part, _ = submesh(Mesh(vertices, faces), seen)
    return Scan(part.vertices, part.faces)


@lru_cache(maxsize=1)
def fitted_head() -> ScanResult:
    """The fit; its start is known, so that the search for the face takes no part."""
    template = load_template()
    scan = synthetic_scan(template, synthetic_head(template))
    settings = RegistrationSettings(bone_steps=2, fine_steps=2)
    config = ScanConfig(unit="m", samples=3000, registration=settings)
    return fit_scan(scan, config, start=Similarity(1.0, np.eye(3), np.zeros(3)))
