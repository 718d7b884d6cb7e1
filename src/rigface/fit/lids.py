"""A blink that closes this head's eyes: the template's does, but a fit has openings of its own."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from rigface.rig.template import SparseShapes, Template

BLINKS = {"L": "eyeBlinkLeft", "R": "eyeBlinkRight"}
BLINK = tuple(BLINKS.values())
_NEIGHBOURS = 4


def closed_rest(template: Template, weights: Mapping[str, float]) -> Float[np.ndarray, "verts 3"]:
    """The template with its lids shut by the eyeBlink* among `weights`, which a fit has found."""
    rest = template.mesh.vertices.copy()
    for name in BLINKS.values():
        index, offset = template.expressions.of(name)
        rest[index] += weights.get(name, 0.0) * offset
    return rest


def close_lids(
    template: Template, skin: Float[np.ndarray, "skin 3"], shapes: SparseShapes
) -> SparseShapes:
    """The blink shapes corrected so that the upper lid lands on the lower one, as it does on the
    template; the rest of the lid follows in proportion to its own motion."""
    offsets = shapes.offsets.copy()
    for side, name in BLINKS.items():
        run = shapes.names.index(name)
        span = slice(shapes.starts[run], shapes.starts[run + 1])
        offsets[span] += _correction(template, skin, shapes, side)
    return replace(shapes, offsets=offsets)


def _correction(
    template: Template, skin: np.ndarray, shapes: SparseShapes, side: str
) -> Float[np.ndarray, "moved 3"]:
    name = BLINKS[side]
    index, offset = shapes.of(name)
    rest = template.mesh.vertices
    blink_of_template = _scatter(len(rest), *template.expressions.of(name))
    blink = _scatter(len(rest), index, offset)
    shut = rest + blink_of_template
    upper, lower = template.loops[f"lid.upper.{side}"], template.loops[f"lid.lower.{side}"]
    upper = upper[~np.isin(upper, lower)]
    segment, share = _nearest_on_line(shut[upper], shut[lower])
    a, b = lower[segment], lower[segment + 1]

    def on_line(points: np.ndarray) -> np.ndarray:
        return (1 - share)[:, None] * points[a] + share[:, None] * points[b]

    gap = shut[upper] - on_line(shut)
    fitted = np.concatenate([skin, np.zeros((len(rest) - len(skin), 3))]) + blink
    missing = on_line(fitted) + gap - fitted[upper]
    reach = np.linalg.norm(blink_of_template, axis=1)
    distance, near = cKDTree(rest[upper]).query(rest[index], k=_NEIGHBOURS)
    closeness = 1 / np.maximum(distance, 1e-4) ** 2
    closeness /= closeness.sum(axis=1, keepdims=True)
    follow = np.clip(reach[index][:, None] / np.maximum(reach[upper][near], 1e-4), 0.0, 1.0)
    out = np.einsum("nk,nkd->nd", closeness * follow, missing[near])
    out[index >= len(skin)] = 0.0
    out[np.isin(index, lower)] = 0.0
    return out


def _scatter(verts: int, index: np.ndarray, offset: np.ndarray) -> np.ndarray:
    out = np.zeros((verts, 3))
    out[index] = offset
    return out


def _nearest_on_line(points: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Segment of a polyline nearest to each point, and the place along it (0..1)."""
    start, edge = line[:-1], np.diff(line, axis=0)
    along = ((points[:, None] - start) * edge).sum(-1) / np.maximum((edge * edge).sum(-1), 1e-15)
    along = np.clip(along, 0.0, 1.0)
    distance = np.linalg.norm(points[:, None] - start - along[..., None] * edge, axis=-1)
    segment = distance.argmin(axis=1)
    return segment, along[np.arange(len(points)), segment]
