"""Colour values: files hold sRGB codes, meshes hold linear light."""

import numpy as np
from jaxtyping import Float, UInt8


def linear_from_srgb(srgb: Float[np.ndarray, "*axes"]) -> Float[np.ndarray, "*axes"]:
    """IEC 61966-2-1 decoding of values in [0, 1]."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(linear: Float[np.ndarray, "*axes"]) -> Float[np.ndarray, "*axes"]:
    """IEC 61966-2-1 encoding of values in [0, 1]."""
    curve = 1.055 * np.maximum(linear, 0.0) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, linear * 12.92, curve)


_CODES = np.round(255 * srgb_from_linear(np.linspace(0, 1, 1 << 14))).astype(np.uint8)


def srgb_codes(linear: Float[np.ndarray, "*axes"]) -> UInt8[np.ndarray, "*axes"]:
    """Bytes of a picture from linear light, clipped to [0, 1].

    By a table, because powers of millions of values take a tenth of a second; it is finer than the
    codes from linear 1/2000 on.
    """
    index = np.clip(linear, 0, 1) * (len(_CODES) - 1)
    return _CODES[np.rint(index, out=index).astype(np.int16)]


def linear_from_stored(values: np.ndarray) -> np.ndarray:
    """Colours as mesh files hold them, sRGB in [0, 1] or [0, 255], clipped to linear [0, 1].

    Integers are bytes (or 16 bit); of floats some programs write 0 to 255, seen by their size.
    """
    if values.dtype.kind in "ui":
        scaled = values / float(np.iinfo(values.dtype).max)
    else:
        known = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        scaled = known / 255.0 if known.max(initial=0.0) > 1.0 else known
    return linear_from_srgb(np.clip(scaled.astype(np.float64), 0.0, 1.0))
