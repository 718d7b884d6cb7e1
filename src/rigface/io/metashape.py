"""Agisoft Metashape's camera export (File > Export > Export Cameras, Agisoft XML).

A camera's `transform` is chunk_from_cam in OpenCV's frame. `cx` and `cy` count from the middle of
the picture, and the middle of its first pixel is at (0.5, 0.5). The frame model is that of the
manual's appendix on camera models:

    u = width / 2 + cx + x' f + x' b1 + y' b2,    v = height / 2 + cy + y' f

with Brown's distortion, whose p1 and p2 are OpenCV's p2 and p1. A `transform` of the component or
of the chunk puts the model to scale: only then the unit is known to be the metre.
"""

from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
from jaxtyping import Float

from rigface.cameras import Camera
from rigface.errors import InputError
from rigface.geometry.similarity import Similarity
from rigface.io.camera_file import CameraFile, checked_name, joined_notes
from rigface.io.lens import Lens, check_numbers, check_rotation

_MAX_BYTES = 256 << 20
_UNDISTORT = (
    "in Metashape, File > Export > Convert Images (undistort), or export to COLMAP with "
    "undistorted images"
)
_BENDING = ("k1", "k2", "k3", "k4", "p1", "p2", "b1", "b2")


def load_metashape(path: str | Path) -> CameraFile:
    """Read the cameras that Metashape aligned; the others are left out with a note.

    Raises InputError for other files, sensors that are no frame cameras or not calibrated, and for
    distortion above `lens.MAX_BEND`.
    """
    path = Path(path)
    chunk = _chunk(path)
    lenses = {sensor.get("id"): sensor for sensor in chunk.iter("sensor")}
    places = {one.get("id"): _placed(one, path) for one in chunk.iter("component")}
    whole = _placed(chunk, path)
    out: dict[str, Camera] = {}
    notes: list[str | None] = []
    known: dict[str | None, Lens] = {}
    metric = True
    frames: set[str | None] = set()
    for element in chunk.iter("camera"):
        label = element.get("label")
        if element.find("transform") is None:
            notes.append(f"'{label}' was not aligned, so it has no camera")
            continue
        sensor = element.get("sensor_id")
        where = f"{path}, camera '{str(label)[:60]}'"
        if sensor not in known:
            known[sensor] = _lens(lenses.get(sensor), where)
            notes.append(known[sensor].straight(where, _UNDISTORT))
        world = places.get(element.get("component_id")) or whole
        metric = metric and world is not None
        frames.add(element.get("component_id"))
        name = checked_name(label, out, "label", where)
        pose = _pose(element, world or Similarity.identity(), where)
        out[name] = known[sensor].camera(*pose)
    if len(frames) > 1 and not metric:
        raise InputError(
            f"{path} has cameras of {len(frames)} components that were not put to one scale. "
            "Export one component, or merge them."
        )
    return CameraFile(out, path, metric and bool(out), joined_notes(path, notes))


def _chunk(path: Path) -> Element:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is larger than {_MAX_BYTES >> 20} MB: no camera file.")
        content = path.read_bytes()
        # Metashape writes no document type, and entities are an attack surface.
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            raise InputError(f"{path} has a document type: no camera export of Metashape.")
        root = ElementTree.fromstring(content)
    except (OSError, ValueError, LookupError, ElementTree.ParseError) as error:
        raise InputError(f"{path} is no readable XML file: {str(error)[:80]}.") from error
    chunks = [chunk for chunk in root.iter("chunk") if chunk.find("cameras") is not None]
    if len(chunks) != 1:
        raise InputError(
            f"{path} holds {len(chunks)} chunks with cameras; expected one, as Metashape writes by "
            "File > Export > Export Cameras."
        )
    return chunks[0]


def _lens(sensor: Element | None, where: str) -> Lens:
    """The adjusted calibration of a sensor, or the only one."""
    found = [] if sensor is None else sensor.findall("calibration")
    found.sort(key=lambda one: one.get("class") != "adjusted")
    if not found:
        raise InputError(f"{where} has no calibrated sensor. Align the photos before the export.")
    calibration = found[0]
    if calibration.get("type", "frame") != "frame":
        raise InputError(
            f"{where} has a {str(calibration.get('type'))[:40]} sensor; only frame cameras are "
            "read."
        )
    size = calibration.find("resolution")
    if size is None:
        raise InputError(f"{where}: the calibration of its sensor lacks the resolution.")
    width, height = (_numbers(size.get(key), 1, key, where)[0] for key in ("width", "height"))
    f = _numbers(calibration.findtext("f"), 1, "f", where)[0]
    cx, cy, *bent = (
        _numbers(calibration.findtext(key, "0"), 1, key, where)[0]
        for key in ("cx", "cy", *_BENDING)
    )
    k1, k2, k3, k4, p1, p2, b1, b2 = bent
    focal, centre = (f + b1, f), (width / 2 + cx, height / 2 + cy)
    names = ("width", "height", "f + b1", "f", "cx", "cy")
    check_numbers([width, height, *focal, *centre], names, where)
    return Lens((int(width), int(height)), focal, centre, (k1, k2, k3, k4), (p2, p1), b2)


def _placed(parent: Element, path: Path) -> Similarity | None:
    """world_from_chunk, if the parent has a scale."""
    transform = parent.find("transform")
    if transform is None or transform.find("scale") is None:
        return None
    where = f"{path}, transform of the {parent.tag}"
    (scale,) = _numbers(transform.findtext("scale"), 1, "scale", where)
    turn = _numbers(transform.findtext("rotation", "1 0 0 0 1 0 0 0 1"), 9, "rotation", where)
    shift = _numbers(transform.findtext("translation", "0 0 0"), 3, "translation", where)
    check_rotation(turn.reshape(3, 3), "rotation", where)
    if scale <= 0:
        raise InputError(f"{where}: the scale must be above zero, got {scale:g}.")
    return Similarity(float(scale), turn.reshape(3, 3), shift)


def _pose(
    camera: Element, world: Similarity, where: str
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """Rotation and translation of cam_from_world."""
    chunk_from_cam = _numbers(camera.findtext("transform"), 16, "transform", where).reshape(4, 4)
    check_rotation(chunk_from_cam[:3, :3], "transform", where)
    rotation = (world.rotation @ chunk_from_cam[:3, :3]).T
    return rotation, -rotation @ world.apply(chunk_from_cam[:3, 3])


def _numbers(text: str | None, count: int, key: str, where: str) -> Float[np.ndarray, " count"]:
    try:
        values = np.array([float(word) for word in (text or "").split()])
    except ValueError:
        values = np.zeros(0)
    if values.shape != (count,) or not np.isfinite(values).all():
        numbers = "a finite number" if count == 1 else f"{count} finite numbers"
        raise InputError(f"{where}: '{key}' must be {numbers}, got '{(text or '')[:40]}'.")
    return values
