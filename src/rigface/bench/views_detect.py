"""Faces in the pictures of the views bench: each picture is looked at once, by its content."""

import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from rigface.evidence.face import FaceMasks, FaceObservation, FaceQuality
from rigface.evidence.photo import Photo
from rigface.export.files import write_atomic
from rigface.perception import FaceDetector

_FORMAT = 1
"""Of the cached observations; raise it when the detector or what is stored changes."""
_ARRAYS = ("landmarks", "z", "sigma", "visible")


def seen_once(detector: FaceDetector, photo: Photo, cache: Path) -> FaceObservation | None:
    """The face that the command would take, from the cache if the picture was seen before."""
    digest = hashlib.sha256(f"{_FORMAT} {photo.pixels.shape}".encode())
    digest.update(photo.pixels.tobytes())
    file = cache / "faces" / f"{digest.hexdigest()[:24]}.npz"
    if not file.is_file():
        found = detector.detect(photo)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, packed(found[0]) if found else b"")
    content = file.read_bytes()
    return unpacked(content) if content else None


def packed(face: FaceObservation) -> bytes:
    """An observation as npz without pickle."""
    arrays = {name: getattr(face, name) for name in _ARRAYS}
    rest = {
        "presence": face.presence,
        "source": face.source,
        "image_size": face.image_size,
        "quality": asdict(face.quality),
        "blendshapes": face.blendshapes,
    }
    if face.masks is not None:
        rest["box"] = face.masks.box
        arrays["skin"] = face.masks.skin
        if face.masks.person is not None:
            arrays["person"] = face.masks.person
    out = io.BytesIO()
    np.savez_compressed(out, rest=np.array(json.dumps(rest)), **arrays)
    return out.getvalue()


def unpacked(content: bytes) -> FaceObservation:
    """What was `packed`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    rest = json.loads(str(arrays.pop("rest")))
    masks = None
    if "box" in rest:
        left, top, right, bottom = rest["box"]
        masks = FaceMasks((left, top, right, bottom), arrays["skin"], arrays.get("person"))
    width, height = rest["image_size"]
    return FaceObservation(
        *(arrays[name] for name in _ARRAYS),
        presence=rest["presence"],
        source=rest["source"],
        image_size=(width, height),
        quality=FaceQuality(**rest["quality"]),
        blendshapes=rest["blendshapes"],
        masks=masks,
    )
