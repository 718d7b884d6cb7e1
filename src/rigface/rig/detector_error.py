"""How far beside its place on the template the detector sees each landmark, and its file.

`LandmarkEmbedding` gives every landmark a fixed place on the skin. The detector's errors about it
are large, systematic, and many landmarks move together: it has seen eyes, cheeks and jaws in the
proportions it expects. A linear-Gaussian model of them, in model space: in one view

    seen_l = project(place_l + mean_l + modes_l c) + noise_l,    c ~ N(0, I_k),

one c for all landmarks of the view; noise_l is independent in the picture, isotropic, with the
standard deviation that `sigma_l` metres have there. `learn.detector_error` learns it.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from rigface.errors import InputError
from rigface.rig.landmark_embedding import SKIN_COUNT

FORMAT = 1
_KEY = "rigface_detector_error"
_ADVICE = "Make one with `rigface train detector`."


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
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(_KEY)
            if text is None:
                raise InputError(
                    f"{path} is no model of a detector's error: its header lacks the key "
                    f"{_KEY!r}. {_ADVICE}"
                )
            mean, modes, sigma = (
                file.get_tensor(key).astype(np.float64) for key in ("mean", "modes", "sigma")
            )
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path} cannot be read as a model of a detector's error: {error}. {_ADVICE}"
        ) from error
    header = json.loads(text)
    if header["format"] != FORMAT:
        raise InputError(
            f"{path} has format {header['format']} of a detector's error, this version of rigface "
            f"reads {FORMAT}; train it again with `rigface train detector`."
        )
    if len(mean) != SKIN_COUNT:
        raise InputError(
            f"{path} holds the error of {len(mean)} landmarks, expected {SKIN_COUNT}: those of "
            f"MediaPipe's mesh. {_ADVICE}"
        )
    return DetectorError(mean, modes, sigma, header["facts"])


def write_detector_error(path: Path, error: DetectorError) -> None:
    """One safetensors file in single precision, its facts in the header."""
    header = {"format": FORMAT, "facts": error.facts}
    arrays = {
        name: np.ascontiguousarray(getattr(error, name), dtype=np.float32)
        for name in ("mean", "modes", "sigma")
    }
    save_file(arrays, path, metadata={_KEY: json.dumps(header, sort_keys=True)})
