"""Camera files in JSON: our own `cameras.json` (OpenCV), nerfstudio's `transforms.json` (OpenGL).

Both hold named pictures with one pinhole camera each. The dictionary's keys are the names of the
image files. docs/formats.md prints both layouts.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rigface.cameras import Camera
from rigface.errors import InputError
from rigface.io.atomic import atomic_file
from rigface.io.camera_file import CameraFile, checked_name, joined_notes
from rigface.io.lens import Lens, check_numbers, check_rotation

FORMAT = "rigface-cameras"
_VERSION = 1
_MAX_BYTES = 64 << 20
_FLIP = np.array([1.0, -1.0, -1.0])
"""OpenGL's camera looks along -z with y up: its y and z axes are minus OpenCV's."""
_DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
_MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL")
"""Brown's distortion; what nerfstudio calls a fisheye bends otherwise."""


def save_cameras(path: str | Path, cameras: Mapping[str, Camera]) -> None:
    """Write cameras by image name as `cameras.json`; every number comes back exactly.

    Raises OutputError where the file cannot be written.
    """
    rows = []
    for name, camera in cameras.items():
        rows.append(
            {"image": name, **_pinhole(camera, ("width", "height", "fx", "fy", "cx", "cy"))}
        )
        rows[-1]["cam_from_world"] = _numbers(camera.cam_from_world)
    content = {
        "format": FORMAT,
        "version": _VERSION,
        "convention": "OpenCV: x right, y down, z forward; first pixel's centre at (0.5, 0.5)",
        "unit": "metre",
        "cameras": rows,
    }
    _write(Path(path), content)


def load_cameras(path: str | Path) -> dict[str, Camera]:
    """Read a `cameras.json`; float64. Raises InputError for anything that is not one."""
    path = Path(path)
    return cameras_from_json(path, read_json(path))


def cameras_from_json(path: Path, content: Mapping[str, Any]) -> dict[str, Camera]:
    """The cameras of a `cameras.json` that has been parsed. Raises InputError."""
    if content.get("format") != FORMAT or not isinstance(content.get("cameras"), list):
        raise InputError(
            f'{path} is no {FORMAT} file: it has no list \'cameras\' under "format": "{FORMAT}". '
            "A nerfstudio file is read by load_transforms."
        )
    out: dict[str, Camera] = {}
    for number, row in enumerate(content["cameras"]):
        where = f"{path}, camera {number}"
        lens = read_lens(row, ("width", "height", "fx", "fy", "cx", "cy"), where)
        matrix = _matrix(row, "cam_from_world", where)
        name = checked_name(row.get("image"), out, "image", where)
        out[name] = lens.camera(matrix[:3, :3], matrix[:3, 3])
    return out


def save_transforms(path: str | Path, cameras: Mapping[str, Camera]) -> None:
    """Write cameras by image name as nerfstudio's `transforms.json` (camera to world, OpenGL).

    Focal lengths stand in each frame. Raises OutputError where the file cannot be written.
    """
    frames = []
    for name, camera in cameras.items():
        world_from_cam = np.eye(4)
        rotation = camera.rotation.detach().cpu().double().numpy()
        world_from_cam[:3, :3] = rotation.T * _FLIP
        world_from_cam[:3, 3] = camera.position.detach().cpu().double().numpy()
        frame: dict[str, Any] = {"file_path": name}
        frame |= _pinhole(camera, ("w", "h", "fl_x", "fl_y", "cx", "cy"))
        frames.append(frame | {"transform_matrix": world_from_cam.tolist()})
    _write(Path(path), {"camera_model": "OPENCV", "frames": frames})


def load_transforms(path: str | Path) -> dict[str, Camera]:
    """Read a nerfstudio `transforms.json` of undistorted pictures; float64, in the file's unit.

    Intrinsics may stand in each frame or once at the top. Raises InputError for anything else, and
    for lens distortion above `lens.MAX_BEND`: undistort the pictures first.
    """
    path = Path(path)
    return dict(cameras_from_transforms(path, read_json(path)).cameras)


def cameras_from_transforms(path: Path, content: Mapping[str, Any]) -> CameraFile:
    """The cameras of a `transforms.json` that has been parsed. Raises InputError."""
    if not isinstance(content.get("frames"), list):
        raise InputError(
            f"{path} is no nerfstudio transforms file: it has no list 'frames'. "
            "A cameras.json is read by load_cameras."
        )
    out: dict[str, Camera] = {}
    notes: list[str | None] = []
    for number, frame in enumerate(content["frames"]):
        where = f"{path}, frame {number}"
        row = {**content, **frame} if isinstance(frame, dict) else frame
        lens = read_lens(row, ("w", "h", "fl_x", "fl_y", "cx", "cy"), where)
        notes.append(lens.straight(where, "run colmap image_undistorter before ns-process-data"))
        matrix = _matrix(row, "transform_matrix", where)
        rotation = (matrix[:3, :3] * _FLIP).T
        name = checked_name(row.get("file_path"), out, "file_path", where)
        out[name] = lens.camera(rotation, -rotation @ matrix[:3, 3])
    return CameraFile(out, path, metric=False, notes=joined_notes(path, notes))


def _pinhole(camera: Camera, keys: tuple[str, ...]) -> dict[str, Any]:
    if camera.focal.shape != (2,) or camera.rotation.shape != (3, 3):
        raise ValueError("one camera per picture: a batch of cameras has to be split first")
    numbers = [*camera.size, *_numbers(camera.focal), *_numbers(camera.centre)]
    return dict(zip(keys, numbers, strict=True))


def _numbers(values: torch.Tensor) -> list:
    return values.detach().cpu().double().tolist()


def _write(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, allow_nan=False)
    with atomic_file(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds. Raises InputError for any other file."""
    try:
        if not path.is_file():
            raise InputError(f"the camera file {path} does not exist. Check the path.")
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is larger than {_MAX_BYTES >> 20} MB: no camera file.")
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is no readable JSON file: {str(error)[:80]}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a JSON {type(content).__name__}; expected an object.")
    return content


def read_lens(row: Any, keys: tuple[str, ...], where: str) -> Lens:
    """Width, height, focal lengths, principal point, and distortion if there is any; checked."""
    if not isinstance(row, dict):
        raise InputError(f"{where} is no JSON object.")
    model = str(row.get("camera_model", "OPENCV")).upper()
    if model not in _MODELS:
        raise InputError(
            f"{where} has the camera model {model[:40]}; expected one of {', '.join(_MODELS)}."
        )
    values = [_number(row.get(key)) for key in keys]
    check_numbers(values, keys, where)
    width, height, *lens = values
    k1, k2, k3, k4, p1, p2 = bent = [_number(row.get(key, 0)) for key in _DISTORTION]
    if not np.isfinite(bent).all():
        raise InputError(f"{where}: {', '.join(_DISTORTION)} must be finite numbers.")
    return Lens(
        (int(width), int(height)),
        (lens[0], lens[1]),
        (lens[2], lens[3]),
        (k1, k2, k3, k4),
        (p1, p2),
    )


def _number(value: Any) -> float:
    """A JSON number; NaN for anything else."""
    good = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return float(value) if good else math.nan
    except OverflowError:
        return math.nan


def _matrix(row: dict[str, Any], key: str, where: str) -> np.ndarray:
    """A rigid 4x4 matrix, checked."""
    try:
        matrix = np.array(row.get(key), dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        matrix = np.zeros(0)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise InputError(f"{where} lacks '{key}' as four rows of four finite numbers.")
    check_rotation(matrix[:3, :3], key, where)
    return matrix
