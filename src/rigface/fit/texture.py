"""Colours of pictures on a fitted head, as its materials need them."""

from dataclasses import dataclass, replace

import numpy as np

from rigface.export.asset import RigAsset
from rigface.fit.person_mask import person_mask
from rigface.fit.photo_result import PhotoResult
from rigface.render.iris import iris_colour
from rigface.render.texture import FaceTexture, SkinSheet, TextureView, encode, unwrap


@dataclass(frozen=True)
class Dressed:
    """The texture of a head."""

    texture: FaceTexture
    encoded: bytes
    """The image file for the skin's material."""
    iris: tuple[float, float, float] | None
    """Linear RGB; None where no photo shows one."""


def dress(
    result: PhotoResult, size: int = 2048, delight: bool = False, sheet: SkinSheet | None = None
) -> Dressed:
    """Unwrap every photo onto the head; `sheet` as for `render.texture.unwrap`."""
    views = [
        TextureView(
            pixels=view.photo.pixels,
            camera=view.camera,
            vertices=result.posed(number),
            skin_mask=person_mask(view.face, view.photo),
        )
        for number, view in enumerate(result.views)
    ]
    texture = unwrap(result.template, views, size, delight, sheet)
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
