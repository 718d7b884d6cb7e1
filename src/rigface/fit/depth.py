"""`fit_depth`: frames of a depth camera become one rigged head.

    frames -> the person in each -> the face in one -> the others beside it -> one cloud -> the
    default recipe of a scan

With several frames identity and poses are found together, in turns: the shape of the fused cloud
(identity modes, then the free form), then the pose of each frame on that shape.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from rigface.errors import InputError
from rigface.evidence.depth import DepthFrame
from rigface.evidence.scan import Scan
from rigface.fit.alignment import Alignment
from rigface.fit.clean import CleanScan
from rigface.fit.depth_cloud import DepthCloud, Person, SensorNoise, find_person
from rigface.fit.depth_fusion import (
    FramePlace,
    PlacedFrame,
    find_reference,
    fuse,
    place_frames,
    relay,
)
from rigface.fit.depth_size import settle_size
from rigface.fit.matching import Matcher, SkinTopology
from rigface.fit.models import FitModels, ModelName, build_models
from rigface.fit.registration import fit_shape, local_stiffness, refine_free_form
from rigface.fit.registration_settings import RegistrationSettings
from rigface.fit.result import ScanResult
from rigface.fit.rigid import RigidTarget
from rigface.fit.scan import ScanConfig, fit_target
from rigface.fit.target import FACE_CENTRE, REACH, ScanTarget, seen_target
from rigface.fit.unit import ScanUnit
from rigface.geometry.mesh import Mesh
from rigface.io.color import linear_from_stored
from rigface.progress import NullProgress, Progress
from rigface.rig.template import Template
from rigface.rig.template_io import load_template
from rigface.solve.threads import one_thread

_FEW = 3000
"""Points that show the size of a head."""
SENSOR = RegistrationSettings(
    soft_features=0.5,
    lids=0.0,
    prior_expression=3000.0,
    fine_eyes=False,
    tuck_mouth=True,
    fine_normal=0.006,
    fine_tangent=0.03,
    fine_membrane=0.012,
    prior_pose=1.0,
)
"""Stiffer than for a scan: a depth sensor bridges lips and lids, so the model knows them better."""


@dataclass(frozen=True)
class DepthConfig:
    """What to fit and how. The defaults answer phones, structured light and stereo alike."""

    expression: Literal["neutral", "fit"] = "neutral"
    model: ModelName = "asm"
    gaussians: Literal[1, 2, 3, 4, 5] = 2
    """K of the skinning weights."""
    lod: Literal[0, 1, 2] = 0
    """Level of detail that is measured and exported."""
    samples: int = 8000
    """Points that the fit sees."""
    rounds: int = 2
    """Turns of shape and poses, with more than one frame."""
    seed: int = 0
    noise: SensorNoise = SensorNoise()
    registration: RegistrationSettings = SENSOR

    def as_scan(self) -> ScanConfig:
        """The settings of the last part, which is that of a scan in metres."""
        return ScanConfig(
            unit="m",
            expression=self.expression,
            model=self.model,
            gaussians=self.gaussians,
            lod=self.lod,
            samples=self.samples,
            seed=self.seed,
            registration=self.registration,
        )


@dataclass(frozen=True)
class DepthResult:
    """A fitted head and what became of each frame."""

    scan: ScanResult
    """In the frame of the reference camera (OpenCV), metres; its errors are those of the fused
    cloud."""
    frames: tuple[FramePlace, ...]
    """In the order given."""
    reference: int
    """The frame whose camera gives the frame of the result."""
    evidence: tuple[DepthFrame, ...]

    @property
    def ok(self) -> bool:
        return self.scan.ok


def fit_depth(
    frames: Sequence[DepthFrame],
    config: DepthConfig = DepthConfig(),
    progress: Progress | None = None,
) -> DepthResult:
    """Fit one head to one or several depth frames of one person, who holds still.

    Raises InputError if no frame shows a face of human size. Frames that do not fit the others are
    dropped and say why; a fit that misses its quality gate is returned with `ok` False.
    """
    watch = NullProgress() if progress is None else progress
    template = load_template()
    if not frames:
        raise InputError("no depth frame was given; give at least one")
    with watch.stage("find"):
        places, persons, ids = _persons(frames, config.noise)
        best, found = find_reference(persons, template, config.seed)
    with watch.stage("align"), one_thread():
        placed = place_frames(persons, best, found, template, config.seed)
        used = [each for each in placed if isinstance(each, PlacedFrame)]
        models = build_models(template, config.model, config.gaussians, config.expression == "fit")
        found = _settled(fuse(used), found, models, template, config)
        if len(used) > 1:
            for turn in range(config.rounds):
                used = _joint_turn(used, found, models, template, config)
                watch.update((turn + 1) / config.rounds, "shape and poses")
    with watch.stage("prepare"):
        fused = fuse(used)
        target = _target(fused, found, config.samples, config.seed)
    result = _fit(fused, target, found, models, config, watch, frames)
    waiting = iter(used)
    for index, each in zip(ids, placed, strict=True):
        places[index] = _place(next(waiting)) if isinstance(each, PlacedFrame) else each
    return _finished(result, tuple(places), ids[best], frames, found, config)


def _persons(
    frames: Sequence[DepthFrame], noise: SensorNoise
) -> tuple[list[FramePlace], list[Person], list[int]]:
    """What is dropped at once, the person in each other frame, and which frames these are."""
    places, persons, ids = [], [], []
    refused: InputError | None = None
    for index, frame in enumerate(frames):
        try:
            persons.append(find_person(frame, noise))
            ids.append(index)
            places.append(FramePlace(frame.name, True, None, None))
        except InputError as error:
            refused = refused or error
            places.append(FramePlace(frame.name, False, str(error), None))
    if refused is not None and not persons:
        raise refused
    return places, persons, ids


def _target(fused: DepthCloud, found: Alignment, samples: int, seed: int) -> ScanTarget:
    inside = fused.moved(found.scan_from_model.inverse())
    return seen_target(inside.points, inside.toward, inside.sigma, samples, seed)


def _settled(
    fused: DepthCloud,
    found: Alignment,
    models: FitModels,
    template: Template,
    config: DepthConfig,
) -> Alignment:
    def target_at(start: Alignment) -> ScanTarget:
        return _target(fused, start, min(_FEW, config.samples), config.seed)

    return settle_size(found, target_at, models, template, config.registration)


def _joint_turn(
    used: list[PlacedFrame],
    found: Alignment,
    models: FitModels,
    template: Template,
    config: DepthConfig,
) -> list[PlacedFrame]:
    """One identity for all frames where they are, then each frame's pose on it."""
    matcher = Matcher(
        SkinTopology.of_template(template), _target(fuse(used), found, config.samples, config.seed)
    )
    settings = config.registration
    first = fit_shape(models.shape, models.closure_names, matcher, _unheard, settings)
    skin = template.parts["skin"].vertices
    local = local_stiffness(template, settings.soft_features)
    surface = refine_free_form(template.mesh.vertices[skin], first, matcher, local)
    pose = found.scan_from_model
    target = RigidTarget(Mesh(pose.apply(surface), matcher.searched))
    return relay(used, target, pose.apply(FACE_CENTRE), REACH * pose.scale)


