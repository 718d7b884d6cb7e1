"""The distribution of the error as a small inline SVG."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from rigface.geometry.mesh import face_areas
from rigface.report.colormap import color_at, nice_limit
from rigface.report.data import ScanLayer

_BINS = 40
_STEPS = (0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0, 20.0, 50.0)
_LEFT, _TOP, _WIDTH, _HEIGHT = 6.0, 26.0, 388.0, 110.0
_LABEL_WIDTH, _ROW = 75.0, 12


@dataclass(frozen=True)
class Marker:
    """A labelled line at an error."""

    label: str
    value_mm: float


def vertex_shares(scan: ScanLayer) -> Float[np.ndarray, " verts"]:
    """Each vertex's share of the measured surface: by area on a mesh, equal among points."""
    weights = np.ones(len(scan.vertices))
    if scan.faces is not None:
        areas = face_areas(scan.vertices, scan.faces)
        weights = np.bincount(
            scan.faces.ravel(), weights=np.repeat(areas, 3), minlength=len(scan.vertices)
        )
    weights = np.where(np.isfinite(scan.error_mm), weights, 0.0)
    total = weights.sum()
    return weights / total if total > 0 else weights


def weighted_quantile(
    values: Float[np.ndarray, " verts"], weights: Float[np.ndarray, " verts"], share: float
) -> float:
    """The smallest value that at least `share` of the weight does not exceed; NaN without any."""
    used = weights > 0
    if not used.any():
        return float("nan")
    order = np.argsort(values[used])
    reached = np.cumsum(weights[used][order])
    index = min(int(np.searchsorted(reached, share * reached[-1])), len(order) - 1)
    return float(values[used][order][index])


def scale_limit(scan: ScanLayer) -> float:
    """Where the colour scale ends at first: a round number that 95 % of the surface stays under."""
    p95 = weighted_quantile(scan.error_mm, vertex_shares(scan), 0.95)
    return nice_limit(p95) if np.isfinite(p95) else 1.0


def histogram_svg(scan: ScanLayer, markers: tuple[Marker, ...], max_mm: float) -> str:
    """Bars in the colours of the error map; empty where nothing was measured.

    The last bar holds everything beyond the axis.
    """
    shares = vertex_shares(scan)
    if not shares.any():
        return ""
    limit = nice_limit(max(weighted_quantile(scan.error_mm, shares, 0.99), max_mm))
    measured = shares > 0
    place = np.minimum(scan.error_mm[measured] / limit * _BINS, _BINS - 1).astype(np.int64)
    bars = np.bincount(place, weights=shares[measured], minlength=_BINS)
    parts = [
        f'<svg viewBox="0 0 400 {_TOP + _HEIGHT + 34:g}" role="img" class="histogram" '
        f'aria-label="Histogram of the error from 0 to {limit:g} mm">'
    ]
    parts += [_bar(index, share, bars.max(), limit, max_mm) for index, share in enumerate(bars)]
    parts += _axis(limit)
    parts += _markers([marker for marker in markers if 0 <= marker.value_mm <= limit], limit)
    parts.append("</svg>")
    return "".join(parts)


def _bar(index: int, share: float, most: float, limit: float, max_mm: float) -> str:
    width = _WIDTH / _BINS
    height = _HEIGHT * share / most
    start, end = limit * index / _BINS, limit * (index + 1) / _BINS
    upto = f"{end:.3g} mm" if index < _BINS - 1 else "beyond"
    return (
        f'<rect x="{_LEFT + index * width + 0.6:.1f}" y="{_TOP + _HEIGHT - height:.1f}" '
        f'width="{width - 1.2:.1f}" height="{height:.1f}" rx="1" '
        f'fill="{color_at((start + end) / 2 / max_mm)}">'
        f"<title>{start:.3g} to {upto}: {100 * share:.1f} % of the surface</title></rect>"
    )


def _axis(limit: float) -> list[str]:
    base = _TOP + _HEIGHT
    parts = [f'<line class="axis" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{base}" y2="{base}"/>']
    step = next((size for size in _STEPS if limit / size <= 5.01), limit / 5)
    for tick in range(int(limit / step + 1e-9) + 1):
        share = tick * step / limit
        x = _LEFT + _WIDTH * share
        last = share > 1 - 1e-9
        anchor = "start" if tick == 0 else "end" if last else "middle"
        text = f"{'≥ ' if last else ''}{tick * step:.3g}"
        parts.append(f'<text x="{x:.1f}" y="{base + 15:g}" text-anchor="{anchor}">{text}</text>')
    parts.append(
        f'<text x="{_LEFT + _WIDTH / 2}" y="{base + 31:g}" text-anchor="middle">'
        "distance from scan to fit, mm (height: share of the surface)</text>"
    )
    return parts


def _markers(markers: list[Marker], limit: float) -> list[str]:
    """Rising; a label that would run into the one before goes to the other of two rows."""
    parts, row, last = [], 0, -np.inf
    for marker in sorted(markers, key=lambda marker: marker.value_mm):
        x = _LEFT + _WIDTH * marker.value_mm / limit
        row = 1 - row if x - last < _LABEL_WIDTH else 0
        parts.append(_marker(marker, x, row))
        last = x
    return parts


def _marker(marker: Marker, x: float, row: int) -> str:
    anchor = "end" if x > 300 else "start"
    shift = -4 if anchor == "end" else 4
    top = _TOP - 14 - _ROW * row
    return (
        f'<line class="marker" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{_TOP + _HEIGHT}"/>'
        f'<text class="marker" x="{x + shift:.1f}" y="{top + 9}" text-anchor="{anchor}">'
        f"{marker.label} {marker.value_mm:.2f}</text>"
    )
