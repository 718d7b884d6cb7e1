"""Blinks that close whatever opening a fitted face has."""

import numpy as np
import pytest
from synthetic_fits import fitted

from rigface.fit.parts import posed


@pytest.mark.parametrize("side", ["Left", "Right"])
def test_blink_shuts_the_eye(side: str) -> None:
    """As tight as on the template, where the lids stay apart by a hair."""
    result = fitted()
    template = result.template
    upper, lower = (template.loops[f"lid.{row}.{side[0]}"] for row in ("upper", "lower"))
    rest, shut = result.head.vertices, posed(result.head, (f"eyeBlink{side}",))

    def opening(vertices: np.ndarray) -> float:
        nearest = np.linalg.norm(vertices[upper][:, None] - vertices[lower], axis=-1).min(axis=1)
        return float(nearest.max())

    at_rest = template.mesh.vertices
    index, offset = template.expressions.of(f"eyeBlink{side}")
    closed = at_rest.copy()
    closed[index] += offset
    assert opening(rest) > 5e-3
    assert opening(shut) < opening(closed) + 0.4e-3
