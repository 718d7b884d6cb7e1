"""Heads that are known exactly, scanned and fitted with a short schedule: once per process."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from rigface.evidence.scan import Scan
from rigface.fit.registration_settings import RegistrationSettings
from rigface.fit.result import ScanResult
from rigface.fit.scan import ScanConfig, fit_scan
from rigface.geometry.mesh import Mesh, submesh
from rigface.geometry.similarity import Similarity
from rigface.rig.subdivision import subdivide
from rigface.rig.template_io import load_template

SHORT = RegistrationSettings(fine_steps=1, bone_steps=1)


@dataclass(frozen=True)
class Truth:
    """A head of the embedded population and the scan of it."""

    vertices: np.ndarray
    """All parts in the template's topology; metres, template frame."""
    scan: Scan
    scan_from_model: Similarity


def random_head(seed: int, sigma: float = 0.7) -> np.ndarray:
    """All parts of somebody who does not exist."""
    template = load_template()
    amounts = sigma * np.random.default_rng(seed).standard_normal(len(template.shape_modes))
    shape = template.shape_mean + np.tensordot(amounts, template.shape_modes, axes=1)
    return template.mesh.vertices + shape


def scan_of(vertices: np.ndarray) -> tuple[Scan, Similarity]:
    """The outer skin, one level finer, turned a little, in millimetres; and scan_from_model."""
    template = load_template()
    skin = template.parts["skin"]
    operator, fine = subdivide(template.mesh.faces[skin.faces], 1, skin.vertices.stop)
    outer = operator @ template.regions["outer"][skin.vertices].astype(float) > 0.999
    part, _ = submesh(
        Mesh(operator @ vertices[skin.vertices], fine), np.flatnonzero(outer[fine].all(axis=1))
    )
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    scan_from_model = Similarity(1000.0, turn, np.array([30.0, -5.0, 800.0]))
    return Scan(scan_from_model.apply(part.vertices), part.faces), scan_from_model


@lru_cache(maxsize=2)
def truth(seed: int = 0) -> Truth:
    """Somebody who is known exactly."""
    vertices = random_head(seed)
    return Truth(vertices, *scan_of(vertices))


@lru_cache(maxsize=6)
def fitted(
    recipe: Literal["default", "paper", "detail"] = "default",
    model: Literal["asm", "linear"] = "asm",
) -> ScanResult:
    """The truth found again from its known alignment."""
    config = ScanConfig(recipe=recipe, model=model, samples=1500, registration=SHORT)
    return fit_scan(truth().scan, config, start=truth().scan_from_model)
