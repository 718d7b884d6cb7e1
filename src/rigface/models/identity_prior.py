"""The file of a learned identity space: a mean and modes of ASM's bone variables tau."""

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

FORMAT = 1
SHIPPED = {"default": "prior.safetensors"}


@dataclass(frozen=True)
class IdentityPrior:
    """tau = mean + sum_i z_i modes_i with z ~ N(0, I); the standard deviations are in the modes.

    The nine numbers of a bone are those of ASM's table: rotation vector (rad), translation (m),
    logarithm of the three scales. Anchors and Gaussians stay where the rig has them.
    """

    mean: Float[np.ndarray, "bones 9"]
    modes: Float[np.ndarray, "modes bones 9"]
    gaussians: int
    """K of the rig whose weights the modes were learned with."""
    facts: dict[str, Any]
    """Recipe, seed, figures and licences, as in the model card."""

    @property
    def log_scale_sigma(self) -> float:
        """Standard deviation of the logarithm of an adult face's size; z does not hold size."""
        return float(self.facts["log_scale_sigma"])


@lru_cache(maxsize=2)
def load_prior(name: str = "default") -> IdentityPrior:
    """A shipped prior, read once per process. Raises InputError for an unknown name."""
    if name not in SHIPPED:
        raise InputError(f"Unknown prior {name!r}; available: {', '.join(sorted(SHIPPED))}.")
    with resources.as_file(resources.files("rigface") / "assets" / SHIPPED[name]) as path:
        return read_prior(path)


def read_prior(path: Path) -> IdentityPrior:
    """A prior from a file of `write_prior`; raises InputError if it is none."""
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get("rigface_prior")
            if text is None:
                raise InputError(
                    f"{path} is no identity prior: its header lacks the key 'rigface_prior'. "
                    "Make one with `rigface train prior`."
                )
            mean, modes = (file.get_tensor(key).astype(np.float64) for key in ("mean", "modes"))
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as an identity prior: {error}.") from error
    header = json.loads(text)
    if header["format"] != FORMAT:
        raise InputError(
            f"{path} has prior format {header['format']}, this version of rigface reads {FORMAT}; "
            "train it again with `rigface train prior`."
        )
    return IdentityPrior(mean, modes, header["gaussians"], header["facts"])


def write_prior(path: Path, prior: IdentityPrior) -> None:
    """One safetensors file in single precision, its facts in the header."""
    header = {"format": FORMAT, "gaussians": prior.gaussians, "facts": prior.facts}
    arrays = {
        "mean": np.ascontiguousarray(prior.mean, dtype=np.float32),
        "modes": np.ascontiguousarray(prior.modes, dtype=np.float32),
    }
    save_file(arrays, path, metadata={"rigface_prior": json.dumps(header, sort_keys=True)})
