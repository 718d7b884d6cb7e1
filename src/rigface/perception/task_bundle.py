"""Google's `face_landmarker.task`: a zip with three networks, which the user brings."""

import hashlib
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

from rigface.errors import InputError

KNOWN_SHA256 = frozenset(
    {
        "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    }
)
"""The float16/1 bundle that rigface was tested with."""

_MAX_BYTES = 64 << 20
_DETECTOR = "face_detector.tflite"
_LANDMARKS = "face_landmarks_detector.tflite"
_BLENDSHAPES = "face_blendshapes.tflite"


class UnknownBundleWarning(UserWarning):
    """The bundle is not one that rigface was tested with."""


@dataclass(frozen=True)
class TaskBundle:
    """The three networks as TensorFlow Lite files."""

    detector: bytes
    landmarks: bytes
    blendshapes: bytes
    sha256: str


def read_task_bundle(path: str | Path) -> TaskBundle:
    """Read a `.task`; warns (UnknownBundleWarning) where its checksum is not a known one.

    Raises InputError if the file is missing, no zip, or lacks a network.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"{path} does not exist or is no file. Give the path of face_landmarker.task, which "
            "Google offers for MediaPipe's face landmarker."
        )
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise InputError(f"{path} has {size:,} bytes; a face_landmarker.task has some 4 million.")
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(path) as bundle:
            members = [
                _member(path, bundle, name) for name in (_DETECTOR, _LANDMARKS, _BLENDSHAPES)
            ]
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"{path} is no MediaPipe task bundle ({error}). Give an unchanged face_landmarker.task."
        ) from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 not in KNOWN_SHA256:
        warnings.warn(
            f"{path} has the checksum {sha256[:16]}..., which is not that of the bundle rigface "
            "was tested with; its results may differ.",
            UnknownBundleWarning,
            stacklevel=2,
        )
    return TaskBundle(*members, sha256=sha256)


def _member(path: Path, bundle: zipfile.ZipFile, name: str) -> bytes:
    try:
        info = bundle.getinfo(name)
    except KeyError as error:
        raise InputError(
            f"{path} holds no {name}, only {', '.join(bundle.namelist()[:6]) or 'nothing'}. "
            "Give MediaPipe's face_landmarker.task."
        ) from error
    if info.file_size > _MAX_BYTES:
        raise InputError(f"{path}: its {name} is said to have {info.file_size:,} bytes; damaged.")
    return bundle.read(info)
