"""Cameras of any program by the names of their pictures: `read_cameras`, and which photo has which.

docs/formats.md shows a file of each kind.
"""

from pathlib import Path

from rigface.cameras import Camera
from rigface.errors import InputError
from rigface.io.camera_file import CameraFile
from rigface.io.camera_json import (
    FORMAT,
    cameras_from_json,
    cameras_from_transforms,
    load_cameras,
    load_transforms,
    read_json,
    save_cameras,
    save_transforms,
)
from rigface.io.colmap import FILES, find_model, load_colmap
from rigface.io.metashape import load_metashape
from rigface.io.photo_cameras import cameras_of

__all__ = [
    "CameraFile",
    "cameras_of",
    "load_cameras",
    "load_colmap",
    "load_metashape",
    "load_transforms",
    "read_camera_file",
    "read_cameras",
    "save_cameras",
    "save_transforms",
]

_KNOWN = (
    "cameras.json of rigface, transforms.json of nerfstudio, a COLMAP model (cameras and images, "
    ".txt or .bin, also in sparse/0), or the XML of Metashape's Export Cameras"
)
_IN_FOLDER = ("cameras.json", "transforms.json", "cameras.xml")


def read_cameras(path: str | Path) -> dict[str, Camera]:
    """The cameras in a file or folder of any known kind, by image name; float64, cam_from_world.

    Metres where the file says so (`CameraFile.metric`), else in the file's own unit. Raises
    InputError for what is none of the kinds, is damaged, or has too much lens distortion.
    """
    return dict(read_camera_file(path).cameras)


def read_camera_file(path: str | Path) -> CameraFile:
    """The same with its unit and what was ignored. The content decides, not the extension."""
    path = Path(path)
    found = _in_folder(path) if path.is_dir() else _of_kind(path)
    if not found.cameras:
        raise InputError(f"{path} holds no camera with a pose. Expected {_KNOWN}.")
    return found


def _in_folder(folder: Path) -> CameraFile:
    for name in _IN_FOLDER:
        if (folder / name).is_file():
            return _of_kind(folder / name)
    model = find_model(folder)
    if model is None:
        raise InputError(f"{folder} holds no camera file. Expected {_KNOWN}.")
    return load_colmap(model)


def _of_kind(path: Path) -> CameraFile:
    try:
        if not path.is_file():
            raise InputError(f"the camera file {path} does not exist. Check the path.")
        with path.open("rb") as file:
            head = file.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    if head.startswith(b"<"):
        return load_metashape(path)
    if head.startswith((b"{", b"[")):
        content = read_json(path)
        if content.get("format") == FORMAT:
            return CameraFile(cameras_from_json(path, content), path, metric=True)
        if "frames" in content:
            return cameras_from_transforms(path, content)
    elif path.name in FILES:
        return load_colmap(path.parent)
    raise InputError(f"{path} is no camera file that can be read. Expected {_KNOWN}.")
