"""Colours of pictures on a fitted head, as its materials need them."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import map_coordinates

from rigface.evidence.face import FaceMasks
from rigface.export.asset import RigAsset
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


def wear(asset: RigAsset, dressed: Dressed | None) -> RigAsset:
    """The texture on the skin and the iris' own colour; without one, the plain colours stay."""
    if dressed is None:
        return asset
    skin = {"base_color": (1.0, 1.0, 1.0, 1.0), "base_color_image": dressed.encoded}
    own = {"skin": skin, "mouth": skin}
    if dressed.iris is not None:
        own["iris"] = {"base_color": (*dressed.iris, 1.0)}
    materials = [replace(material, **own.get(material.name, {})) for material in asset.materials]
    return replace(asset, materials=tuple(materials))


def _person(masks: FaceMasks | None, shape: tuple[int, int]) -> np.ndarray | None:
    """The person mask at the photo's size; outside the square that was looked at: nothing."""
    if masks is None or masks.person is None:
        return None
    left, top, right, bottom = masks.box
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, shape[1]), min(bottom, shape[0])
    out = np.zeros(shape, dtype=bool)
    rows = (np.arange(y0, y1) + 0.5 - top) / masks.cell - 0.5
    columns = (np.arange(x0, x1) + 0.5 - left) / masks.cell - 0.5
    where = np.meshgrid(rows, columns, indexing="ij")
    value = map_coordinates(masks.person.astype(np.float32), where, order=1, mode="nearest")
    out[y0:y1, x0:x1] = value > 127
    return out
