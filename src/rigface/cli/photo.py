"""`rigface photo IMG [IMG ...] -o DIR`: photos of one person become a rigged, textured face."""

import math
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from rigface.cli.checks import check_rig_detail
from rigface.cli.messages import conclude
from rigface.cli.process import beside, importing
from rigface.cli.scan import Formats, ModelChoice
from rigface.errors import InputError, UsageError
from rigface.progress import Progress, open_progress

if TYPE_CHECKING:
    from rigface.cameras import Camera
    from rigface.evidence.face import FaceObservation
    from rigface.evidence.label_map import LabelMap
    from rigface.evidence.photo import Photo
    from rigface.fit.iris import HeadSize
    from rigface.io.cameras import CameraFile

UNLIKELY_SIZE = 0.25
"""Of the logarithm of a head's size against the average: six times the spread of adults."""


@dataclass(frozen=True)
class PhotoCommand:
    """Fit photos of one person and write face.glb, texture, overlay, cameras, landmarks,
    report.html and result.json."""

    images: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IMG")]
    """Photos of one person: JPEG, PNG, WebP, TIFF, BMP; HEIC with the extra `heic`."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the results; created if it does not exist."""
    landmarks: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Your own 68 or 478 points of one photo in pixels, instead of a detector."""
    task: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """A face_landmarker.task for the LiteRT back-end, instead of mediapipe."""
    face: int | None = None
    """Which face of a photo with several: 0 is the largest."""
    all: bool = False
    """Every face of one photo, each in a folder of its own below DIR."""
    model: ModelChoice = "asm"
    """Adaptive skinning model, a linear 3DMM, or the joint rig JNR with its initial weights,
    learned ones, or learned ones and a decoder."""
    recipe: Literal["default", "landmarks", "paper"] = "default"
    """`landmarks`: nothing else of the photos counts; `paper`: the schedule of ASM's paper, for
    comparison (slower and less accurate)."""
    shared_expression: bool = False
    """All photos show the same expression."""
    cameras: Annotated[Path | None, tyro.conf.arg(metavar="FILE_OR_DIR")] = None
    """Known cameras: cameras.json, transforms.json, a COLMAP model or Metashape's XML."""
    labels: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Face parsings, NAME.png for every photo NAME.*, in the class numbers of CelebAMask-HQ."""
    delight: bool = False
    """Divide an estimate of the light out of the texture."""
    texture: Literal[512, 1024, 2048, 4096] = 2048
    """Size of the texture in pixels."""
    lod: Literal[0, 1, 2] = 0
    """Level of detail of the skin: 4k, 17k or 67k vertices."""
    rig: Literal["baked", "asm"] = "baked"
    """Joints of face.glb: rigid ones on the fitted mesh, or the model's exact hierarchy."""
    save: Formats = ("glb",)
    """Formats of the rigged head (face.*); the other files are always written."""
    seed: int = 0
    """Seed of everything that is drawn; same input, seed and machine: same parameters."""
    quiet: bool = False
    """Print errors only."""
    json: bool = False
    """Print the content of result.json on stdout and nothing else there."""

    def run(self) -> int:
        from rigface.io import check_writable
        from rigface.io.image import read_photo

        check_rig_detail(self.rig, self.lod)
        if len(self.images) > 1 and (self.landmarks or self.all or self.face is not None):
            raise UsageError("--landmarks, --face and --all are for a single photo")
        if self.labels is not None and (self.all or self.face is not None):
            raise UsageError("--labels is for one face per photo; leave out --all and --face")
        if self.cameras is not None and (self.all or self.face is not None):
            raise UsageError("--cameras is for one person's photos; leave out --all and --face")
        if self.recipe == "paper" and (self.model != "asm" or self.cameras is not None):
            raise UsageError("--recipe paper is for --model asm and unknown cameras")
        check_writable(self.out)
        with closing(open_progress(sys.stderr, self.quiet)) as progress:
            # Decoding and networks are native code: the interpreter is free for imports meanwhile.
            ready = beside(partial(_get_ready, self.model))
            with progress.stage("load"):
                photos = [read_photo(path) for path in self.images]
            known = self._known_cameras(photos)
            labels = self._labels(photos)
            with progress.stage("detect"):
                faces = self._faces(photos)
            if labels is not None:
                faces = [
                    [replace(face, labels=own) for face in found]
                    for found, own in zip(faces, labels, strict=True)
                ]
            with progress.stage("start"):
                ready.result()
            if self.all:
                codes = [
                    self._fit(photos, [face], self.out / f"face_{number}", progress)
                    for number, face in enumerate(faces[0])
                ]
                return max(codes)
            chosen = [found[self.face or 0] if found else None for found in faces]
            counts = [len(found) for found in faces]
            return self._fit(photos, chosen, self.out, progress, counts, known)

    def _labels(self, photos: "list[Photo]") -> "tuple[LabelMap, ...] | None":
        if self.labels is None:
            return None
        from rigface.io.label_map import labels_of

        return labels_of(photos, self.labels)

    def _known_cameras(self, photos: "list[Photo]") -> "KnownCameras | None":
        if self.cameras is None:
            return None
        from rigface.io.cameras import cameras_of, read_camera_file

        file = read_camera_file(self.cameras)
        return KnownCameras(file, cameras_of(photos, file.cameras, self.cameras))

    def _faces(self, photos: "list[Photo]") -> "list[list[FaceObservation]]":
        from rigface.perception import load_detector

        with importing():
            detector = load_detector("auto", task=self.task, landmarks=self.landmarks)
        out = []
        for photo in photos:
            found = detector.detect(photo)
            if not found and len(photos) > 1:
                out.append([])
                continue
            if not found:
                from rigface.fit.photo_choice import no_face  # waits for the imports beside

                raise InputError(no_face(photo))
            wanted = self.face or 0
            if not 0 <= wanted < len(found):
                raise UsageError(
                    f"--face {wanted} was asked for, but {photo.source} shows {len(found)} "
                    f"{'face' if len(found) == 1 else 'faces'}: 0 to {len(found) - 1}"
                )
            out.append(found)
        return out

    def _fit(
        self,
        photos: "list[Photo]",
        faces: "list[FaceObservation | None]",
        out: Path,
        progress: Progress,
        counts: list[int] | None = None,
        known: "KnownCameras | None" = None,
    ) -> int:
        from rigface.fit.photo import PhotoConfig, fit_photos, head_space
        from rigface.fit.texture import dress
        from rigface.render.texture import SkinSheet
        from rigface.report.photo_outputs import write_photo_outputs
        from rigface.rig.template_io import load_template

        sheet = beside(partial(SkinSheet.of, load_template(), self.texture))
        config = PhotoConfig(self.shared_expression, self.recipe, self.seed)
        cameras = known.of_photos if known else None
        metric = known is None or known.file.metric
        result = fit_photos(
            photos,
            faces,
            config,
            progress,
            model=head_space(self.model),
            cameras=cameras,
            metric_cameras=metric,
        )
        if known:
            said = (*known.file.notes, *unit_doubts(known.file, result.size, len(photos)))
            result = replace(result, warnings=(*said, *result.warnings))
        if self.face is None:
            several = tuple(
                f"{photo.source.name if photo.source else 'the photo'} shows {count} faces; the "
                "largest was taken (--face N chooses, --all fits each)"
                for photo, count in zip(photos, counts or (), strict=False)
                if count > 1
            )
            result = replace(result, warnings=(*several, *result.warnings))
        with progress.stage("texture"):
            dressed = dress(result, self.texture, self.delight, sheet.result())
        with progress.stage("write"):
            write_photo_outputs(
                result, dressed, out, rig=self.rig, save=self.save, lod=self.lod, progress=progress
            )
        return conclude(out, describe, as_json=self.json, quiet=self.quiet)


