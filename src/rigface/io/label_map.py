"""`read_label_map`: a face parsing as an image of class numbers; `labels_of`: those of photos."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from rigface.errors import InputError
from rigface.evidence.label_map import CLASSES, FACE_CLASSES, LabelMap
from rigface.evidence.photo import Photo

_MODES = ("L", "P", "I", "I;16", "1")
_LEAST_FACE = 100
"""Pixels."""


def read_label_map(path: str | Path, photo_size: tuple[int, int] | None = None) -> LabelMap:
    """Read class numbers 0 to 18 in the order of CelebAMask-HQ (`evidence.label_map.CLASSES`).

    A PNG with one channel (grey or palette: the stored numbers count, not the colours), at the
    photo's size or evenly smaller or larger; `photo_size` is its width and height in pixels, for
    the check. Raises InputError if the file is missing, no image, coloured, holds other numbers or
    no face, or has another shape than the photo.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is no file. Give the label map as a PNG of class numbers.")
    try:
        with Image.open(path) as image:
            mode, size = image.mode, image.size
            classes = np.array(image) if mode in _MODES else None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as an image ({str(error)[:80]}). Give a PNG of class numbers."
        ) from error
    if classes is None:
        raise InputError(
            f"{path} is an image in {mode} colours; expected one channel of class numbers 0 to "
            f"{len(CLASSES) - 1}. Save the numbers themselves, not the coloured picture."
        )
    _check_shape(path, size, photo_size)
    _check_classes(path, classes)
    return LabelMap(classes.astype(np.uint8), path)


def labels_of(photos: Sequence[Photo], folder: str | Path) -> tuple[LabelMap, ...]:
    """The label map of every photo: the PNG in `folder` with the photo's name but for the ending.

    Raises InputError if there is no such folder or a photo has none, and as `read_label_map` does.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder. Give one with a label map for every photo.")
    stems = [photo.source.stem if photo.source else "" for photo in photos]
    missing = [f"{stem}.png" for stem in stems if not (folder / f"{stem}.png").is_file()]
    if missing:
        there = sorted(file.name for file in folder.iterdir() if file.suffix == ".png")
        shown = ", ".join(there[:6]) + (", ..." if len(there) > 6 else "")
        raise InputError(
            f"{folder} lacks {', '.join(missing)}: every photo needs a label map of its name. "
            f"It holds {shown or 'no PNG at all'}."
        )
    return tuple(
        read_label_map(folder / f"{stem}.png", (photo.width, photo.height))
        for stem, photo in zip(stems, photos, strict=True)
    )


def _check_shape(path: Path, size: tuple[int, int], photo_size: tuple[int, int] | None) -> None:
    if photo_size is None:
        return
    across, down = (ours / theirs for ours, theirs in zip(size, photo_size, strict=True))
    # One pixel of rounding in the smaller of the two pictures.
    if abs(across - down) > max(across, down) / min(*size, *photo_size):
        raise InputError(
            f"{path} has {size[0]} x {size[1]} pixels, the photo {photo_size[0]} x "
            f"{photo_size[1]}: not the same shape. Give a label map of the whole upright photo."
        )


def _check_classes(path: Path, classes: np.ndarray) -> None:
    low, high = int(classes.min()), int(classes.max())
    if low < 0 or high >= len(CLASSES):
        raise InputError(
            f"{path} holds class numbers from {low} to {high}; expected 0 to {len(CLASSES) - 1} in "
            "the order of CelebAMask-HQ (0 background, 1 skin, 2 nose, ... 17 neck, 18 cloth)."
        )
    face = [CLASSES.index(name) for name in FACE_CLASSES]
    if int(np.isin(classes, face).sum()) < _LEAST_FACE:
        found = ", ".join(CLASSES[number] for number in np.unique(classes))
        raise InputError(
            f"{path} shows no face: it holds {found}; expected at least {_LEAST_FACE} pixels of "
            f"{', '.join(FACE_CLASSES)}. Check that it belongs to this photo."
        )
