"""Unusable input through the whole command: exit code 3, one clear message, nothing left behind."""

import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scan_files import glb_bytes, gltf_parts, obj_text, ply_bytes, sheet, stl_bytes
from stick_body import stick_body
from synthetic_fits import truth

import rigface
from rigface.cli import main
from rigface.errors import InputError

VERTICES, FACES = sheet(40, 40)
FEW, FEW_FACES = sheet()
HEADER = (
    "ply\nformat binary_little_endian 1.0\nelement vertex {}\n"
    "property float x\nproperty float y\nproperty float z\nend_header\n"
)


def spoiled(value: float) -> np.ndarray:
    changed = VERTICES.copy()
    changed[[3, 700], 1] = value
    return changed


def absurd_glb() -> bytes:
    content, buffer = gltf_parts(VERTICES, FACES)
    content["accessors"][0]["count"] = 10**12
    return glb_bytes(content, buffer)


def absurd_stl() -> bytes:
    return bytes(80) + struct.pack("<I", 2**32 - 1) + bytes(500)


FILES: dict[str, tuple[str, bytes | str | None, list[str]]] = {
    "missing": ("absent.obj", None, ["does not exist", "Check the spelling"]),
    "empty": ("empty.ply", b"", ["empty (0 bytes)", "export"]),
    "text as OBJ": ("letter.obj", "Dear Sir or Madam,\nplease find attached\n", ["no vertices"]),
    "text as PLY": ("letter.ply", "Dear Sir or Madam,\n", ["no PLY file"]),
    "text as GLB": ("letter.glb", "Dear Sir or Madam,\n", ["no GLB file"]),
    "text as STL": ("letter.stl", "Dear Sir or Madam,\n", ["no STL file"]),
    "unknown format": ("scan.doc", "v 0 0 0\n", [".doc", ".ply", "convert"]),
    "truncated PLY": ("cut.ply", ply_bytes(VERTICES, FACES)[:9000], ["cut short", "1,600"]),
    "truncated GLB": (
        "cut.glb",
        glb_bytes(*gltf_parts(VERTICES, FACES))[:9000],
        ["cut short", "9,000"],
    ),
    "NaN": ("nan.ply", ply_bytes(spoiled(np.nan), FACES), ["2 vertices of 1,600", "number 3"]),
    "infinite": ("inf.obj", obj_text(spoiled(np.inf), FACES), ["2 vertices of 1,600", "infinite"]),
    "too few points": ("few.obj", obj_text(FEW, FEW_FACES[:0]), ["30 points", "at least 500"]),
    "too small a mesh": ("tile.obj", obj_text(FEW, FEW_FACES), ["face", "scan"]),
    "only degenerate faces": (
        "flat.obj",
        obj_text(FEW, np.repeat(FEW_FACES[:, :1], 3, axis=1)),
        ["no usable face", "500"],
    ),
    "faces beyond": ("beyond.obj", obj_text(VERTICES, FACES + 50), ["missing vertices", "1,600"]),
    "absurd PLY": ("absurd.ply", HEADER.format(10**15).encode() + bytes(100), ["50,000,000"]),
    "large PLY": ("large.ply", HEADER.format(4 * 10**7).encode() + bytes(100), ["480,000,000"]),
    "absurd GLB": ("absurd.glb", absurd_glb(), ["1,000,000,000,000"]),
    "absurd STL": ("absurd.stl", absurd_stl(), ["4,294,967,295"]),
    "one place": ("dot.obj", obj_text(np.ones((600, 3)), FACES[:20] % 600), ["no extent"]),
}


def written(name: str, content: bytes | str | None, folder: Path) -> Path:
    path = folder / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(path: Path, out: Path, capsys, *more: str, title: str = "unusable input") -> str:
    """Run the command, check everything that holds for every refusal, return the message."""
    before = sorted(out.parent.rglob("*"))
    code = main(["scan", str(path), "-o", str(out), "--quiet", *more])
    stdout, stderr = capsys.readouterr()
    assert code == 3, stderr
    assert stdout == ""
    assert stderr.startswith(f"rigface: {title}\n  ") and "Traceback" not in stderr
    assert stderr.count("rigface: ") == 1
    assert sorted(out.parent.rglob("*")) == before, "something was left behind"
    return stderr


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_no_scan(case, tmp_path, capsys):
    name, content, words = FILES[case]
    message = refused(written(name, content, tmp_path), tmp_path / "out", capsys)
    assert name in message or case == "too small a mesh"
    assert all(word in message for word in words), message
    assert len(message.split()) < 80


