"""The scan as a few quantised bytes for the page."""

from dataclasses import dataclass

import numpy as np

from rigface.errors import InputError
from rigface.report.colormap import ANCHORS
from rigface.report.data import ScanLayer
from rigface.report.decimate import decimate, point_spacing, thin_points

MAX_FACES = 60_000
MAX_POINTS = 120_000
_NONE = 65535
_DOT = (0.8e-3, 4e-3)  # metres


@dataclass(frozen=True)
class PackedScan:
    """Bytes and what lies in them, as `tools/web/src/scan.js` reads them."""

    data: bytes
    layout: dict
    note: str
    """How it was thinned for display; empty where it was not."""


def pack_scan(scan: ScanLayer, max_mm: float) -> PackedScan:
    """Quantise positions to 1/65535 of the box and errors to 1/65534 of the largest.

    Args:
        max_mm: the error that gets the last colour.

    Raises:
        InputError: an empty scan, non-finite positions or negative errors.
    """
    _check(scan)
    vertices, faces, kept, note = _thin(scan)
    error = scan.error_mm[kept]
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    extent = np.where(high > low, high - low, 1.0)
    measured = np.isfinite(error)
    step = max(float(error[measured].max()), 1e-6) / (_NONE - 1) if measured.any() else 1.0
    steps = np.full(len(error), _NONE, dtype=np.uint16)
    steps[measured] = np.round(error[measured] / step)
    chunks = [np.round((vertices - low) / extent * 65535).astype(np.uint16), steps]
    if scan.colors is not None:
        chunks.append(_srgb_bytes(scan.colors[kept]))
    if faces is not None:
        chunks.append(faces.astype(np.uint32))
    layout = {
        "vertices": len(vertices),
        "faces": 0 if faces is None else len(faces),
        "colors": scan.colors is not None,
        "low": low.tolist(),
        "high": (low + extent).tolist(),
        "step_mm": step,
        "max_mm": max_mm,
        "anchors": list(ANCHORS),
        "point_size": float(np.clip(1.5 * point_spacing(vertices), *_DOT)) if faces is None else 0,
    }
    return PackedScan(b"".join(_aligned(chunk) for chunk in chunks), layout, note)


def _check(scan: ScanLayer) -> None:
    if len(scan.vertices) < 2:
        raise InputError(
            f"the scan of a report has {len(scan.vertices)} vertices; nothing to show."
        )
    bad = int((~np.isfinite(scan.vertices)).sum())
    if bad:
        raise InputError(f"the scan of a report holds {bad} NaN or infinite coordinates.")
    if np.any(scan.error_mm < 0) or np.any(np.isinf(scan.error_mm)):
        raise InputError(
            "error_mm holds negative or infinite numbers; it is a distance in millimetres, NaN "
            "where nothing was measured."
        )


def _thin(scan: ScanLayer) -> tuple[np.ndarray, np.ndarray | None, np.ndarray, str]:
    important = np.isfinite(scan.error_mm)
    if scan.faces is None:
        kept, faces = thin_points(important, MAX_POINTS), None
        before, after, what = len(important), len(kept), "points"
    else:
        kept, faces = decimate(scan.vertices, scan.faces, important, MAX_FACES)
        before, after, what = len(scan.faces), len(faces), "triangles"
    note = ""
    if after < before:
        note = f"The view shows {after:,} of the scan's {before:,} {what}; all numbers use all."
    return scan.vertices[kept], faces, kept, note


def _srgb_bytes(linear: np.ndarray) -> np.ndarray:
    clipped = np.clip(linear, 0.0, 1.0)
    curve = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return np.round(255 * curve).astype(np.uint8)


def _aligned(array: np.ndarray) -> bytes:
    raw = np.ascontiguousarray(array).tobytes()
    return raw + bytes(-len(raw) % 4)
