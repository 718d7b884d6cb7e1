"""The noise of a camera's sensor on a clean picture."""

import numpy as np
from jaxtyping import UInt8

SENSOR_NOISE = 1.5
"""Standard deviation, sRGB codes."""


def with_sensor_noise(
    clean: UInt8[np.ndarray, "height width 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Independent Gaussian noise on every code, rounded and clipped."""
    noisy = clean + rng.normal(scale=SENSOR_NOISE, size=clean.shape)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)
