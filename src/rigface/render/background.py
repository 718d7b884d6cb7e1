"""What stands behind a head in a synthetic photo."""

import numpy as np
from jaxtyping import Float
from PIL import Image


def out_of_focus(
    size: tuple[int, int], rng: np.random.Generator
) -> Float[np.ndarray, "height width 3"]:
    """Soft blotches, darker or lighter than a face; linear RGB, `size` is width and height."""
    shades, tints = rng.uniform(0.6, 1.4, size=(5, 5, 1)), rng.uniform(0.9, 1.1, size=(5, 5, 3))
    coarse = rng.uniform(0.04, 0.6) * shades * tints
    planes = [
        np.asarray(Image.fromarray(plane.astype(np.float32)).resize(size, Image.Resampling.BICUBIC))
        for plane in coarse.transpose(2, 0, 1)
    ]
    return np.stack(planes, axis=-1).clip(0, 1).astype(np.float64)
