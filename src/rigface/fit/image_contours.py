"""Where a photo shows the face to end: from the person mask, or from the user's label map.

Only what the face itself ends at counts. In a person mask hair, neck and clothes continue the
person: a point of its outline is kept where a strip inside is all person and a strip outside all
background, and the head's own candidates (`fit.outline`) are those of the face alone. A label map
says it outright: face against background, and face against neck, which is the jaw line.
"""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter, map_coordinates

from rigface.evidence.face import FaceMasks, FaceObservation
from rigface.evidence.label_map import CLASSES, FACE_CLASSES, NECK_CLASSES, LabelMap
from rigface.terms.edge import ImageContour

STRIP = 0.06
"""Of the face size: how far inside and outside a person's outline must be plain."""
EDGE = 200.0
"""Value of the person mask at the outline. The segmenter works on 256 cells and its masks are too
large: at 128 the outline lies 0.4 to 0.9 % of the face size outside the true one on renders of
simulated heads, at 200 within 0.13 %."""
_INSIDE, _OUTSIDE = 215.0, 60.0
"""Values of the person mask that the two ends of the strip must pass."""
_SMOOTH = 1.0
"""Cells by which classes are smoothed, which makes their border finer than cells."""
_TURN = 2.0
"""Cells over which normals are measured."""


def image_contour(face: FaceObservation) -> ImageContour | None:
    """The face's contour in its photo, from the label map if there is one; None without any."""
    if face.labels is not None:
        found = label_contour(face.labels, face.image_size, STRIP * face.size)
    elif face.masks is not None and face.masks.person is not None:
        found = person_contour(face.masks, STRIP * face.size)
    else:
        return None
    return found if len(found.pixels) else None


def person_contour(masks: FaceMasks, strip: float) -> ImageContour:
    """The person against the background; `strip` in pixels of the photo."""
    assert masks.person is not None
    person = masks.person.astype(np.float64)
    cells, normals = _level_set(person, EDGE)
    reach = strip / masks.cell
    kept = _at(person, cells - reach * normals) > _INSIDE
    kept &= _at(person, cells + reach * normals) < _OUTSIDE
    # The mask ends with its box, and with the photo: no outline of the person there.
    limit = np.array(person.shape[::-1])
    for side in (-reach, reach):
        end = cells + side * normals
        kept &= ((end > 0) & (end < limit)).all(axis=1)
    pixels = cells * masks.cell + np.array(masks.box[:2])
    return ImageContour(pixels[kept], normals[kept], np.zeros(int(kept.sum()), dtype=bool))


def label_contour(labels: LabelMap, size: tuple[int, int], strip: float) -> ImageContour:
    """Face against background and against the neck; `size` is the photo's, `strip` in its pixels.

    The two sides are looked at a tenth of the strip (at least 2 cells) from the border.
    """
    ours, neck, background = (
        np.isin(labels.classes, [CLASSES.index(name) for name in names]).astype(np.float64)
        for names in (FACE_CLASSES, NECK_CLASSES, ("background",))
    )
    height, width = labels.classes.shape
    cell = np.array([size[0] / width, size[1] / height])
    cells, normals = _level_set(gaussian_filter(ours, _SMOOTH), 0.5)
    reach = max(2.0, 0.1 * strip / float(cell.mean()))
    outside = cells + reach * normals
    on_neck = _at(neck, outside) > 0.5
    kept = _at(ours, cells - reach * normals) > 0.5
    kept &= on_neck | (_at(background, outside) > 0.5)
    return ImageContour(cells[kept] * cell, normals[kept], on_neck[kept])


def _level_set(
    field: Float[np.ndarray, "height width"], level: float
) -> tuple[Float[np.ndarray, "points 2"], Float[np.ndarray, "points 2"]]:
    """Where a field passes `level` between neighbouring cells, and unit normals downhill.

    Coordinates x, y in cells; the centre of the first is at 0.5.
    """
    found = []
    for axis in (0, 1):
        steps = field.shape[axis] - 1
        first, second = (np.take(field, np.arange(steps) + k, axis) for k in (0, 1))
        row, column = np.nonzero((first >= level) != (second >= level))
        a, b = first[row, column], second[row, column]
        place = np.column_stack([column, row]) + 0.5
        place[:, 1 - axis] += (level - a) / (b - a)
        found.append(place)
    cells = np.concatenate(found)
    smooth = gaussian_filter(field, _TURN)
    slope = np.column_stack([_at(np.gradient(smooth, axis=axis), cells) for axis in (1, 0)])
    length = np.linalg.norm(slope, axis=1, keepdims=True)
    kept = length[:, 0] > 0
    return cells[kept], -slope[kept] / length[kept]


def _at(
    field: Float[np.ndarray, "height width"], cells: Float[np.ndarray, "points 2"]
) -> Float[np.ndarray, " points"]:
    where = [cells[:, 1] - 0.5, cells[:, 0] - 0.5]
    return map_coordinates(field, where, order=1, mode="nearest")
