"""Runs the cases of the views bench: takes the photos, finds the faces, fits, measures, keeps."""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rigface.bench.views_cases import Case, Kept, Outcome
from rigface.bench.views_detect import seen_once
from rigface.bench.views_fits import FittedViews, FitViews, fit_views
from rigface.bench.views_heads import HEADS, ViewsHead, views_head
from rigface.bench.views_pictures import (
    Light,
    ViewShot,
    empty_photo,
    in_world,
    shots,
    take_view,
    world_from_model,
)
from rigface.cameras import Camera
from rigface.errors import RigfaceError
from rigface.evidence.face import FaceObservation
from rigface.evidence.photo import Photo
from rigface.perception import FaceDetector

RUN = f"{os.getpid()}-{time.time():.0f}"
"""Names this process in the outcomes."""


@dataclass
class Runner:
    """Heads and pictures are made when a case needs them, and kept while they may be needed."""

    data: Path
    detector: FaceDetector
    cache: Path
    fit: FitViews = fit_views
    load: Callable[[str, Path], ViewsHead] = views_head
    _heads: dict[str, ViewsHead] = field(default_factory=dict)
    _photos: dict[tuple[str, int, Light, int], Photo] = field(default_factory=dict)

    def outcome(self, case: Case, kept: Kept) -> tuple[Outcome, bool]:
        """From the disk, or measured now; and whether it was measured now."""
        known = kept.get(case)
        if known is not None:
            return known, False
        outcome = self.measure(case)
        kept.put(case, outcome)
        return outcome, True

    def measure(self, case: Case) -> Outcome:
        """Fit and score; what a user can be told becomes the reason of a failure."""
        photos = self.photos(case)
        faces = [seen_once(self.detector, photo, self.cache) for photo in photos]
        # The recipe itself must deal with a photo that shows no face.
        given = [face for face in faces if face is not None]
        start = time.process_time()
        try:
            result = self._fit(case, photos, given if len(given) == len(faces) else None)
        except RigfaceError as error:
            return Outcome(run=RUN, reason=str(error))
        return self._scored(case, result, time.process_time() - start)

    def photos(self, case: Case) -> list[Photo]:
        """In order; the last one replaced if the case is spoiled."""
        taken = shots(case.head, case.draw, case.views)
        photos = [self._photo(shot, case.light) for shot in taken]
        if case.spoiled == "nobody":
            photos[-1] = empty_photo(taken[-1])
        elif case.spoiled == "stranger":
            other = replace(taken[-1], head=stranger(case.head))
            photos[-1] = self._photo(other, case.light)
        return photos

    def cameras(self, case: Case) -> list[Camera]:
        """cam_from_world of the photos."""
        world = world_from_model(case.head, case.draw)
        return [in_world(shot.camera, world) for shot in shots(case.head, case.draw, case.views)]

    def head(self, name: str) -> ViewsHead:
        """Loaded once."""
        if name not in self._heads:
            self._heads[name] = self.load(name, self.data)
        return self._heads[name]

    def _fit(
        self, case: Case, photos: Sequence[Photo], faces: Sequence[FaceObservation] | None
    ) -> FittedViews:
        cameras = self.cameras(case) if case.recipe.calibrated else None
        return self.fit(photos, faces, case.recipe, cameras)

    def _scored(self, case: Case, result: FittedViews, cpu: float) -> Outcome:
        metric = case.recipe.calibrated  # `neutral` has the true size then
        errors = self.head(case.head).errors(result.template, result.neutral, with_scale=not metric)
        return Outcome(
            rmse=errors.rmse,
            scale=errors.scale,
            cpu=cpu,
            run=RUN,
            ok=result.ok,
            reason=result.reason,
            warnings=tuple(result.warnings),
            face=hashlib.sha256(result.neutral.tobytes()).hexdigest()[:16],
        )

    def _photo(self, shot: ViewShot, light: Light) -> Photo:
        key = (shot.head, shot.draw, light, shot.number)
        if key not in self._photos:
            # Photos of earlier draws are not asked for again.
            self._photos = {k: photo for k, photo in self._photos.items() if k[1] == shot.draw}
            self._photos[key] = take_view(self.head(shot.head).painted, shot, light)
        return self._photos[key]


def stranger(head: str) -> str:
    """Whose face stands among the photos of a head."""
    return HEADS[(HEADS.index(head) + 1) % len(HEADS)]
