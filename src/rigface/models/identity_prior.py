"""The file of a learned identity space: a mean and modes of ASM's bone variables tau."""

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from rigface.errors import InputError
from rigface.io.learned_file import LearnedKind, read_learned, write_learned

SHIPPED = {"default": "prior.safetensors"}
_KIND = LearnedKind(
    "rigface_prior", "an identity prior", "rigface train prior", 1, ("mean", "modes")
)


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
    header, arrays = read_learned(path, _KIND)
    mean, modes = (arrays[name].astype(np.float64) for name in _KIND.arrays)
    return IdentityPrior(mean, modes, header["gaussians"], header["facts"])


def write_prior(path: Path, prior: IdentityPrior) -> None:
    """One safetensors file in single precision, its facts in the header."""
    arrays = {name: getattr(prior, name).astype(np.float32) for name in _KIND.arrays}
    write_learned(path, _KIND, arrays, {"gaussians": prior.gaussians, "facts": prior.facts})
