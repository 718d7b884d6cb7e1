"""The colours of the error map: magma (CC0) from light to dark.

Perceptually even and safe for colour-blind eyes. Small errors are light, so that the shading of a
good fit stays visible and a bad spot is a dark one.
"""

import math

import numpy as np
from jaxtyping import Float

from rigface.io.color import linear_from_srgb

ANCHORS = (
    "#fde7a9", "#fec68a", "#fea571", "#fb835f", "#f2625d", "#de4968",
    "#c23b75", "#a5317e", "#882781", "#6b1d81", "#4f127b", "#331067",
)  # fmt: skip

_NICE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0)


def nice_limit(value: float) -> float:
    """The upper end of the scale: the first round number of the slider not below `value`."""
    return next((limit for limit in _NICE if limit >= value), 10.0 * math.ceil(value / 10.0))


def color_at(share: float) -> str:
    """Hex colour for 0..1 of the scale, clamped, mixed in sRGB as the page mixes its bar."""
    place = min(max(share, 0.0), 1.0) * (len(ANCHORS) - 1)
    low = min(int(place), len(ANCHORS) - 2)
    first, second = (_channels(ANCHORS[index]) for index in (low, low + 1))
    mixed = (round(a + (place - low) * (b - a)) for a, b in zip(first, second, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def magma(share: Float[np.ndarray, " points"]) -> Float[np.ndarray, "points 3"]:
    """Linear RGB for 0..1 of the scale, clamped."""
    anchors = np.array([_channels(anchor) for anchor in ANCHORS]) / 255
    place = np.linspace(0.0, 1.0, len(anchors))
    columns = [np.interp(np.clip(share, 0.0, 1.0), place, channel) for channel in anchors.T]
    return linear_from_srgb(np.stack(columns, axis=-1))


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
