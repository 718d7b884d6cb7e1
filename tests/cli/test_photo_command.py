"""The real command on a real photo: what a user gets, and what they get told."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gltf_reader import read_glb
from PIL import Image

from rigface.io.cameras import load_cameras, load_transforms
from rigface.report.result_json import PHOTO_SCHEMA, schema_problems

pytest.importorskip("mediapipe")
data = pytest.importorskip("skimage.data")

COMMAND = [sys.executable, "-c", "import sys; from rigface.cli import main; sys.exit(main())"]
FILES = {
    "face.glb", "fit.ply", "neutral.ply", "overlay.png", "texture.png", "cameras.json",
    "transforms.json", "landmarks.json", "params.safetensors", "report.html", "result.json",
}  # fmt: skip


def rigface(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photo")


@pytest.fixture(scope="module")
def portrait(folder: Path) -> Path:
    """A JPEG with a place and a camera in its EXIF."""
    image = Image.fromarray(data.astronaut())
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    image.save(folder / "me.jpg", quality=95, exif=exif)
    return folder / "me.jpg"


@pytest.fixture(scope="module")
def run(folder: Path, portrait: Path) -> subprocess.CompletedProcess[str]:
    return rigface("photo", portrait, "-o", folder / "out", "--json")


def test_succeeds_and_writes_every_file(run: subprocess.CompletedProcess[str], folder: Path):
    assert run.returncode == 0, run.stderr
    assert run.stdout == (folder / "out" / "result.json").read_text()
    assert {path.name for path in (folder / "out").iterdir()} == FILES
    stages = [line.split(":")[0] for line in run.stderr.splitlines()]
    expected = ["load", "detect", "start", "fit", "texture", "write"]
    assert [stage for stage in stages if stage in expected] == expected


def test_the_numbers_are_good(run: subprocess.CompletedProcess[str]):
    result = json.loads(run.stdout)
    assert schema_problems(result, PHOTO_SCHEMA) == []
    assert result["ok"] and result["reason"] is None
    assert result["metrics"]["reprojection_percent"] < 2.5
    assert result["quality"]["flipped"] < 0.001
    assert result["scale"]["how"] == "iris"
    low, high = result["scale"]["interval_95"]
    assert 0.85 < low < 1 < high < 1.18
    smile = result["views"][0]["expression"]
    assert smile.get("mouthSmileLeft", 0) + smile.get("mouthSmileRight", 0) > 0.3


def test_the_head_is_rigged_and_textured(run: subprocess.CompletedProcess[str], folder: Path):
    file = read_glb((folder / "out" / "face.glb").read_bytes()).document
    names = file["meshes"][0]["extras"]["targetNames"]
    assert len(names) == 52
    assert len(file["skins"][0]["joints"]) > 84
    skin = next(m for m in file["materials"] if m["name"] == "skin")
    assert "baseColorTexture" in skin["pbrMetallicRoughness"]
    texture = np.asarray(Image.open(folder / "out" / "texture.png"))
    assert texture.shape == (2048, 2048, 3)


def test_cameras_agree_and_project_the_landmarks(
    run: subprocess.CompletedProcess[str], folder: Path
):
    import torch

    (camera,) = load_cameras(folder / "out" / "cameras.json").values()
    (other,) = load_transforms(folder / "out" / "transforms.json").values()
    torch.testing.assert_close(camera.cam_from_world, other.cam_from_world)
    (row,) = json.loads((folder / "out" / "landmarks.json").read_text())["photos"]
    space = torch.tensor(row["mediapipe478"]["head_m"], dtype=torch.float64)
    pixels, depth = camera.project(space)
    seen = torch.tensor(row["mediapipe478"]["px"], dtype=torch.float64)
    eyes = (seen[33] - seen[263]).norm()
    assert float((pixels - seen).norm(dim=1).median() / eyes) < 0.03
    assert 0.2 < float(depth.median()) < 10


def test_nothing_of_the_exif_reaches_an_output(run: subprocess.CompletedProcess[str], folder: Path):
    for path in (folder / "out").iterdir():
        assert b"SecretCamera" not in path.read_bytes(), path.name


def test_jnr_by_landmarks_alone_has_its_own_joints(portrait: Path, tmp_path: Path):
    out = tmp_path / "jnr"
    command = ["photo", portrait, "-o", out, "--model", "jnr-linear", "--recipe", "landmarks"]
    done = rigface(*command, "--texture", "512", "--quiet")
    assert done.returncode == 0, done.stderr
    file = read_glb((out / "face.glb").read_bytes()).document
    joints = {file["nodes"][index]["name"] for index in file["skins"][0]["joints"]}
    assert {"Skull_Root", "Chin", "Nose_Tip", "jaw", "eyeball.L"} <= joints and len(joints) == 60
    result = json.loads((out / "result.json").read_text())
    assert result["model"] == "jnr-linear" and result["settings"]["recipe"] == "landmarks"
    assert result["metrics"]["reprojection_percent"] < 3


def test_the_papers_recipe_is_asms(portrait: Path, tmp_path: Path):
    done = rigface("photo", portrait, "-o", tmp_path / "out", "--model", "jnr", "--recipe", "paper")
    assert done.returncode == 2 and "--model asm" in done.stderr
    assert not (tmp_path / "out").exists()


def no_image(folder: Path) -> Path:
    (folder / "text.jpg").write_text("this is no image")
    return folder / "text.jpg"


def cut_short(folder: Path) -> Path:
    out = io.BytesIO()
    Image.fromarray(data.astronaut()).save(out, "JPEG")
    (folder / "cut.jpg").write_bytes(out.getvalue()[:5000])
    return folder / "cut.jpg"


def no_face(folder: Path) -> Path:
    Image.fromarray(data.coins()).save(folder / "coins.png")
    return folder / "coins.png"


def one_pixel(folder: Path) -> Path:
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    return folder / "dot.png"


@pytest.mark.parametrize(
    ("make", "says"),
    [(no_image, "image"), (cut_short, "cut"), (no_face, "No face"), (one_pixel, "1 x 1")],
)
def test_bad_input_is_named_and_leaves_nothing(make, says: str, tmp_path: Path):
    done = rigface("photo", make(tmp_path), "-o", tmp_path / "out", "--quiet")
    assert done.returncode == 3, done.stderr
    assert says.lower() in done.stderr.lower()
    assert not (tmp_path / "out").exists()


def test_a_face_that_is_not_there_is_wrong_usage(portrait: Path, tmp_path: Path):
    done = rigface("photo", portrait, "-o", tmp_path / "out", "--face", "3")
    assert done.returncode == 2
    assert "shows 1 face" in done.stderr
    assert not (tmp_path / "out").exists()


def test_wrong_counts_of_landmarks_are_named(portrait: Path, tmp_path: Path):
    np.savetxt(tmp_path / "points.txt", np.ones((51, 2)))
    done = rigface(
        "photo", portrait, "-o", tmp_path / "out", "--landmarks", tmp_path / "points.txt"
    )
    assert done.returncode == 3
    assert "51" in done.stderr
    assert not (tmp_path / "out").exists()
