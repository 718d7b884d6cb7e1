"""The bytes in the page mean what the scan was."""

import numpy as np
import pytest
from rig_assets import make_rig

from rigface.errors import InputError
from rigface.report.data import ScanLayer
from rigface.report.pack import MAX_POINTS, pack_scan


def layer(points: bool = False) -> ScanLayer:
    rig = make_rig()
    error = np.abs(np.sin(40 * rig.vertices[:, 0]))
    error[rig.vertices[:, 2] < 0] = np.nan
    colors = np.clip(rig.vertices * 4 + 0.5, 0, 1)
    return ScanLayer(rig.vertices, None if points else rig.faces, error, colors)


def test_positions_errors_colours_and_faces_come_back() -> None:
    scan = layer()
    packed = pack_scan(scan, 1.0)
    count, at = packed.layout["vertices"], 0

    def take(dtype: type, number: int) -> np.ndarray:
        nonlocal at
        array = np.frombuffer(packed.data, dtype, number, at)
        at += -(-array.nbytes // 4) * 4
        return array

    low, high = np.array(packed.layout["low"]), np.array(packed.layout["high"])
    positions = low + take(np.uint16, 3 * count).reshape(-1, 3) / 65535 * (high - low)
    assert np.abs(positions - scan.vertices).max() < 2e-6  # two micrometres
    steps = take(np.uint16, count)
    assert np.array_equal(steps == 65535, np.isnan(scan.error_mm))
    error = np.where(steps == 65535, np.nan, steps * packed.layout["step_mm"])
    assert np.nanmax(np.abs(error - scan.error_mm)) < 1e-4
    assert scan.colors is not None
    srgb = take(np.uint8, 3 * count).reshape(-1, 3) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    assert np.abs(linear - scan.colors).max() < 0.005
    assert scan.faces is not None
    assert np.array_equal(take(np.uint32, scan.faces.size).reshape(-1, 3), scan.faces)
    assert at == len(packed.data) and packed.note == ""


def test_point_cloud_has_no_faces_and_a_size() -> None:
    packed = pack_scan(layer(points=True), 1.0)
    assert packed.layout["faces"] == 0
    assert 0.8e-3 <= packed.layout["point_size"] <= 4e-3


def test_large_clouds_are_thinned_and_say_so(rng: np.random.Generator) -> None:
    many = MAX_POINTS + 1_000
    scan = ScanLayer(rng.normal(size=(many, 3)), None, np.full(many, 0.5))
    packed = pack_scan(scan, 1.0)
    assert packed.layout["vertices"] == MAX_POINTS
    assert packed.note.startswith("The view shows 120,000 of the scan's 121,000 points")


def test_unmeasured_scan_is_shown_without_errors() -> None:
    scan = layer()
    blank = ScanLayer(scan.vertices, scan.faces, np.full(len(scan.vertices), np.nan))
    packed = pack_scan(blank, 1.0)
    assert packed.layout["step_mm"] == 1.0 and not packed.layout["colors"]


@pytest.mark.parametrize(
    ("vertex", "error", "message"),
    [(np.nan, 0.1, "1 NaN or infinite"), (0.0, -0.1, "negative"), (0.0, np.inf, "infinite")],
)
def test_senseless_scans_are_refused(vertex: float, error: float, message: str) -> None:
    vertices, errors = np.random.default_rng(0).normal(size=(10, 3)), np.full(10, 0.2)
    vertices[3, 1], errors[4] = vertex, error
    with pytest.raises(InputError, match=message):
        pack_scan(ScanLayer(vertices, None, errors), 1.0)