def _get_ready(model: ModelChoice) -> None:
    """All that a fit needs before it sees a photo."""
    with importing():
        import rigface.fit.photo
        import rigface.fit.texture
        import rigface.report.photo_outputs  # noqa: F401
    rigface.fit.photo.head_space(model)


@dataclass(frozen=True)
class KnownCameras:
    """A camera file and what it says of each photo."""

    file: "CameraFile"
    of_photos: "tuple[Camera, ...]"


def unit_doubts(file: "CameraFile", size: "HeadSize", photos: int) -> list[str]:
    """What to say of a head whose size may or may not rest on a camera file."""
    if not file.metric and photos > 1:
        return [
            f"{file.source} does not say its unit, so the size of the head is by the {size.how} "
            f"and good to {196 * size.log_sigma:.0f} % (95 %); scale the cameras to metres if it "
            "matters"
        ]
    if size.how != "cameras":
        return []
    times = f"the head came out {size.scale:.2f} times as large as the average"
    if abs(math.log(size.scale)) > UNLIKELY_SIZE:
        return [f"{file.source}: {times}; check that its unit is the metre"]
    return []


def describe(summary: dict[str, Any]) -> list[str]:
    """How good the fit is."""
    metrics, scale = summary["metrics"], summary["scale"]
    spread = 196 * scale["relative_sigma"]
    more = [] if summary["advice"] is None else [f"for a better shape: {summary['advice']}"]
    return [
        f"landmarks: {metrics['reprojection_percent']:.1f} % of the eye distance from the fit "
        f"(median); shape known to {metrics['shape_sigma_mm']:.1f} mm",
        f"size of the head: by the {scale['how']}, good to {spread:.0f} % (95 %)",
        *more,
    ]
