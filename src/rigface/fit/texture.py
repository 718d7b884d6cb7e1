"""The photos' colours on a fitted head, as its materials need them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from rigface.evidence.face import FaceMasks
from rigface.fit.photo_result import PhotoResult
from rigface.render.iris import iris_colour
from rigface.render.texture import FaceTexture, TextureView, encode, unwrap


@dataclass(frozen=True)
class Dressed:
    """The texture of a head."""

    texture: FaceTexture
    encoded: bytes
    """The image file for the skin's material."""
    iris: tuple[float, float, float] | None
    """Linear RGB; None where no photo shows one."""


def dress(result: PhotoResult, size: int = 2048, delight: bool = False) -> Dressed:
    """Unwrap every photo onto the head."""
    views = [
        TextureView(
            pixels=view.photo.pixels,
            camera=view.camera,
            vertices=result.posed(number),
            skin_mask=_person(view.face.masks, (view.photo.height, view.photo.width)),
        )
        for number, view in enumerate(result.views)
    ]
    texture = unwrap(result.template, views, size, delight)
    colours = [iris_colour(result.template, view) for view in views]
    seen = [colour for colour in colours if colour is not None]
    if not seen:
        return Dressed(texture, encode(texture.image, "jpeg"), None)
    red, green, blue = np.median(seen, axis=0).tolist()
    return Dressed(texture, encode(texture.image, "jpeg"), (red, green, blue))


def _person(masks: FaceMasks | None, shape: tuple[int, int]) -> np.ndarray | None:
    """The person mask at the photo's size; outside the square that was looked at: nothing."""
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
