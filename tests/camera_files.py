"""Tiny camera files of every known kind, written by the formulas of their programs' manuals."""

import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import torch
from numpy.typing import ArrayLike

from rigface.cameras import Camera, orbiting
from rigface.geometry.rotations import quaternion_from_rotation

MODELS = {"SIMPLE_PINHOLE": 0, "PINHOLE": 1, "SIMPLE_RADIAL": 2, "RADIAL": 3, "OPENCV": 4}


def three_cameras() -> dict[str, Camera]:
    """Of different lenses and places; no pixel is square, no principal point in the middle."""
    out = {}
    for i in range(3):
        camera = orbiting((0.01, -0.02, 0.03), 0.3 * i, 0.1, 0.6 + i / 7, 700.0 + i, (640, 480))
        focal = camera.focal * torch.tensor([1.001, 1.0], dtype=torch.float64)
        centre = camera.centre + torch.tensor([3.25, -2.5 + i], dtype=torch.float64)
        out[f"rig/view {i}.jpg"] = replace(camera, focal=focal, centre=centre)
    return out


def assert_same(a: Mapping[str, Camera], b: Mapping[str, Camera], tolerance: float) -> None:
    assert list(a) == list(b)
    for one, other in zip(a.values(), b.values(), strict=True):
        assert one.size == other.size
        for field in ("focal", "centre", "rotation", "translation"):
            torch.testing.assert_close(
                getattr(one, field), getattr(other, field), rtol=0, atol=tolerance
            )


def numbers(*values: ArrayLike) -> str:
    return " ".join(repr(float(v)) for part in values for v in np.ravel(part))


def write_colmap_text(
    folder: Path, cameras: Mapping[str, Camera], model: str = "PINHOLE", bent: tuple = ()
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lenses, images = ["# Camera list"], ["# Image list with two lines of data per image:"]
    for number, (name, camera) in enumerate(cameras.items(), 1):
        lens = [*_lens(camera, model), *bent]
        width, height = camera.size
        lenses.append(f"{number} {model} {width} {height} {numbers(lens)}")
        turn = quaternion_from_rotation(camera.rotation)
        images.append(f"{number} {numbers(turn, camera.translation)} {number} {name}")
        images.append("" if number == 1 else "12.5 8.25 -1 3.0 4.0 17")
    (folder / "cameras.txt").write_text("\n".join(lenses) + "\n")
    (folder / "images.txt").write_text("\n".join(images) + "\n")


def write_colmap_binary(
    folder: Path, cameras: Mapping[str, Camera], model: str = "PINHOLE", bent: tuple = ()
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lenses = images = struct.pack("<Q", len(cameras))
    for number, (name, camera) in enumerate(cameras.items(), 1):
        lens = [*_lens(camera, model), *bent]
        lenses += struct.pack("<iiQQ", number, MODELS[model], *camera.size)
        lenses += struct.pack(f"<{len(lens)}d", *lens)
        turn = quaternion_from_rotation(camera.rotation).tolist()
        images += struct.pack("<i7di", number, *turn, *camera.translation.tolist(), number)
        images += name.encode() + b"\0" + struct.pack("<Q", number - 1)
        images += struct.pack("<ddq", 12.5, 8.25, -1) * (number - 1)
    (folder / "cameras.bin").write_bytes(lenses)
    (folder / "images.bin").write_bytes(images)


def _lens(camera: Camera, model: str) -> list[float]:
    focal = camera.focal.tolist() if model in ("PINHOLE", "OPENCV") else [float(camera.focal[0])]
    return [*focal, *camera.centre.tolist()]


def write_metashape(
    path: Path, cameras: Mapping[str, Camera], scale: float | None = None, bent: str = ""
) -> None:
    """u = w / 2 + cx + x f + x b1; with a scale, the chunk is turned, shifted and smaller."""
    turn, shift = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]), np.array([5.0, -3.0, 2.0])
    sensors, rows = [], []
    for number, (name, camera) in enumerate(cameras.items()):
        width, height = camera.size
        fx, fy = camera.focal.tolist()
        cx, cy = camera.centre.tolist()
        sensors.append(
            f'<sensor id="{number}" type="frame"><resolution width="{width}" height="{height}"/>'
            '<calibration type="frame" class="initial"><f>1</f></calibration>'
            '<calibration type="frame" class="adjusted">'
            f'<resolution width="{width}" height="{height}"/><f>{fy!r}</f><b1>{fx - fy!r}</b1>'
            f"<cx>{cx - width / 2!r}</cx><cy>{cy - height / 2!r}</cy>{bent}</calibration></sensor>"
        )
        pose = np.eye(4)
        pose[:3, :3] = camera.rotation.numpy().T
        pose[:3, 3] = camera.position.numpy()
        if scale is not None:  # chunk_from_world
            pose[:3, :3] = turn.T @ pose[:3, :3]
            pose[:3, 3] = turn.T @ (pose[:3, 3] - shift) / scale
        rows.append(
            f'<camera id="{number}" sensor_id="{number}" component_id="0" label={quoteattr(name)}>'
            f"<transform>{numbers(pose)}</transform></camera>"
        )
    place = (
        ""
        if scale is None
        else f'<transform><rotation locked="true">{numbers(turn)}</rotation>'
        f"<translation>{numbers(shift)}</translation><scale>{scale!r}</scale></transform>"
    )
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<document version="2.0.0"><chunk label="Chunk 1">'
        f'<sensors>{"".join(sensors)}</sensors><components><component id="0">{place}</component>'
        f'</components><cameras><group id="0">{"".join(rows)}</group></cameras></chunk></document>'
    )
