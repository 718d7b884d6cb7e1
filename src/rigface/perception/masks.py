"""Person and skin masks around a face."""

import math

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw

from rigface.evidence.face import FaceMasks
from rigface.evidence.face_mesh import RINGS, face_mesh
from rigface.perception.crops import Crop, Pyramid
from rigface.perception.networks import FaceNetworks

MAX_CELLS = 512
PERSON_SCALE = 2.2
"""Side of the masks' square over the longer side of the mesh's box."""

_SEGMENTER_CELLS = 256
"""What the network itself works on."""

_NO_SKIN = ("eye_right", "eye_left", "lips_inner")


def mesh_box(points: Float[np.ndarray, "points 2"], scale: float) -> tuple[int, int, int, int]:
    """A square of whole pixels around the points: left, top, right, bottom."""
    low, high = points.min(axis=0), points.max(axis=0)
    side = 2 * max(1, round(0.5 * scale * float((high - low).max())))
    left, top = np.round((low + high) / 2 - side / 2).astype(int).tolist()
    return left, top, left + side, top + side


def face_masks(
    points: Float[np.ndarray, "478 2"],
    roll: float,
    pyramid: Pyramid,
    networks: FaceNetworks | None,
) -> tuple[FaceMasks, float]:
    """Masks over a square around the face, and the part (%) of the mesh outside the person."""
    box = mesh_box(points, PERSON_SCALE)
    cells = min(box[2] - box[0], MAX_CELLS)
    silhouette, skin = mesh_masks(points, box, cells)
    inside = _inside_photo(box, cells, pyramid.width, pyramid.height)
    person = None if networks is None else _person(box, cells, roll, pyramid, networks)
    outside = math.nan
    if person is not None:
        person = np.where(inside, person, np.uint8(0))
        skin &= person >= 128
        outside = 100.0 * float((silhouette & inside & (person < 128)).sum() / silhouette.sum())
    return FaceMasks(box, skin & inside, person), outside


def mesh_masks(
    points: Float[np.ndarray, "478 2"], box: tuple[int, int, int, int], cells: int
) -> tuple[Bool[np.ndarray, "cells cells"], Bool[np.ndarray, "cells cells"]]:
    """The silhouette of all triangles (holes filled), and it without eyes and inner mouth."""
    # PIL's coordinates are those of pixel centres.
    on_grid = (points - box[:2]) * (cells / (box[2] - box[0])) - 0.5
    canvas = Image.new("L", (cells, cells))
    draw = ImageDraw.Draw(canvas)
    for triangle in on_grid[face_mesh().triangles].reshape(-1, 6).tolist():
        draw.polygon(triangle, fill=255)
    for ring in _NO_SKIN:
        draw.polygon(on_grid[list(RINGS[ring])].ravel().tolist(), fill=255)
    silhouette = np.array(canvas) > 0
    for ring in _NO_SKIN:
        draw.polygon(on_grid[list(RINGS[ring])].ravel().tolist(), fill=0)
    return silhouette, np.array(canvas) > 0


def _person(
    box: tuple[int, int, int, int],
    cells: int,
    roll: float,
    pyramid: Pyramid,
    networks: FaceNetworks,
) -> UInt8[np.ndarray, "cells cells"] | None:
    """The segmenter knows upright people, so it gets a turned square that covers the box."""
    side = float(box[2] - box[0])
    center = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    crop = Crop(center, side * (abs(math.cos(roll)) + abs(math.sin(roll))), roll)
    probability = networks.person(pyramid.sample(crop, _SEGMENTER_CELLS))
    if probability is None:
        return None
    # Where the box's corner and the ends of its first row and column lie in the turned square.
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]) * side + box[:2]
    origin, right, down = crop.from_photo(corners) * _SEGMENTER_CELLS
    (ax, ay), (bx, by) = (right - origin) / cells, (down - origin) / cells
    turned_back = Image.fromarray(probability.astype(np.float32)).transform(
        (cells, cells),
        Image.Transform.AFFINE,
        (ax, bx, origin[0], ay, by, origin[1]),
        Image.Resampling.BILINEAR,
    )
    return np.clip(np.rint(np.asarray(turned_back) * 255.0), 0, 255).astype(np.uint8)


def _inside_photo(
    box: tuple[int, int, int, int], cells: int, width: int, height: int
) -> Bool[np.ndarray, "cells cells"]:
    centers = (np.arange(cells) + 0.5) * ((box[2] - box[0]) / cells)
    x, y = centers + box[0], centers + box[1]
    return ((y > 0) & (y < height))[:, None] & ((x > 0) & (x < width))[None, :]
