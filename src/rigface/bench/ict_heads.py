"""Seeded heads of ICT-FaceKit with an identity and an expression, as unlabelled noisy points."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from rigface.bench.registration_data import BenchScan
from rigface.datasets.ict import M_FROM_CM, load_ict
from rigface.datasets.ict_parts import LANDMARKS_68, OUTSIDE, PARTS
from rigface.datasets.ict_sample import sample_ict_head
from rigface.evidence.scan import Scan
from rigface.geometry.mesh import Mesh, face_normals, sample_surface
from rigface.geometry.visibility import seen_from_outside

_NO_SURFACE = ("lacrimal_fluid", "eye_blend", "eye_occlusion", "eyelashes")
"""Shells and strips that no scanner sees as a surface."""
_NOSE_TIP = LANDMARKS_68[30]


def ict_heads(
    data: Path, count: int = 10, seed: int = 0, points: int = 20_000, noise: float = 0.0003
) -> list[BenchScan]:
    """`count` heads of `datasets.ict_sample`, identity and expression, in ICT's centimetres.

    A scan holds `points` points of skin, eyeballs and teeth, uniform by area where they can be
    seen from outside, with `noise` metres of Gaussian noise along each axis. The clean region,
    against which errors are measured, is skin and eyeballs.

    Raises InputError if the data is missing or damaged.
    """
    model = load_ict(data / "ict_facekit")
    solid = model.part_faces(*(name for name in PARTS if not name.startswith(_NO_SURFACE)))
    outside = model.part_faces(*OUTSIDE)[solid]
    scanned = model.part_faces(*OUTSIDE, "teeth")[solid]
    heads = []
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        vertices = sample_ict_head(model, rng)[0] + model.origin
        clean = Mesh(vertices, model.faces[solid])
        shown = _shown_points(clean, scanned, points, rng)
        scan = Scan((shown + rng.normal(size=shown.shape) * noise) / M_FROM_CM)
        nose = vertices[_NOSE_TIP] / M_FROM_CM
        name = f"ict_{index:02d}"
        heads.append(BenchScan(name, scan, M_FROM_CM, nose, "ICT-FaceKit, MIT", clean, outside))
    return heads


def _shown_points(
    head: Mesh, scanned: Bool[np.ndarray, " faces"], count: int, rng: np.random.Generator
) -> Float[np.ndarray, "points 3"]:
    """Points of the `scanned` faces, by area, that can be seen from outside the head."""
    faces = head.faces[scanned]
    points, face = sample_surface(head.vertices, faces, 3 * count // 2, int(rng.integers(2**31)))
    normals = face_normals(head.vertices, faces)[face]
    shown = points[seen_from_outside(head, points, normals)]
    assert len(shown) >= count, "less than two thirds of the scanned faces can be seen"
    return shown[:count]
