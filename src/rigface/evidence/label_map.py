"""A face parsing of a photo: the class of every pixel, numbered as in CelebAMask-HQ."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

CLASSES = (
    "background",
    "skin",
    "nose",
    "eye_g",
    "l_eye",
    "r_eye",
    "l_brow",
    "r_brow",
    "l_ear",
    "r_ear",
    "mouth",
    "u_lip",
    "l_lip",
    "hair",
    "hat",
    "ear_r",
    "neck_l",
    "neck",
    "cloth",
)
"""By number, 0 to 18 (`g_mask.py` of CelebAMask-HQ): eye_g are glasses, ear_r an earring, neck_l a
necklace."""

FACE_CLASSES = ("skin", "nose", "l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip")
NECK_CLASSES = ("neck_l", "neck")


@dataclass(frozen=True)
class LabelMap:
    """Classes of the pixels of a whole photo, at its size or evenly smaller."""

    classes: UInt8[np.ndarray, "height width"]
    """Index into `CLASSES`."""
    source: Path | None = None
