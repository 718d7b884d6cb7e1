"""COLMAP's sparse models: `cameras` and `images`, as text or binary; points are not looked at.

Format: https://colmap.github.io/format.html. Poses are cam_from_world in OpenCV's frame and the
first pixel's centre is at (0.5, 0.5), so nothing is converted. The unit is arbitrary unless
`colmap model_aligner` put the model to scale, and the files do not say so.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from rigface.cameras import Camera
from rigface.errors import InputError
from rigface.geometry.rotations import rotation_from_quaternion
from rigface.io.camera_file import CameraFile, checked_name, joined_notes
from rigface.io.lens import Lens, check_numbers

PLACES = ("", "sparse/0", "sparse", "0")
"""Folders below the given one in which a model is looked for, in this order."""
FILES = ("cameras.bin", "images.bin", "cameras.txt", "images.txt")
_NAMES = {0: "SIMPLE_PINHOLE", 1: "PINHOLE", 2: "SIMPLE_RADIAL", 3: "RADIAL", 4: "OPENCV"}
"""By the numbers of the binary files."""
_PARAMETERS = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
}
_UNDISTORT = "colmap image_undistorter, and give the model and the pictures that it writes"
_CAMERA, _IMAGE, _COUNT = struct.Struct("<iiQQ"), struct.Struct("<i7di"), struct.Struct("<Q")
_POINT_BYTES = 24
_MAX_NAME = 4096
_MAX_LINE = 1 << 26


@dataclass(frozen=True)
class _Pose:
    """One row of `images`."""

    name: str
    camera: int
    quaternion: tuple[float, ...]
    """wxyz of cam_from_world."""
    translation: tuple[float, ...]
    where: str


def find_model(folder: Path) -> Path | None:
    """The folder of a model in or below `folder`."""
    for place in PLACES:
        if model_suffix(folder / place) is not None:
            return folder / place
    return None


def model_suffix(folder: Path) -> str | None:
    """Of the model's two files, binary first (COLMAP's own order); None if they are not there."""
    for suffix in (".bin", ".txt"):
        if all((folder / name).is_file() for name in FILES if name.endswith(suffix)):
            return suffix
    return None


def load_colmap(folder: str | Path) -> CameraFile:
    """Read the sparse model in a folder that holds `cameras` and `images`, .bin or .txt.

    Raises InputError for missing, damaged or cut files, other camera models than pinholes with
    Brown's distortion, and for distortion above `lens.MAX_BEND`.
    """
    folder = Path(folder)
    suffix = model_suffix(folder)
    if suffix is None:
        raise InputError(
            f"{folder} holds no COLMAP model: expected cameras.txt and images.txt, or both as .bin."
        )
    cameras, images = folder / f"cameras{suffix}", folder / f"images{suffix}"
    read_lenses, read_poses = (
        (_lenses_text, _poses_text) if suffix == ".txt" else (_lenses_binary, _poses_binary)
    )
    try:
        lenses = dict(read_lenses(cameras))
        out: dict[str, Camera] = {}
        notes = [lens.straight(where, _UNDISTORT) for lens, where in lenses.values()]
        for pose in read_poses(images):
            if pose.camera not in lenses:
                raise InputError(f"{pose.where}: {cameras.name} has no camera {pose.camera}.")
            name = checked_name(pose.name, out, "NAME", pose.where)
            out[name] = lenses[pose.camera][0].camera(*_placed(pose))
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error}.") from error
    return CameraFile(out, folder, metric=False, notes=joined_notes(cameras, notes))


def _placed(pose: _Pose) -> tuple[np.ndarray, np.ndarray]:
    values = np.array([*pose.quaternion, *pose.translation])
    if not np.isfinite(values).all() or np.linalg.norm(values[:4]) < 1e-6:
        raise InputError(f"{pose.where}: QW QX QY QZ TX TY TZ is no pose.")
    rotation = rotation_from_quaternion(torch.tensor(pose.quaternion, dtype=torch.float64))
    return rotation.numpy(), values[4:]


def _lens(model: str, size: list[float], values: list[float], where: str) -> Lens:
    names = _PARAMETERS.get(model)
    if names is None:
        raise InputError(
            f"{where} has the model {model[:40]}; expected one of {', '.join(_PARAMETERS)}. "
            f"Undistort the pictures first: {_UNDISTORT}."
        )
    if len(values) != len(names):
        raise InputError(
            f"{where}: {model} has {len(names)} parameters ({', '.join(names)}), got {len(values)}."
        )
    known = dict(zip(names, values, strict=True))
    fx = known.get("fx", known.get("f", 0.0))
    focal = fx, known.get("fy", fx)
    centre = known["cx"], known["cy"]
    bent = [known.get(name, 0.0) for name in ("k1", "k2", "p1", "p2")]
    rows = ("WIDTH", "HEIGHT", "fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2")
    check_numbers([*size, *focal, *centre, *bent], rows, where)
    return Lens((int(size[0]), int(size[1])), focal, centre, (bent[0], bent[1]), (bent[2], bent[3]))


def _lenses_text(path: Path) -> Iterator[tuple[int, tuple[Lens, str]]]:
    for number, line in _lines(path):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"{path}, line {number}"
        try:
            camera, size, values = int(words[0]), words[2:4], [float(w) for w in words[4:]]
            width, height = (float(word) for word in size)
        except (ValueError, IndexError) as error:
            raise InputError(f"{where}: expected CAMERA_ID MODEL WIDTH HEIGHT PARAMS.") from error
        yield camera, (_lens(words[1], [width, height], values, where), where)


def _poses_text(path: Path) -> Iterator[_Pose]:
    """Every image has two lines; the second one, its points, may be empty."""
    lines = _lines(path)
    for number, line in lines:
        words = line.split(maxsplit=9)
        if not words or words[0].startswith("#"):
            continue
        where = f"{path}, line {number}"
        try:
            numbers = tuple(float(word) for word in words[1:8])
            int(words[0])
            camera, name = int(words[8]), words[9].strip()
        except (ValueError, IndexError) as error:
            raise InputError(
                f"{where}: expected IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME."
            ) from error
        _, points = next(lines, (0, ""))
        if len(points.split()) % 3:
            raise InputError(
                f"{path}, line {number + 1}: expected the points of {name[:60]} as X Y POINT3D_ID, "
                "or an empty line."
            )
        yield _Pose(name, camera, numbers[:4], numbers[4:], where)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_MAX_LINE):
            number += 1
            yield number, line.decode("utf-8", "replace")


def _lenses_binary(path: Path) -> Iterator[tuple[int, tuple[Lens, str]]]:
    with path.open("rb") as file:
        (count,) = _take(file, _COUNT, path)
        for number in range(count):
            where = f"{path}, camera {number}"
            camera, kind, width, height = _take(file, _CAMERA, path)
            model = _NAMES.get(kind, f"number {kind}")
            form = struct.Struct(f"<{len(_PARAMETERS.get(model, ()))}d")
            values = list(_take(file, form, path))
            yield camera, (_lens(model, [float(width), float(height)], values, where), where)


def _poses_binary(path: Path) -> Iterator[_Pose]:
    end = path.stat().st_size
    with path.open("rb") as file:
        (count,) = _take(file, _COUNT, path)
        for number in range(count):
            _, *numbers, camera = _take(file, _IMAGE, path)
            name = _text(file, path)
            (points,) = _take(file, _COUNT, path)
            if points * _POINT_BYTES > end - file.tell():
                raise _cut_short(path)
            file.seek(points * _POINT_BYTES, 1)
            where = f"{path}, image {number}"
            yield _Pose(name, camera, tuple(numbers[:4]), tuple(numbers[4:]), where)


def _take(file: BinaryIO, form: struct.Struct, path: Path) -> tuple:
    content = file.read(form.size)
    if len(content) < form.size:
        raise _cut_short(path)
    return form.unpack(content)


def _text(file: BinaryIO, path: Path) -> str:
    """Up to the next zero byte, which is skipped."""
    start = file.tell()
    content, zero, _ = file.read(_MAX_NAME).partition(b"\0")
    if not zero:
        raise _cut_short(path)
    file.seek(start + len(content) + 1)
    return content.decode("utf-8", "replace")


def _cut_short(path: Path) -> InputError:
    return InputError(f"{path} is cut short or no file of COLMAP. Copy or export it again.")
