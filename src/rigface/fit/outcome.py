"""Numbers of a finished fit, and whether it may be called one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from rigface.evidence.scan import Scan
from rigface.fit.parts import Head, contact_counts
from rigface.fit.result import ScanUnit
from rigface.geometry.mesh import Mesh
from rigface.geometry.similarity import Similarity
from rigface.metrics.distance import ErrorSamples, points_to_mesh, scan_to_mesh, vertex_errors
from rigface.metrics.mesh_quality import mesh_quality
from rigface.metrics.outer import outer_surface
from rigface.metrics.region import REGION_RADIUS, face_region, face_region_of_points
from rigface.rig.subdivision import subdivide
from rigface.rig.template import Template

MIN_COVERAGE = 0.95
MAX_MEAN_MM = 1.0
MAX_FLIPPED = 0.005


@dataclass(frozen=True)
class Measured:
    """Errors in millimetres and the quality of the mesh."""

    errors: ErrorSamples
    vertex_error_mm: Float[np.ndarray, " scan_verts"]
    quality: Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """`reason` is None for a good fit."""

    reason: str | None
    warnings: tuple[str, ...]


def measure(
    scan: Scan,
    template: Template,
    head: Head,
    scan_from_model: Similarity,
    unit: ScanUnit,
    nose_tip: Float[np.ndarray, "3"],
    lod: int = 0,
    seed: int = 0,
    closed: Mapping[str, float] | None = None,
) -> Measured:
    """Scan-to-mesh errors over the face region (DESIGN of the metric: docs/metrics.md).

    `closed` tells how far the head's lids are shut (eyeBlink* weights): a shut lid is rolled over
    its ball, which is no fold.
    """
    metres = unit.metres_per_unit
    vertices = metres * scan_from_model.apply(refined(template, head.vertices, lod))
    outer = outer_surface(template, lod)
    nose = metres * nose_tip
    if scan.faces is None:
        points = metres * scan.vertices
        errors = scan_to_mesh(face_region_of_points(points, nose), outer, vertices)
        near = np.linalg.norm(points - nose, axis=-1) <= REGION_RADIUS
        per_vertex = np.full(len(points), np.nan)
        per_vertex[near] = points_to_mesh(points[near], outer, vertices).mm
    else:
        mesh = Mesh(metres * scan.vertices, scan.faces)
        errors = scan_to_mesh(face_region(mesh, nose, seed=seed), outer, vertices)
        per_vertex = vertex_errors(mesh, nose, outer, vertices)
    level0 = outer_surface(template)
    rest = template.with_shapes(closed or {})
    quality = mesh_quality(rest, head.vertices, level0.skin_faces)
    contacts = contact_counts(template, head)
    return Measured(
        errors,
        per_vertex,
        {
            "flipped": quality.flipped_share,
            "flipped_triangles": quality.flipped,
            "self_intersections": quality.self_intersections,
            **contacts,
        },
    )


def refined(
    template: Template, vertices: Float[np.ndarray, "verts 3"], lod: int
) -> Float[np.ndarray, "fine 3"]:
    """All parts with the skin at a level of detail."""
    if lod == 0:
        return vertices
    skin = template.parts["skin"]
    count = skin.vertices.stop
    operator, _ = subdivide(template.mesh.faces[skin.faces], lod, count)
    return np.concatenate([operator @ vertices[:count], vertices[count:]])


def judge(measured: Measured, unit: ScanUnit, scan: Scan) -> Verdict:
    """The quality gate, and what a user should know although the fit passed."""
    errors, quality = measured.errors, measured.quality
    reason = None
    if len(errors.mm) == 0:
        reason = "no point of the scan lies in the face region; the face was not found correctly"
    elif errors.coverage < MIN_COVERAGE:
        reason = (
            f"only {errors.coverage:.1%} of the face region is covered by the fitted skin within "
            f"3 mm (at least {MIN_COVERAGE:.0%} is expected); look at the error map: hair, a beard "
            "or a hand over the face, or a wrong alignment"
        )
    elif errors.mean > MAX_MEAN_MM:
        reason = (
            f"the mean error is {errors.mean:.2f} mm (at most {MAX_MEAN_MM:.1f} mm is expected); "
            "the scan may be too noisy, cut or not a face"
        )
    elif quality["flipped"] > MAX_FLIPPED:
        reason = f"{quality['flipped']:.2%} of the triangles are turned over; the mesh is folded"
    warnings = list(scan.notes)
    if unit.name == "arbitrary":
        warnings.append(
            f"unit unknown: {unit.how}. Millimetres below assume a head of average size; give "
            "--unit if you know it"
        )
    for name, what in (
        ("self_intersections", "triangle pairs of the outer skin cross each other"),
        ("lid_eyeball", "triangle pairs of lids and eyeballs cross"),
        ("lip_teeth", "triangle pairs of lips and teeth cross"),
    ):
        if quality[name]:
            warnings.append(f"{quality[name]} {what}")
    return Verdict(reason, tuple(warnings))
