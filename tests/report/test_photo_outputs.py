"""The files of a photo run: all of them, or none."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rigface.cameras.camera import orbiting
from rigface.errors import InputError
from rigface.evidence.face import FaceObservation
from rigface.evidence.photo import Photo
from rigface.fit.photo import PhotoConfig, PhotoSettings, fit_photos
from rigface.fit.photo_result import PhotoResult
from rigface.report import photo_outputs
from rigface.report.photo_outputs import write_photo_outputs
from rigface.rig.landmark_embedding import load_landmark_embedding
from rigface.rig.template_io import load_template

SIZE = (400, 400)


@pytest.fixture(scope="module")
def result() -> PhotoResult:
    """The template before a camera, fitted in a hurry."""
    view = orbiting((0.0, -0.03, 0.03), 0.0, 0.05, 0.55, 700.0, SIZE)
    places = load_landmark_embedding().positions(load_template().mesh.vertices)
    face = FaceObservation(
        landmarks=view.project(torch.from_numpy(places))[0].numpy(),
        z=np.zeros(478),
        sigma=np.ones(478),
        visible=np.ones(478, dtype=bool),
        presence=1.0,
        source="test",
        image_size=SIZE,
    )
    photo = Photo(np.full((*SIZE, 3), 90, dtype=np.uint8), 700.0)
    config = PhotoConfig(settings=PhotoSettings(rounds=1, steps=1))
    return fit_photos([photo], [face], config)


def test_what_goes_wrong_beside_is_told_and_leaves_nothing(
    result: PhotoResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise InputError("no GLB today")

    monkeypatch.setattr(photo_outputs, "encode_glb", refuse)
    with pytest.raises(InputError, match="no GLB today"):
        write_photo_outputs(result, None, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_the_report_shows_the_baked_rig_whatever_the_file_holds(
    result: PhotoResult, tmp_path: Path
) -> None:
    write_photo_outputs(result, None, tmp_path / "baked")
    write_photo_outputs(result, None, tmp_path / "asm", rig="asm")
    baked, asm = ((tmp_path / name / "face.glb").read_bytes() for name in ("baked", "asm"))
    assert baked != asm
    for name in ("overlay.png", "neutral.ply", "cameras.json"):
        one, other = ((tmp_path / rig / name).read_bytes() for rig in ("baked", "asm"))
        assert one == other, name
