"""`rigface photo --labels DIR`: face parsings of the user, by the photos' names."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rigface.cli import main
from rigface.errors import InputError
from rigface.evidence.label_map import LabelMap


@dataclass(frozen=True)
class Face:
    """What stands for an observation."""

    labels: LabelMap | None = None


class Detector:
    """Finds something in every photo."""

    def detect(self, photo):
        return [Face()]


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    names = [str(tmp_path / f"view {i}.jpg") for i in range(2)]
    for name in names:
        Image.fromarray(np.zeros((96, 128, 3), np.uint8)).save(name)
    return names


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Face]:
    """The faces that the command hands to the fit, which then gives up."""
    out = []

    def fit(photos, faces, *_, **__):
        out.extend(faces)
        raise InputError("as far as this test goes")

    monkeypatch.setattr("rigface.perception.load_detector", lambda *_, **__: Detector())
    monkeypatch.setattr("rigface.fit.photo.fit_photos", fit)
    return out


def draw(folder: Path, name: str, nose: int, shape: tuple[int, int] = (96, 128)) -> None:
    classes = np.zeros(shape, np.uint8)
    classes[10:40, 20:40] = 1
    classes[:nose, 0] = 2
    folder.mkdir(exist_ok=True)
    Image.fromarray(classes).save(folder / name)


def rigface(*arguments: str | Path) -> int:
    return main(["photo", *map(str, arguments), "--quiet"])


def test_every_face_gets_the_map_of_its_photo(tmp_path, photos, given):
    for number in (1, 0):
        draw(tmp_path / "maps", f"view {number}.png", nose=5 + number)
    draw(tmp_path / "maps", "of nobody.png", nose=9)
    assert rigface(*photos, "-o", tmp_path / "o", "--labels", tmp_path / "maps") == 3
    assert [int((face.labels.classes == 2).sum()) for face in given] == [5, 6]
    given.clear()
    assert rigface(*photos, "-o", tmp_path / "o") == 3
    assert [face.labels for face in given] == [None, None]


def refused(arguments: list, capsys: pytest.CaptureFixture[str]) -> str:
    assert rigface(*arguments) == 3
    return " ".join(capsys.readouterr().err.split())


def test_maps_that_do_not_match_are_named(tmp_path, photos, given, capsys):
    call = [*photos, "-o", tmp_path / "o", "--labels", tmp_path / "maps"]
    assert "is no folder" in refused(call, capsys)
    draw(tmp_path / "maps", "view 0.png", nose=5)
    said = refused(call, capsys)
    assert "lacks view 1.png" in said and "It holds view 0.png" in said
    draw(tmp_path / "maps", "view 1.png", nose=5, shape=(128, 96))
    assert "96 x 128 pixels, the photo 128 x 96" in refused(call, capsys)
    assert not given and not (tmp_path / "o").exists()


@pytest.mark.parametrize("option", [["--all"], ["--face", "0"]])
def test_all_and_face_do_not_go_with_labels(tmp_path, photos, option, capsys):
    code = rigface(photos[0], "-o", tmp_path / "o", "--labels", tmp_path, *option)
    assert code == 2
    assert "--labels is for one face per photo" in capsys.readouterr().err
