"""`rigface bench prior`: how near the prior's mean and its modes come to real heads.

Test only: none of these scans enters the prior or any choice about it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from rigface.bench.machine import describe_machine
from rigface.bench.registration_data import BenchScan, data_dir, named_scan, simulated_face
from rigface.bench.table import Grid, Report, Row, format_number
from rigface.datasets.ict import load_ict
from rigface.fit.alignment import align
from rigface.fit.matching import Matcher, MatchRule, SkinTopology
from rigface.fit.registration_settings import MM, POSE_NAMES
from rigface.fit.stages import Stage, run_stage
from rigface.fit.target import prepare_target
from rigface.geometry.similarity import Similarity, align_points
from rigface.metrics.closest import closest_on_mesh
from rigface.metrics.outer import outer_surface
from rigface.models.identity import AsmIdentity
from rigface.models.posed import PosedModel
from rigface.rig.template import Template
from rigface.rig.template_io import load_template
from rigface.terms.robust import GemanMcClure

SCANS = ("lee_perry_smith", "meshmonk_fullres", "meshmonk_10k")
SIMULATED = 10
_ICP_ROUNDS = 60
_SURFACES = ("template", "ICT mean", "our mean", "our modes")


@dataclass(frozen=True)
class Skin:
    """A head to compare with scans: its outer skin without eyeballs, in the template's frame."""

    vertices: Float[np.ndarray, "verts 3"]
    faces: Int[np.ndarray, "faces 3"]


def prior_report(data: Path | None, quick: bool, say: Callable[[str], None]) -> Report:
    """Median scan-to-mesh distances after rigid + scale ICP. Raises InputError without data."""
    folder, template = data_dir(data), load_template()
    means, model = mean_skins(folder, template), AsmIdentity.build(expressions=False)
    cases = [named_scan(name, folder) for name in SCANS]
    cases += [] if quick else [simulated_face(folder, n + 1) for n in range(SIMULATED)]
    table, lines = [], []
    for case in cases:
        say(case.name)
        start = align(case.scan, template).scan_from_model
        fitted = Skin(fit_prior(case, start, model, template), means["our mean"].faces)
        skins = {**means, "our modes": fitted}
        table.append([median_distance(case, skin, start) for skin in skins.values()])
        lines.append((case.name, *map(format_number, table[-1])))
    figures = np.array(table)
    on = f"{len(cases)} scans"
    rows = [
        Row(f"{name}: median distance, mean over scans", on, float(column.mean()), "mm")
        for name, column in zip(_SURFACES, figures.T, strict=True)
    ]
    nearer = int((figures[:, 2] <= figures[:, 1]).sum())
    rows.append(Row("scans where our mean is at least as near as ICT's", on, nearer, ""))
    notes = [
        "Data: lee_perry_smith (Lee Perry-Smith, Infinite-Realities, CC-BY 3.0), MeshMonk's two "
        "scans and simulated faces (Apache-2.0). Test only.",
        "Metric: median distance of the scan's face region to the outer skin without eyeballs, "
        "after rigid + scale ICP, in the scan's true millimetres. `our modes`: pose, size and "
        "identity coefficients fitted to the scan, one weight of the prior for all.",
    ]
    grid = Grid("Median millimetres by scan", ("scan", *_SURFACES), lines)
    return Report("prior", "Identity prior", rows, describe_machine(), notes, [grid])


def mean_skins(folder: Path, template: Template) -> dict[str, Skin]:
    """Template, ICT-FaceKit's mean face and the prior's mean, all placed on the template."""
    skin = template.parts["skin"]
    rest, faces = template.mesh.vertices[skin.vertices], outer_surface(template).skin_faces
    ict = load_ict(folder / "ict_facekit")
    landmarks = template.landmarks.positions(template.mesh.vertices, template.mesh.faces)[17:]
    onto = align_points(ict.mean[ict.landmarks68[17:]], landmarks)
    model = AsmIdentity.build(expressions=False)
    mean = model.vertices(model.table.zeros()).numpy()
    face = template.regions["face"][skin.vertices]
    return {
        "template": Skin(rest, faces),
        "ICT mean": Skin(onto.apply(ict.mean), ict.faces[ict.part_faces("face", "head_and_neck")]),
        "our mean": Skin(align_points(mean[face], rest[face]).apply(mean), faces),
    }


def fit_prior(
    case: BenchScan, start: Similarity, model: AsmIdentity, template: Template
) -> Float[np.ndarray, "verts 3"]:
    """Pose, size and coefficients on the scan's points; the skin in the template's frame."""
    target = prepare_target(case.scan, start.inverse(), template)
    matcher = Matcher(SkinTopology.of_template(template), target)
    posed = PosedModel.build(model)
    x = posed.table.zeros()
    robust = GemanMcClure(4.0)
    coarse = MatchRule(20 * MM, 0.5, 2 * MM, robust, slide=0.1, reverse=0.0)
    fine = MatchRule(14 * MM, 0.5, 1 * MM, robust, slide=0.1, reverse=0.3)
    for stage in (
        Stage("pose", 6, POSE_NAMES, coarse, 12 * MM),
        Stage("modes", 12, (*POSE_NAMES, "identity"), fine, 5 * MM, {"identity": 100.0}),
    ):
        x, _ = run_stage(posed, matcher, stage, x)
    return posed.vertices(x).numpy()


def median_distance(case: BenchScan, skin: Skin, start: Similarity) -> float:
    """Millimetres, after ICP of rotation, shift and scale over the scan's face region."""
    points = case.region.points
    vertices = case.in_metres(start.apply(skin.vertices))
    for _ in range(_ICP_ROUNDS):
        found = closest_on_mesh(points, vertices, skin.faces)
        vertices = align_points(found.point, points).apply(vertices)
    return 1e3 * float(np.median(closest_on_mesh(points, vertices, skin.faces).distance))