@pytest.mark.parametrize("case", [case for case in FILES if case.startswith(("absurd", "large"))])
def test_absurd_sizes_are_refused_before_anything_is_allocated(case, tmp_path):
    name, content, _ = FILES[case]
    path = written(name, content, tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            rigface.load_scan(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def cube() -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.box(extents=(150, 200, 180))
    for _ in range(5):
        mesh = mesh.subdivide()
    return np.array(mesh.vertices), np.array(mesh.faces)


def sphere() -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.icosphere(subdivisions=5, radius=90)
    return np.array(mesh.vertices), np.array(mesh.faces)


def torus() -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.torus(major_radius=70, minor_radius=30)
    return np.array(mesh.vertices), np.array(mesh.faces)


def figure() -> tuple[np.ndarray, np.ndarray]:
    return stick_body()


def body_with_a_face() -> tuple[np.ndarray, np.ndarray]:
    """There is a face, a small part of the whole."""
    scan = truth().scan
    assert scan.faces is not None
    return stick_body((truth().scan_from_model.inverse().apply(scan.vertices), scan.faces))


NO_HEADS: dict[Callable[[], tuple[np.ndarray, np.ndarray]], str] = {
    cube: "no face was found",
    sphere: "no face was found",
    torus: "no face was found",
    figure: "no face was found",
    body_with_a_face: "no face was found",
}


@pytest.mark.parametrize("shape", NO_HEADS, ids=lambda shape: shape.__name__)
def test_a_mesh_that_is_no_head(shape, tmp_path, capsys):
    vertices, faces = shape()
    rigface.save_ply(tmp_path / "mesh.ply", rigface.Mesh(vertices, faces.astype(np.int64)))
    message = refused(tmp_path / "mesh.ply", tmp_path / "out", capsys)
    assert NO_HEADS[shape] in message and "crop" in message


def test_a_cloud_that_is_no_head(tmp_path, capsys):
    ball = np.random.default_rng(0).standard_normal((4000, 3))
    ball *= 90 / np.linalg.norm(ball, axis=1, keepdims=True)
    rigface.save_ply(tmp_path / "ball.ply", rigface.Mesh(ball, np.zeros((0, 3), int)))
    assert "no face was found" in refused(tmp_path / "ball.ply", tmp_path / "out", capsys)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("absent.csv", None, ["absent.csv", "does not exist"]),
        ("letter.csv", "Dear Sir or Madam,\n", ["letter.csv", "no points"]),
        ("marks.docx", "x", ["marks.docx", ".csv"]),
        ("marks.json", "{", ["marks.json", "nose_tip"]),
        ("image.txt", "100 200\n" * 68, ["image.txt", "x y z"]),
        ("nan.csv", "nose_tip,nan,0,0\nchin,0,1,0\nnasion,0,0,1\n", ["nan.csv", "NaN"]),
        ("elbow.csv", "elbow,1,0,0\nchin,0,1,0\nnasion,0,0,1\n", ["elbow", "Known names"]),
        ("two.csv", "nose_tip,1,0,0\nchin,0,1,0\n", ["two.csv", "at least 3"]),
        ("line.csv", "nose_tip,0,0,0\nchin,1,1,1\nnasion,2,2,2\n", ["one line"]),
    ],
)
def test_landmarks_that_cannot_be_used(name, content, words, tmp_path, capsys):
    scan = truth().scan
    assert scan.faces is not None
    rigface.save_ply(tmp_path / "scan.ply", rigface.Mesh(scan.vertices, scan.faces))
    marks = written(name, content, tmp_path)
    message = refused(tmp_path / "scan.ply", tmp_path / "out", capsys, "--landmarks", str(marks))
    assert all(word in message for word in words), message


@pytest.mark.parametrize("out", ["taken", "taken/deeper", "taken/deeper/still"])
def test_an_output_that_cannot_be_written(out, tmp_path, capsys):
    """A file in the way stops even root."""
    scan = truth().scan
    assert scan.faces is not None
    rigface.save_ply(tmp_path / "scan.ply", rigface.Mesh(scan.vertices, scan.faces))
    (tmp_path / "taken").write_text("mine")
    title = "cannot write the output"
    message = refused(tmp_path / "scan.ply", tmp_path / out, capsys, title=title)
    assert "taken is a file" in message and "another folder" in message
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_command_of_its_own_says_the_same(tmp_path):
    """One for each kind, in a process: no traceback, no noise of libraries, exit code 3."""
    absent = tmp_path / "absent.obj"
    absurd = written("absurd.glb", absurd_glb(), tmp_path)
    flat = written("tile.stl", stl_bytes(VERTICES, FACES), tmp_path)
    code = "import sys; from rigface.cli import main; sys.exit(main())"
    for path, words in (
        (absent, "does not exist"),
        (absurd, "1,000,000,000,000"),
        (flat, "no face was found"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, "scan", path, "-o", tmp_path / "out"],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 3, done.stderr
        assert done.stdout == "" and words in done.stderr
        assert "Traceback" not in done.stderr and "Warning" not in done.stderr
        assert not (tmp_path / "out").exists()
