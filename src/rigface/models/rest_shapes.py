"""The file of rest shapes: directions in which faces differ from what bones make of the template.

A head of ASM with them is v' = sum_j w_j T_j(z) (v0 + y . shapes), with y ~ N(0, I) beside the
identity prior's z (`models.identity`).
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

_KIND = LearnedKind("rigface_rests", "a file of rest shapes", "rigface train rests", 1, ("shapes",))
_SHIPPED = "rest_shapes.safetensors"


@dataclass(frozen=True)
class RestShapes:
    """Offsets of the template's skin (metres), one standard deviation each, the largest first."""

    shapes: Float[np.ndarray, "shapes verts 3"]
    facts: dict[str, Any]
    """Recipe, seed, figures and licences, as in the model card."""


@lru_cache(maxsize=1)
def load_rest_shapes() -> RestShapes:
    """The shipped ones, read once per process."""
    with resources.as_file(resources.files("rigface") / "assets" / _SHIPPED) as path:
        return read_rest_shapes(path)


def read_rest_shapes(path: Path) -> RestShapes:
    """Those of a file of `write_rest_shapes`; raises InputError if it is none."""
    header, arrays = read_learned(path, _KIND)
    shapes = arrays["shapes"].astype(np.float64)
    if shapes.ndim != 3 or shapes.shape[2] != 3 or not np.isfinite(shapes).all():
        raise InputError(
            f"{path} holds shapes of {shapes.shape}; expected finite numbers (shapes, vertices, 3)."
        )
    return RestShapes(shapes, header["facts"])


def write_rest_shapes(path: Path, rests: RestShapes) -> None:
    """One safetensors file in half precision (good to 0.1 % of an offset), facts in the header."""
    arrays = {"shapes": rests.shapes.astype(np.float16)}
    write_learned(path, _KIND, arrays, {"facts": rests.facts})
