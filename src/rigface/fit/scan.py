"""`fit_scan`: a raw scan of a head becomes a rigged head, and numbers that say how well."""

from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from rigface.evidence.landmarks import Landmarks
from rigface.evidence.scan import Scan
from rigface.fit.alignment import Alignment, align, known
from rigface.fit.clean import CleanScan, clean
from rigface.fit.matching import Matcher, SkinTopology
from rigface.fit.models import FitModels, ModelName, build_models
from rigface.fit.outcome import judge, measure
from rigface.fit.paper import register_paper
from rigface.fit.parts import assemble_head
from rigface.fit.registration import detail_layer, register
from rigface.fit.registration_result import Registration
from rigface.fit.registration_settings import RegistrationSettings
from rigface.fit.result import ScanResult
from rigface.fit.rig_pose import fitted_rig
from rigface.fit.target import ScanTarget, prepare_target
from rigface.fit.unit import decide_unit
from rigface.geometry.similarity import Similarity, align_points
from rigface.progress import NullProgress, Progress
from rigface.rig.template import Template
from rigface.rig.template_io import load_template
from rigface.solve.threads import one_thread


@dataclass(frozen=True)
class ScanConfig:
    """What to fit and how. The defaults answer every scan."""

    unit: Literal["auto", "mm", "cm", "m", "inch"] = "auto"
    expression: Literal["neutral", "fit"] = "neutral"
    recipe: Literal["default", "paper", "detail"] = "default"
    model: ModelName = "asm"
    gaussians: Literal[1, 2, 3, 4, 5] = 2
    """K of the skinning weights (ASM)."""
    asymmetric: bool = True
    """Whether both sides of the face are free (JNR)."""
    lod: Literal[0, 1, 2] = 0
    """Level of detail that is measured and exported."""
    samples: int = 8000
    """Scan points that the fit sees."""
    seed: int = 0
    registration: RegistrationSettings = RegistrationSettings()


def fit_scan(
    scan: Scan,
    config: ScanConfig = ScanConfig(),
    landmarks: Landmarks | None = None,
    progress: Progress | None = None,
    start: Similarity | None = None,
) -> ScanResult:
    """Fit the template head to a scan in any unit, pose and orientation.

    `start` (scan_from_model, metres of the template head) replaces the search for the face.

    Raises InputError if no face is found, or next to nothing of it can be seen. A fit that misses
    its own quality gate is returned with `ok` False and the reason.
    """
    watch = NullProgress() if progress is None else progress
    template = load_template()
    with watch.stage("find"):
        surface = clean(scan)
        found = (
            align(surface.scan, template, landmarks, config.seed) if start is None else known(start)
        )
        scan_from_fit = found.scan_from_model
    with watch.stage("prepare"):
        models = build_models(
            template,
            config.model,
            config.gaussians,
            config.expression == "fit",
            config.asymmetric,
        )
        target = prepare_target(
            surface.scan, scan_from_fit.inverse(), template, config.samples, config.seed
        )
    return fit_target(scan, surface, target, found, models, config, watch)


def fit_target(
    scan: Scan,
    surface: CleanScan,
    target: ScanTarget,
    found: Alignment,
    models: FitModels,
    config: ScanConfig,
    watch: Progress,
) -> ScanResult:
    """The fit from where the evidence is prepared: `target` in the fit frame, `found` its place.

    Errors are measured on `surface`, in the unit and frame of `scan`.
    """
    template = load_template()
    with watch.stage("fit"), one_thread():
        fitted = _register(template, models, target, config, watch)
    with watch.stage("measure"):
        result = _result(scan, surface, config, template, models, fitted, found, watch)
    return replace(result, seconds=watch.seconds)


def _register(
    template: Template,
    models: FitModels,
    target: ScanTarget,
    config: ScanConfig,
    watch: Progress,
) -> Registration:
    matcher = Matcher(SkinTopology.of_template(template), target)
    if config.recipe == "paper":
        return register_paper(models.face, matcher, watch.update)
    settings = config.registration
    fitted = register(
        models.face, models.shape, models.closure_names, template, matcher, settings, watch.update
    )
    return detail_layer(fitted, matcher) if config.recipe == "detail" else fitted


def _result(
    scan: Scan,
    surface: CleanScan,
    config: ScanConfig,
    template: Template,
    models: FitModels,
    fitted: Registration,
    found: Alignment,
    watch: Progress,
) -> ScanResult:
    skin, scan_from_fit = fitted.vertices, found.scan_from_model
    unit = decide_unit(_per_metre(template, skin, scan_from_fit), config.unit)
    fit_from_inner = fitted.fit_from_inner()
    metric = fit_from_inner.scale * scan_from_fit.scale * unit.metres_per_unit
    metric_from_inner = Similarity(metric, np.eye(3), np.zeros(3))
    scan_from_model = scan_from_fit @ fit_from_inner @ metric_from_inner.inverse()
    inner = fit_from_inner.inverse().apply(skin)
    rig = fitted_rig(models, fitted, metric)
    head_from_fit = Similarity(metric, np.eye(3), np.zeros(3)) @ fit_from_inner.inverse()
    eyeballs = fitted.eyeballs or {}
    closure = fitted.expression(models.closure_names)
    head = assemble_head(
        template,
        metric * inner,
        rig.skin_linear,
        closure,
        {side: ball.moved(head_from_fit) for side, ball in eyeballs.items()},
    )
    measured = measure(
        surface.scan,
        template,
        head,
        scan_from_model,
        unit,
        _nose_tip(scan_from_fit, template),
        closure,
        config.lod,
        config.seed,
    )
    vertex_error = np.full(len(scan.vertices), np.nan)
    vertex_error[surface.kept] = measured.vertex_error_mm
    verdict = judge(measured, unit)
    settings = {**asdict(config), "face_score": found.score}
    return ScanResult(
        source=str(scan.source or "scan"),
        template=template,
        model=fitted.model,
        x=fitted.x,
        variables=models.variables,
        head=head,
        rig=rig,
        scan_from_model=scan_from_model,
        unit=unit,
        errors=measured.errors,
        vertex_error_mm=vertex_error,
        quality=measured.quality,
        ok=verdict.reason is None,
        reason=verdict.reason,
        warnings=verdict.warnings,
        notes=surface.scan.notes,
        stages=fitted.reports,
        settings=settings,
        scan_vertices=scan.vertices,
        scan_faces=scan.faces,
        scan_colors=scan.colors,
        seconds=watch.seconds,
        expression=fitted.expression(models.expression_names),
    )


def _per_metre(template: Template, skin: np.ndarray, scan_from_fit: Similarity) -> float:
    """Scan units per metre of the template's face."""
    face = template.regions["face"][: len(skin)]
    fit_from_template = align_points(template.mesh.vertices[: len(skin)][face], skin[face])
    return scan_from_fit.scale * fit_from_template.scale


def _nose_tip(scan_from_fit: Similarity, template: Template) -> np.ndarray:
    """In the scan's frame and unit, from the alignment alone."""
    place = template.landmarks.names.index("ibug.30")
    points = template.landmarks.positions(template.mesh.vertices, template.mesh.faces)
    return scan_from_fit.apply(points[place])
