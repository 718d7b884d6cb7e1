"""Shares, scale and bars of the error distribution."""

import re

import numpy as np
import pytest

from rigface.report.colormap import ANCHORS, color_at, nice_limit
from rigface.report.data import ScanLayer
from rigface.report.histogram import (
    Marker,
    histogram_svg,
    scale_limit,
    vertex_shares,
    weighted_quantile,
)


def strip(error: list[float]) -> ScanLayer:
    """A triangle of area 9 and one of area 1 that share no vertex."""
    vertices = np.array(
        [[0, 0, 0], [6, 0, 0], [0, 3, 0], [9, 0, 0], [11, 0, 0], [9, 1, 0]], dtype=float
    )
    return ScanLayer(vertices, np.array([[0, 1, 2], [3, 4, 5]]), np.array(error))


def test_shares_are_areas_of_what_was_measured() -> None:
    shares = vertex_shares(strip([0.1, 0.1, 0.1, 0.9, 0.9, np.nan]))
    assert shares == pytest.approx(np.array([9, 9, 9, 1, 1, 0]) / 29)
    points = ScanLayer(np.eye(3), None, np.array([1.0, np.nan, 2.0]))
    assert vertex_shares(points) == pytest.approx([0.5, 0.0, 0.5])


def test_weighted_quantile_by_hand() -> None:
    values, weights = np.array([3.0, 1.0, 2.0, np.nan]), np.array([0.2, 0.5, 0.3, 0.0])
    assert [weighted_quantile(values, weights, q) for q in (0.5, 0.6, 0.81)] == [1.0, 2.0, 3.0]
    assert np.isnan(weighted_quantile(values, np.zeros(4), 0.5))


def test_scale_ends_at_a_round_number_above_p95() -> None:
    assert scale_limit(strip([0.33] * 3 + [8.0] * 3)) == 10.0
    assert scale_limit(strip([0.33] * 3 + [np.nan] * 3)) == 0.4
    assert scale_limit(strip([np.nan] * 6)) == 1.0
    assert (nice_limit(1.0), nice_limit(1.01), nice_limit(41.0)) == (1.0, 1.5, 50.0)


def test_bars_hold_the_shares() -> None:
    svg = histogram_svg(strip([0.3] * 3 + [0.9] * 3), (Marker("mean", 0.36),), 1.0)
    shares = [float(share) for share in re.findall(r"mm: ([\d.]+) % of the surface", svg)]
    assert len(shares) == 39 and sorted(shares)[-2:] == [10.0, 90.0]  # the last says "beyond"
    assert "beyond: 0.0 %" in svg and "mean 0.36" in svg


def test_outliers_land_in_the_last_bar_and_off_axis_markers_are_left_out() -> None:
    error = np.full(1000, 0.15)
    error[:4] = 30.0
    points = ScanLayer(np.random.default_rng(0).normal(size=(1000, 3)), None, error)
    svg = histogram_svg(points, (Marker("mean", 30.0),), scale_limit(points))
    assert "beyond: 0.4 %" in svg and "mean" not in svg
    assert histogram_svg(strip([np.nan] * 6), (), 1.0) == ""


def test_colours_run_through_the_anchors_and_get_darker() -> None:
    assert color_at(-1.0) == color_at(0.0) == ANCHORS[0]
    assert color_at(1.0) == color_at(7.0) == ANCHORS[-1]
    assert color_at(3 / 11) == ANCHORS[3]

    def lightness(color: str) -> float:
        srgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
        return float(116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16)

    steps = -np.diff([lightness(color_at(share)) for share in np.linspace(0, 1, 12)])
    assert steps.min() > 0.6 * steps.mean() and steps.max() < 1.4 * steps.mean()


def test_close_markers_take_two_rows() -> None:
    scan = strip([0.5] * 3 + [3.9] * 3)
    markers = (Marker("p95", 0.4), Marker("mean", 0.2), Marker("max", 3.9))
    svg = histogram_svg(scan, markers, 4.0)
    labels = re.findall(r'class="marker" x="([\d.]+)" y="([\d.]+)"[^>]*>(\w+)', svg)
    rows = {name: float(y) for _, y, name in labels}
    assert rows["mean"] == rows["max"] and abs(rows["p95"] - rows["mean"]) >= 10
