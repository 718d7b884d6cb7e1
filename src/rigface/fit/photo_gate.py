"""Whether a photo fit may be called one, and what its user should know."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from rigface.fit.iris import HeadSize
from rigface.fit.outcome import Verdict
from rigface.fit.photo_choice import photo_name, unlike_expressions
from rigface.fit.photo_result import PhotoView

MAX_REPROJECTION_PERCENT = 8.0
"""Above, the landmarks do not look like a face before a camera: the fit has failed."""
MAX_YAW, WIDE_YAW = math.radians(80), math.radians(50)
MAX_OUTSIDE_PERCENT = 15.0
"""Of the face outside the person mask, before something is said to cover it."""
UNLIKE = (
    "the photos show very different expressions; the shape of mouth and cheeks is less sure than "
    "from photos with a calm face"
)
BLIND = {
    "population": "so the size of the head is the population's",
    "iris": "so it has no say in the size of the head; other photos have",
    "cameras": "so the eyes look straight ahead; the size of the head is the cameras'",
}
"""What a photo without a visible iris means, by what told the size."""


def judge_photos(
    views: Sequence[PhotoView],
    expressions: Float[np.ndarray, "photos shapes"] | None,
    size: HeadSize,
) -> Verdict:
    """The quality gate, and what a user should know although the fit passed.

    It is passed if more than half of the photos pass; the others are named. `expressions` are the
    weights in each photo; None where all share one.
    """
    wrong = [_reason(view) for view in views]
    failed = [reason for reason in wrong if reason is not None]
    outvoted = 2 * len(failed) < len(views)
    warnings = [f"{reason}; the other photos outweigh it" for reason in failed] if outvoted else []
    for view, reason in zip(views, wrong, strict=True):
        warnings += _warnings(view, size, passed=reason is None)
    if expressions is not None and unlike_expressions(expressions):
        warnings.append(UNLIKE)
    return Verdict(None if outvoted else failed[-1], tuple(warnings))


def _reason(view: PhotoView) -> str | None:
    """Why this photo fails the fit, or None."""
    name, quality = photo_name(view.photo), view.face.quality
    if view.reprojection_percent > MAX_REPROJECTION_PERCENT:
        return (
            f"in {name} the landmarks are {view.reprojection_percent:.1f} % of the eye "
            f"distance from the fitted face (at most {MAX_REPROJECTION_PERCENT:.0f} is "
            "expected); look at the overlay: perhaps it is no face, or something covers it"
        )
    if abs(view.yaw) > MAX_YAW:
        return (
            f"{name} shows a profile ({math.degrees(abs(view.yaw)):.0f} degrees from the "
            f"front, at most {math.degrees(MAX_YAW):.0f} can be judged); take one from nearer to "
            "the front"
        )
    if not view.face.trusted:
        return (
            f"the landmarks in {name} change when the face is looked at again (quality "
            f"{quality.recrop_change:.1f} and {quality.mirror_change:.1f} % of the "
            "face size, at most 4 is expected); look at the overlay, or use a clearer photo"
        )
    return None


def _warnings(view: PhotoView, size: HeadSize, passed: bool) -> list[str]:
    name, quality = photo_name(view.photo), view.face.quality
    out = list(view.photo.notes)
    if passed and abs(view.yaw) > WIDE_YAW:
        out.append(
            f"the face is {math.degrees(abs(view.yaw)):.0f} degrees from the front; the far side "
            "is guessed"
        )
    if quality.blurred:
        out.append("the face is blurred; landmarks and texture suffer")
    if quality.outside_person > MAX_OUTSIDE_PERCENT:
        out.append("something seems to cover a part of the face")
    if not view.gaze:
        out.append(f"no iris is visible, {BLIND[size.how]}")
    return [f"{name}: {said}" for said in out]
