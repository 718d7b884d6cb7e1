"""`load_detector`: one protocol for whoever finds faces."""

from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from rigface.errors import UsageError
from rigface.evidence.face import FaceObservation
from rigface.evidence.photo import Photo

DetectorName = Literal["auto", "mediapipe", "litert", "file"]


@runtime_checkable
class FaceDetector(Protocol):
    """Finds faces in one photo."""

    def detect(self, photo: Photo) -> list[FaceObservation]:
        """Every face: trusted ones first, largest first; an empty list if there is none."""
        ...


def load_detector(
    name: DetectorName = "auto",
    *,
    task: str | Path | None = None,
    landmarks: str | Path | None = None,
) -> FaceDetector:
    """A face detector; nothing heavy is imported before this is called.

    - `mediapipe`: the networks in the mediapipe 0.10.21 wheel (extra `photo`).
    - `litert`: Google's `face_landmarker.task`, given as `task` (extra `litert`).
    - `file`: the user's own 68 or 478 points, given as `landmarks`; needs no extra.
    - `auto`: `file` if `landmarks` is given, else `litert` if `task` is, else `mediapipe`.

    Raises MissingExtraError with the pip command if the back-end is not installed, InputError if
    the file cannot be used, and UsageError for an unknown name or a missing file argument.
    """
    if name == "auto":
        name = "file" if landmarks is not None else "litert" if task is not None else "mediapipe"
    match name:
        case "mediapipe":
            from rigface.perception.mediapipe_networks import MediapipeNetworks
            from rigface.perception.two_pass import TwoPassDetector

            return TwoPassDetector(MediapipeNetworks())
        case "litert":
            if task is None:
                raise UsageError("The detector 'litert' needs the path of a face_landmarker.task.")
            from rigface.perception.litert_networks import LitertNetworks
            from rigface.perception.two_pass import TwoPassDetector

            return TwoPassDetector(LitertNetworks(task))
        case "file":
            if landmarks is None:
                raise UsageError("The detector 'file' needs a file of 68 or 478 landmarks.")
            from rigface.perception.given_points import GivenPoints

            return GivenPoints(landmarks)
        case _:
            raise UsageError(
                f"Unknown detector {name!r}; available: auto, mediapipe, litert, file."
            )
