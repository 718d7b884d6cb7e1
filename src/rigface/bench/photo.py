"""`rigface bench photo`: faces from single pictures of heads whose true shape is known."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rigface.bench.command import time_photo_command
from rigface.bench.command_photos import write_large_photo
from rigface.bench.machine import describe_machine
from rigface.bench.photo_data import HEADS, PhotoHead, photo_head
from rigface.bench.photo_fits import (
    Attempt,
    Attempts,
    Fit,
    HeadScores,
    RecipeModel,
    attempt,
    first_face,
    fit_picture,
    gather,
    mean_faces,
    score,
)
from rigface.bench.photo_paint import painted
from rigface.bench.photo_pictures import LENSES, LIGHTS, SHOTS, SIZE, YAWS, Shot, pictures
from rigface.bench.photo_rows import (
    command_rows,
    condition_grid,
    head_grid,
    headline_rows,
    portrait_row,
    region_grid,
)
from rigface.bench.registration_data import data_dir
from rigface.bench.table import Report, Row
from rigface.errors import RigfaceError, UsageError
from rigface.io.image import read_photo
from rigface.perception import FaceDetector, load_detector
from rigface.rig.template_io import load_template

PORTRAITS = ("astronaut.png", "grace_hopper.jpg")
OURS, LINEAR = "ours", "linear 3DMM"
RECIPES: dict[str, RecipeModel] = {OURS: "asm", LINEAR: "linear"}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Scope:
    """How much of the benchmark is run."""

    heads: tuple[str, ...] = HEADS
    shots: tuple[Shot, ...] = SHOTS
    recipes: tuple[str, ...] = (OURS, LINEAR)
    command: bool = True
    """Also the wall clock of `rigface photo`."""


def some_shots(count: int) -> tuple[Shot, ...]:
    """A mix of yaws, lenses and lights; raises UsageError for a count that there is not."""
    if not 1 <= count <= len(SHOTS):
        raise UsageError(f"--pictures {count}: there are 1 to {len(SHOTS)} pictures of each head")
    return tuple(SHOTS[17 * number % len(SHOTS)] for number in range(count))


QUICK = Scope(("lee_perry_smith", "SIMPOP_01"), SHOTS[::9], (OURS,), False)


def photo_report(
    data: Path | None, scope: Scope, say: Say, fit: Fit = fit_picture, cache: Path | None = None
) -> Report:
    """Measure everything in `scope`; a picture without a result is counted and noted.

    Raises InputError if the data is not there, MissingExtraError without a face detector.
    """
    folder, detector = data_dir(data), load_detector("mediapipe")
    unfitted = mean_faces(folder)
    heads = []
    for name in scope.heads:
        head = photo_head(name, folder, cache)
        scores = {label: score(head, face) for label, face in unfitted.items()}
        tried = _fitted(head, folder, scope, detector, fit)
        heads.append(HeadScores(name, scores, tried))
        say(_line(heads[-1]))
    rows = headline_rows(heads, OURS)
    portraits, notes = _portraits(folder, detector, fit)
    rows += portraits
    if scope.command:
        say("rigface photo on 12 million pixels")
        timed = time_photo_command(write_large_photo)
        rows += command_rows(timed)
        notes += [] if timed.reason is None else [f"No time of the command: {timed.reason}"]
    grids = [head_grid(heads), region_grid(heads), condition_grid(heads, OURS)]
    return Report(
        "photo",
        "Faces from photos",
        rows,
        describe_machine(),
        [*_notes(scope), *failures(heads), *notes],
        grids,
    )


def _fitted(
    head: PhotoHead, folder: Path, scope: Scope, detector: FaceDetector, fit: Fit
) -> dict[str, Attempts]:
    tries: dict[str, list[Attempt]] = {name: [] for name in scope.recipes}
    for picture in pictures(painted(head, folder), scope.shots):
        face = first_face(detector, picture.photo)
        done = {name: attempt(head, picture, face, RECIPES[name], fit) for name in tries}
        for name, one in told_apart(done).items():
            tries[name].append(one)
    template = load_template()
    return {name: gather(head.name, list_, template) for name, list_ in tries.items()}


def told_apart(done: Mapping[str, Attempt]) -> dict[str, Attempt]:
    """A baseline that gives our face to the bit has not used its own model: no figure then."""
    ours = done[OURS].neutral

    def same(neutral: np.ndarray | None) -> bool:
        return ours is not None and neutral is not None and np.array_equal(neutral, ours)

    reason = "the very face of ours: the recipe has no such model"
    return {
        name: Attempt(one.shot, None, reason=reason) if name != OURS and same(one.neutral) else one
        for name, one in done.items()
    }


def _portraits(folder: Path, detector: FaceDetector, fit: Fit) -> tuple[list[Row], list[str]]:
    rows, notes = [], []
    for name in PORTRAITS:
        value = math.nan
        try:
            photo = read_photo(folder / "photos" / name)
            face = first_face(detector, photo)
            if face is None:
                notes.append(f"No face found in {name}.")
            else:
                value = fit(photo, face, "asm").reprojection_percent
        except RigfaceError as error:
            notes.append(f"No fit to {name}: {error}")
        rows.append(portrait_row(name, value))
    return rows, notes


def failures(heads: Sequence[HeadScores]) -> list[str]:
    """One line per recipe and head that has pictures without a result."""
    lines = []
    for scores in heads:
        for recipe, attempts in scores.recipes.items():
            bad = [one for one in attempts.tries if one.score is None]
            if bad:
                lines.append(
                    f"{recipe}, {scores.head}: no result from {len(bad)} of "
                    f"{len(attempts.tries)} pictures, the first ({bad[0].shot.name}): "
                    f"{bad[0].reason}"
                )
    return lines


def _line(scores: HeadScores) -> str:
    figures = scores.medians().items()
    return f"{scores.head}: " + ", ".join(f"{name} {mm:.2f} mm" for name, mm in figures)


def _notes(scope: Scope) -> list[str]:
    return [
        "Data: lee_perry_smith (Lee Perry-Smith, Infinite-Realities, CC-BY 3.0) with its texture; "
        "MeshMonk's two scans and simulated faces (Apache-2.0) with painted skin, brows, lips and "
        "eyes; ICT-FaceKit (MIT). None of the heads enters the prior, the landmark embedding or a "
        "threshold.",
        f"Pictures: {len(scope.shots)} of {len(SHOTS)} per head, {SIZE[0]} x {SIZE[1]}, drawn by "
        "our rasteriser: "
        f"{len(LIGHTS)} lights ({', '.join(LIGHTS)}), yaw {', '.join(map(str, YAWS))} degrees, "
        f"{' and '.join(map(str, LENSES))} mm; half of them name their focal length.",
        "Metric: the NoW protocol (docs/metrics.md) on the neutral face of every single picture, "
        "to its outer skin and eyeballs; each head weighs the same.",
    ]
