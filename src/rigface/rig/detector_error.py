"""How far beside its place on the template the detector sees each landmark, and its file.

`LandmarkEmbedding` gives every landmark a fixed place on the skin. The detector's errors about it
are large, systematic, and many landmarks move together: it has seen eyes, cheeks and jaws in the
proportions it expects. A linear-Gaussian model of them, in model space: in one view

    seen_l = project(place_l + mean_l + modes_l c) + noise_l,    c ~ N(0, I_k),

one c for all landmarks of the view; noise_l is independent in the picture, isotropic, with the
standard deviation that `sigma_l` metres have there. `learn.detector_error` learns it.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from rigface.errors import InputError
from rigface.io.learned_file import LearnedKind, read_learned, write_learned
from rigface.rig.landmark_embedding import SKIN_COUNT

_KIND = LearnedKind(
    "rigface_detector_error",
    "a model of a detector's error",
    "rigface train detector",
    1,
    ("mean", "modes", "sigma"),
)


@dataclass(frozen=True)
class DetectorError:
    """Metres along the axes of model space, on a head of the mean adult's size and upright.

    Rows are the landmarks on the skin, the first 468 of MediaPipe's 478; the irises have no error.
    """

    mean: Float[np.ndarray, "468 3"]
    modes: Float[np.ndarray, "468 3 modes"]
    """One standard deviation of each: the covariance of two landmarks is modes_l modes_m^T."""
    sigma: Float[np.ndarray, "468"]
    """What is left, independent for every landmark and each axis of the picture."""
    facts: dict[str, Any]
    """Recipe, seed, figures and licences, as in the model card."""

    @property
    def rank(self) -> int:
        """Number of modes."""
        return self.modes.shape[-1]


@lru_cache(maxsize=1)
def load_detector_error() -> DetectorError:
    """The shipped one, read once per process."""
    asset = resources.files("rigface") / "assets" / "detector_error.safetensors"
    with resources.as_file(asset) as path:
        return read_detector_error(path)


def read_detector_error(path: Path) -> DetectorError:
    """From a file of `write_detector_error`; raises InputError if it is none."""
    header, arrays = read_learned(path, _KIND)
    mean, modes, sigma = (arrays[name].astype(np.float64) for name in _KIND.arrays)
    if len(mean) != SKIN_COUNT:
        raise InputError(
            f"{path} holds the error of {len(mean)} landmarks, expected {SKIN_COUNT}: those of "
            f"MediaPipe's mesh. Make one with `{_KIND.command}`."
        )
    return DetectorError(mean, modes, sigma, header["facts"])


def write_detector_error(path: Path, error: DetectorError) -> None:
    """One safetensors file in single precision, its facts in the header."""
    arrays = {name: getattr(error, name).astype(np.float32) for name in _KIND.arrays}
    write_learned(path, _KIND, arrays, {"facts": error.facts})
