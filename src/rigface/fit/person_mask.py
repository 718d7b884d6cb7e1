"""Which pixels of a photo show the person, by the segmenter's mask."""

import numpy as np
from jaxtyping import Bool, Float

from rigface.evidence.face import FaceObservation
from rigface.evidence.photo import Photo


def person_mask(face: FaceObservation, photo: Photo) -> Bool[np.ndarray, "height width"] | None:
    """The person at the photo's size; outside the square that was looked at: nothing."""
    masks, shape = face.masks, (photo.height, photo.width)
    if masks is None or masks.person is None:
        return None
    left, top, right, bottom = masks.box
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, shape[1]), min(bottom, shape[0])
    out = np.zeros(shape, dtype=bool)
    rows = (np.arange(y0, y1) + 0.5 - top) / masks.cell - 0.5
    columns = (np.arange(x0, x1) + 0.5 - left) / masks.cell - 0.5
    person = masks.person.astype(np.float32)
    out[y0:y1, x0:x1] = _between_rows(_between_rows(person, rows).T, columns).T > 127
    return out


def _between_rows(
    values: Float[np.ndarray, "rows columns"], places: Float[np.ndarray, " places"]
) -> Float[np.ndarray, "places columns"]:
    """Linear interpolation at row numbers; the first and the last row are repeated."""
    low = np.floor(places)
    share = (places - low).astype(np.float32)[:, None]
    last = len(values) - 1
    above, below = (np.clip(low + step, 0, last).astype(np.int64) for step in (0, 1))
    return values[above] * (1 - share) + values[below] * share
