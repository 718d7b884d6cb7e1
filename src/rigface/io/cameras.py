"""Camera files: our own `cameras.json` (OpenCV) and nerfstudio's `transforms.json` (OpenGL).

Both hold named pictures with one pinhole camera each. The dictionary's keys are the names of the
image files. docs/formats.md prints both layouts.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rigface.cameras import Camera
from rigface.errors import InputError
from rigface.io.atomic import atomic_file

FORMAT = "rigface-cameras"
_VERSION = 1
_MAX_BYTES = 64 << 20
_FLIP = np.array([1.0, -1.0, -1.0])
"""OpenGL's camera looks along -z with y up: its y and z axes are minus OpenCV's."""
_DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
_NOT_ORTHONORMAL = 1e-3


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
    content = read_object(path)
    if content.get("format") != FORMAT or not isinstance(content.get("cameras"), list):
        raise InputError(
            f'{path} is no {FORMAT} file: it has no list \'cameras\' under "format": "{FORMAT}". '
            "A nerfstudio file is read by load_transforms."
        )
    out = {}
    for number, row in enumerate(content["cameras"]):
        where = f"{path}, camera {number}"
        values = pinhole_values(row, ("width", "height", "fx", "fy", "cx", "cy"), where)
        matrix = _matrix(row, "cam_from_world", where)
        out[_name(row, "image", where, out)] = pinhole(values, matrix[:3, :3], matrix[:3, 3])
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
    """Read a nerfstudio `transforms.json` of undistorted pictures; float64.

    Intrinsics may stand in each frame or once at the top. Raises InputError for anything else, and
    for lens distortion: undistort the pictures first.
    """
    path = Path(path)
    content = read_object(path)
    if not isinstance(content.get("frames"), list):
        raise InputError(
            f"{path} is no nerfstudio transforms file: it has no list 'frames'. "
            "A cameras.json is read by load_cameras."
        )
    out = {}
    for number, frame in enumerate(content["frames"]):
        where = f"{path}, frame {number}"
        row = {**content, **frame} if isinstance(frame, dict) else frame
        values = pinhole_values(row, ("w", "h", "fl_x", "fl_y", "cx", "cy"), where)
        bent = [key for key in _DISTORTION if row.get(key, 0) != 0]
        if bent:
            raise InputError(
                f"{where} has lens distortion ({', '.join(bent)}); only pinhole cameras are read. "
                "Undistort the pictures first, for example with nerfstudio or colmap."
            )
        matrix = _matrix(row, "transform_matrix", where)
        rotation = (matrix[:3, :3] * _FLIP).T
        name = _name(row, "file_path", where, out)
        out[name] = pinhole(values, rotation, -rotation @ matrix[:3, 3])
    return out


def _pinhole(camera: Camera, keys: tuple[str, ...]) -> dict[str, Any]:
    if camera.focal.shape != (2,) or camera.rotation.shape != (3, 3):
        raise ValueError("one camera per picture: a batch of cameras has to be split first")
    numbers = [*camera.size, *_numbers(camera.focal), *_numbers(camera.centre)]
    return dict(zip(keys, numbers, strict=True))


def pinhole(
    values: list[float], rotation: np.ndarray | None = None, translation: np.ndarray | None = None
) -> Camera:
    """Of width, height, fx, fy, cx, cy; at the origin unless told otherwise."""
    rotation = np.eye(3) if rotation is None else rotation
    translation = np.zeros(3) if translation is None else translation
    width, height, *lens = values
    return Camera(
        focal=torch.tensor(lens[:2], dtype=torch.float64),
        centre=torch.tensor(lens[2:], dtype=torch.float64),
        size=(int(width), int(height)),
        rotation=torch.from_numpy(np.ascontiguousarray(rotation)),
        translation=torch.from_numpy(np.ascontiguousarray(translation)),
    )


def _numbers(values: torch.Tensor) -> list:
    return values.detach().cpu().double().tolist()


def _write(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, allow_nan=False)
    with atomic_file(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object; raises InputError for anything else."""
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


def pinhole_values(row: Any, keys: tuple[str, ...], where: str) -> list[float]:
    """Width, height, focal lengths and principal point, checked."""
    if not isinstance(row, dict):
        raise InputError(f"{where} is no JSON object.")
    numbers = [row.get(key) for key in keys]
    good = [
        isinstance(number, int | float)
        and bool(np.isfinite(number))
        and not isinstance(number, bool)
        for number in numbers
    ]
    if not all(good):
        missing = [key for key, fine in zip(keys, good, strict=True) if not fine]
        raise InputError(f"{where} lacks a finite number for {', '.join(missing)}.")
    values = [float(number) for number in numbers if number is not None]
    if min(values[:4]) <= 0 or values[0] % 1 or values[1] % 1:
        raise InputError(
            f"{where}: {', '.join(keys[:4])} must be above zero, sizes in whole pixels."
        )
    return values


def _matrix(row: dict[str, Any], key: str, where: str) -> np.ndarray:
    """A rigid 4x4 matrix, checked."""
    try:
        matrix = np.array(row.get(key), dtype=np.float64)
    except (ValueError, TypeError):
        matrix = np.zeros(0)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise InputError(f"{where} lacks '{key}' as four rows of four finite numbers.")
    rotation = matrix[:3, :3]
    off = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if off > _NOT_ORTHONORMAL or np.linalg.det(rotation) < 0:
        raise InputError(
            f"{where}: the upper left 3x3 of '{key}' is no rotation (off by {off:.2g}). "
            "Scale and mirror images must be taken out first."
        )
    return matrix


def _name(row: dict[str, Any], key: str, where: str, taken: Mapping[str, Camera]) -> str:
    name = row.get(key)
    if not isinstance(name, str) or not name:
        raise InputError(f"{where} lacks the name of its picture under '{key}'.")
    if name in taken:
        raise InputError(f"{where} names the picture '{name[:60]}' a second time.")
    return name
