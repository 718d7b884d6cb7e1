"""Where faces might be: the whole photo, then tiles, so that small faces are found too."""

import math
from dataclasses import dataclass

import numpy as np

from rigface.perception.crops import Crop, Pyramid
from rigface.perception.networks import FaceNetworks, Proposal

TILE = 384
"""Side of a tile. The detector sees a face down to some 0.15 of its picture: 60 pixels here."""

OVERVIEW = 1024
"""The tiles of the first round lie on the photo reduced to this; those of the second on all of
its pixels."""

_DETECTOR_CELLS = 256
_TILE_SCORE = 0.5
"""Tiles show more things that are no faces; the whole photo keeps the networks' own threshold."""


@dataclass(frozen=True)
class Candidate:
    """A proposal in the photo."""

    center: tuple[float, float]
    size: float
    roll: float
    score: float


def overview_candidates(
    pyramid: Pyramid, networks: FaceNetworks, quarter_turns: int = 0
) -> list[Candidate]:
    """Faces over some 6 % of the photo's longer side, in the photo turned by `quarter_turns`."""
    side = max(pyramid.width, pyramid.height)
    angle = quarter_turns * math.pi / 2
    whole = Crop((pyramid.width / 2, pyramid.height / 2), float(side), angle)
    found = _in_crop(pyramid, networks, whole)
    if side > TILE:
        tile = TILE * max(1.0, side / OVERVIEW)
        found += _in_tiles(pyramid, networks, tile, angle)
    return distinct(found)


def fine_candidates(pyramid: Pyramid, networks: FaceNetworks) -> list[Candidate]:
    """Faces from some 60 pixels on; slow on large photos, so only where nothing else was found."""
    if max(pyramid.width, pyramid.height) <= OVERVIEW:
        return []
    return distinct(_in_tiles(pyramid, networks, float(TILE), 0.0))


def distinct(found: list[Candidate]) -> list[Candidate]:
    """The surest of those that overlap, surest first."""
    kept: list[Candidate] = []
    for candidate in sorted(found, key=lambda each: -each.score):
        if not any(_same(candidate, other) for other in kept):
            kept.append(candidate)
    return kept


def _same(one: Candidate, other: Candidate) -> bool:
    apart = math.dist(one.center, other.center)
    return apart < 0.5 * max(one.size, other.size)


def _in_tiles(
    pyramid: Pyramid, networks: FaceNetworks, tile: float, angle: float
) -> list[Candidate]:
    """Tiles that overlap by half; the last ones end at the photo's edge."""
    found = []
    for y in _tile_centers(pyramid.height, tile):
        for x in _tile_centers(pyramid.width, tile):
            tiles = _in_crop(pyramid, networks, Crop((x, y), tile, angle))
            found += [candidate for candidate in tiles if candidate.score >= _TILE_SCORE]
    return found


def _tile_centers(length: int, tile: float) -> list[float]:
    if length <= tile:
        return [length / 2]
    count = math.ceil((length - tile) / (tile / 2)) + 1
    return np.linspace(tile / 2, length - tile / 2, count).tolist()


def _in_crop(pyramid: Pyramid, networks: FaceNetworks, crop: Crop) -> list[Candidate]:
    picture = pyramid.sample(crop, _DETECTOR_CELLS)
    return [_candidate(crop, proposal) for proposal in networks.propose(picture)]


def _candidate(crop: Crop, proposal: Proposal) -> Candidate:
    x, y = crop.to_photo(np.array(proposal.center, dtype=np.float64)).tolist()
    return Candidate((x, y), proposal.size * crop.size, proposal.roll + crop.angle, proposal.score)
