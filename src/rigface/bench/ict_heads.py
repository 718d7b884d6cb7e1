"""Seeded heads of ICT-FaceKit with an identity and an expression, as unlabelled noisy points."""

from pathlib import Path

import numpy as np

from rigface.bench.registration_data import BenchScan
from rigface.errors import InputError
from rigface.evidence.scan import Scan
from rigface.geometry.mesh import Mesh, face_normals, sample_surface
from rigface.geometry.visibility import seen_from_outside

_METRES_PER_UNIT = 0.01
_SOLID_QUADS = 24_692
"""Quads before lacrimal fluid, eye shells and lashes, which no scanner sees as a surface."""
_SKIN_QUADS = 11_144
_TEETH_QUADS = slice(17_006, 21_496)
_EYEBALL_QUADS = slice(21_496, 24_692)
_NOSE_VERTEX = 4857
"""Number 30 of the 68 landmarks in the README of ICT-FaceKit."""
_SEVEREST = 2.0
_ACTIVE = 5
_CREDIT = "ICT-FaceKit, MIT"


def ict_heads(
    data: Path, count: int = 10, seed: int = 0, points: int = 10_000, noise: float = 0.0003
) -> list[BenchScan]:
    """`count` heads: identity weights N(0, 1) cut at two sigma, 5 of the expression shapes at
    weights from 0.2 to 0.8, sampled by area where a scanner could see, `noise` metres of Gaussian
    noise along each axis. Centimetres, as the data set has it.

    The points include the teeth where the mouth is open; the clean region, against which
    errors are measured, is skin and eyeballs. Raises InputError if the file is missing.
    """
    path = data / "ict_facekit" / "ict_light_all_modes.npz"
    if not path.is_file():
        raise InputError(f"{path} does not exist; it comes with the ICT-FaceKit data.")
    with np.load(path) as archive:
        model = {name: archive[name] for name in archive.files}
    faces, quad = _triangles(model["quads"][:_SOLID_QUADS].astype(np.int64))
    outside = (quad < _SKIN_QUADS) | (quad >= _EYEBALL_QUADS.start)
    scanned = outside | ((quad >= _TEETH_QUADS.start) & (quad < _TEETH_QUADS.stop))
    heads = []
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        vertices = _head(model, rng)
        shown = _shown_points(Mesh(vertices, faces), scanned, points, rng)
        scan = Scan(shown + rng.normal(size=shown.shape) * (noise / _METRES_PER_UNIT))
        clean = Mesh(vertices * _METRES_PER_UNIT, faces)
        nose = vertices[_NOSE_VERTEX]
        name = f"ict_{index:02d}"
        heads.append(BenchScan(name, scan, _METRES_PER_UNIT, nose, _CREDIT, clean, outside))
    return heads


def _head(model: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    identity = rng.normal(size=len(model["identity_deltas"])).clip(-_SEVEREST, _SEVEREST)
    expression = np.zeros(len(model["expression_deltas"]))
    # Pupil dilation moves nothing that is measured here.
    named = [not str(name).startswith("Pupil") for name in model["expression_names"]]
    active = rng.choice(np.flatnonzero(named), size=_ACTIVE, replace=False)
    expression[active] = rng.uniform(0.2, 0.8, size=_ACTIVE)
    moved = np.tensordot(identity, model["identity_deltas"], 1)
    moved += np.tensordot(expression, model["expression_deltas"], 1)
    return model["neutral"].astype(np.float64) + moved


def _shown_points(
    head: Mesh, scanned: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Points of the `scanned` faces, by area, that can be seen from outside the head."""
    faces = head.faces[scanned]
    points, face = sample_surface(head.vertices, faces, 2 * count, int(rng.integers(2**31)))
    normals = face_normals(head.vertices, faces)[face]
    shown = points[seen_from_outside(head, points, normals)]
    assert len(shown) >= count, "less than half of the scanned faces can be seen"
    return shown[:count]


def _triangles(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles and the quad of each; a quad with a repeated index is one triangle."""
    both = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    quad = np.tile(np.arange(len(quads)), 2)
    sound = (both != np.roll(both, 1, axis=1)).all(axis=1)
    return both[sound], quad[sound]
