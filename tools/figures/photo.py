"""From a portrait to a textured head in one row: Eileen Collins (NASA, public domain), as she comes
with scikit-image."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from rigface.cameras.camera import orbiting
from rigface.evidence.photo import Photo
from rigface.export.asset import RigAsset
from rigface.fit.photo import fit_photos
from rigface.fit.rig_asset import rig_asset
from rigface.fit.texture import dress, wear
from rigface.io.color import linear_from_srgb
from rigface.render.albedo import Texture
from rigface.render.lighting import Lighting
from rigface.render.shade import render
from rigface.report.photo_pictures import overlay

SIDE = 480
LIGHT = Lighting.of(0.75, [((0.3, 0.4, 1.0), 0.35)])


@dataclass(frozen=True)
class Materials:
    """The base colours of an asset: a texture where its material has one."""

    asset: RigAsset

    def at(
        self, face: Int[Tensor, " pixels"], bary: Float[Tensor, "pixels 3"]
    ) -> Float[Tensor, "pixels 3"]:
        """Linear RGB."""
        out = torch.zeros(len(face), 3)
        kind = torch.from_numpy(self.asset.face_material)[face]
        for number, material in enumerate(self.asset.materials):
            mine = kind == number
            out[mine] = torch.tensor(material.base_color[:3])
            if material.base_color_image is not None and bool(mine.any()):
                pixels = np.asarray(Image.open(BytesIO(material.base_color_image)).convert("RGB"))
                image = torch.from_numpy(linear_from_srgb(pixels / 255.0)).float()
                uv = torch.from_numpy(self.asset.uv).float()
                texture = Texture(image, uv, torch.from_numpy(self.asset.uv_faces))
                out[mine] = texture.at(face[mine], bary[mine].float())
        return out


def draw(folder: Path) -> None:
    """photo.png."""
    from skimage.data import astronaut

    result = fit_photos([Photo(astronaut())])
    asset = wear(rig_asset(result), dress(result))
    judged = overlay(result)
    height = judged.height
    panels = [judged.crop((left, 0, left + height, height)) for left in (0, height)]
    for yaw in (0.0, np.radians(30.0)):
        camera = orbiting((0.0, -0.03, 0.0), float(yaw), 0.0, 0.7, 2.5 * SIDE, (SIDE, SIDE))
        picture = render(
            torch.from_numpy(asset.vertices).float(),
            torch.from_numpy(asset.faces),
            camera,
            Materials(asset),
            LIGHT,
            background=(0.8, 0.8, 0.8),
        )
        panels.append(Image.fromarray(picture))
    row = Image.new("RGB", (len(panels) * SIDE, SIDE))
    for number, panel in enumerate(panels):
        row.paste(panel.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (number * SIDE, 0))
    row.quantize(256).save(folder / "photo.png", optimize=True)