def _fit(
    fused: DepthCloud,
    target: ScanTarget,
    found: Alignment,
    models: FitModels,
    config: DepthConfig,
    watch: Progress,
    frames: Sequence[DepthFrame],
) -> ScanResult:
    colors = None if fused.colors is None else linear_from_stored(fused.colors)
    source = next((frame.source for frame in frames if frame.source is not None), None)
    scan = Scan(fused.points, colors=colors, source=source)
    surface = CleanScan(scan, np.ones(len(fused.points), dtype=bool))
    return fit_target(scan, surface, target, found, models, config.as_scan(), watch)


def _finished(
    result: ScanResult,
    places: tuple[FramePlace, ...],
    reference: int,
    frames: Sequence[DepthFrame],
    found: Alignment,
    config: DepthConfig,
) -> DepthResult:
    size = result.rig.metric_scale
    unit = ScanUnit("m", 1.0, f"from the camera; the face is {size:.2f} of the template's")
    notes = [note for frame in frames for note in frame.notes]
    dropped = [f"{place.name} was dropped: {place.reason}" for place in places if not place.used]
    settings = {**asdict(config), "recipe": "depth", "face_score": found.score}
    scan = replace(
        result,
        unit=unit,
        settings=settings,
        notes=tuple(notes),
        warnings=(*result.warnings, *dropped),
    )
    return DepthResult(scan, places, reference, tuple(frames))


def _place(frame: PlacedFrame) -> FramePlace:
    return FramePlace(
        frame.person.frame.name, True, None, frame.pose, frame.fit.share, 1e3 * frame.fit.median
    )


def _unheard(fraction: float, text: str) -> None:
    pass
