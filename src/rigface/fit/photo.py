"""`fit_photos`: photos of one person become one rigged head. Recipe, from top to bottom.

1 landmarks           who sees them is `perception`'s business; what it gets wrong is modelled
2 first camera        scaled orthography on the prior's mean head
3 pose                rotation and place
4 pose, expression, identity, focal length; contours against the background
5 skin                looks the same in all photos: photometric consistency, coarse to fine
6 who                 of three photos or more, one that contradicts the others is left out
7 rest shapes         what bones cannot carve, in the last stage of skin
8 size                from the irises and the population, or from known cameras
"""

from collections.abc import Sequence
from dataclasses import replace

from rigface.cameras import Camera
from rigface.errors import UsageError
from rigface.evidence.face import FaceObservation
from rigface.evidence.photo import Photo
from rigface.fit.identity_space import head_space, identity_model
from rigface.fit.photo_choice import Chosen, choose
from rigface.fit.photo_config import DEFAULT, PhotoConfig, PhotoSettings
from rigface.fit.photo_fit import PhotoFit
from rigface.fit.photo_outcome import photo_outcome
from rigface.fit.photo_result import PhotoResult
from rigface.fit.photo_stranger import stranger
from rigface.fit.views import HeadSpace
from rigface.progress import NullProgress, Progress
from rigface.solve.threads import one_thread

__all__ = [
    "PhotoConfig",
    "PhotoSettings",
    "fit_photos",
    "head_space",
    "identity_model",
    "largest_face",
]

UNLIKE_THE_OTHERS = "it seems to show somebody else, or its landmarks are wrong"


def fit_photos(
    photos: Sequence[Photo],
    observations: Sequence[FaceObservation | None] | None = None,
    config: PhotoConfig = DEFAULT,
    progress: Progress | None = None,
    model: HeadSpace | None = None,
    cameras: Sequence[Camera] | None = None,
    metric_cameras: bool = True,
) -> PhotoResult:
    """Fit the head to photos of one person.

    `observations` are the faces seen in them, one per photo and None where there is none; without
    them the default detector (extra `photo`) looks, and the largest face of each photo counts.
    `model` replaces the shipped identity space: `head_space` of another model's name, another
    `AsmIdentity` or `JnrIdentity`, or a `LinearModel` on the template's skin. `cameras` are known
    ones, cam_from_world in metres, one per photo; the size of the head is then theirs, unless
    `metric_cameras` says that their unit is not known. Photos without a face, repeated ones and
    those of somebody else are left out with a warning. A fit that misses its own quality gate is
    returned with `ok` False and the reason.

    Raises InputError if no photo shows a face, for landmarks that are no numbers and for cameras
    that contradict the photos, MissingExtraError without a detector, UsageError without photos.
    """
    watch = NullProgress() if progress is None else progress
    if not photos:
        raise UsageError("fit_photos needs at least one photo")
    if observations is None:
        with watch.stage("detect"):
            observations = [largest_face(photo) for photo in photos]
    chosen = choose(photos, observations, cameras, metric_cameras)
    with watch.stage("prepare"):
        head_model = identity_model() if model is None else model
    with watch.stage("fit"), one_thread():
        result = _by_recipe(head_model, chosen, config, watch)
    return replace(result, seconds=dict(watch.seconds))


def _by_recipe(
    model: HeadSpace, chosen: Chosen, config: PhotoConfig, watch: Progress
) -> PhotoResult:
    if config.recipe == "paper":
        from rigface.fit.photo_paper import fit_paper

        return fit_paper(model, chosen, config, watch)
    coarse, fine = config.settings.schedule[:-1], config.settings.schedule[-1:]
    while True:
        fit = PhotoFit(model, chosen, config)
        x = fit.compare_skin(fit.place(watch), watch, coarse)
        other = stranger(fit, x)
        if other is None:
            return photo_outcome(fit, fit.compare_skin(fit.freed(x), watch, fine))
        chosen = chosen.without(other, UNLIKE_THE_OTHERS)


def largest_face(photo: Photo) -> FaceObservation | None:
    """What the default detector sees."""
    from rigface.perception import load_detector

    found = load_detector().detect(photo)
    return found[0] if found else None
