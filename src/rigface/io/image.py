"""`read_photo`: any common image file becomes an upright sRGB `Photo`, or says why it cannot."""

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from rigface.errors import InputError, MissingExtraError
from rigface.evidence.photo import Photo

MAX_SIDE = 4096
"""Longer photos are reduced to this: no step looks closer, and memory stays bounded."""

MIN_SIDE = 64
"""A face needs some 60 pixels; a smaller image cannot hold one."""

MAX_PIXELS = 250_000_000
"""Pixels that are decoded at once, about 1 GB; JPEG is reduced while it is decoded."""

MAX_JPEG_SIDE = 65_535

DIAGONAL_35MM = 43.27
"""Diagonal in mm of a 36 x 24 mm frame, which the 35 mm equivalent refers to."""

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "PPM")
_HEIF = {".heic", ".heif", ".hif"}
_KNOWN = "JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC"
_NEUTRAL_GREY = (128, 128, 128)
_STRIP_PIXELS = 1 << 22

_ORIENTATION, _EXIF_IFD = 0x0112, 0x8769
_FOCAL_35MM, _EXIF_WIDTH, _EXIF_HEIGHT = 0xA405, 0xA002, 0xA003
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MODE_NOTES = {
    "CMYK": "converted from CMYK",
    "L": "greyscale photo",
    "1": "black-and-white photo",
    "LAB": "converted from CIE Lab",
    "YCbCr": "converted from YCbCr",
    "F": "converted from floating point values",
}


def read_photo(path: str | Path, max_side: int = MAX_SIDE) -> Photo:
    """Read a photo: upright by its EXIF, sRGB, at most `max_side` pixels long.

    The content decides the format, not the extension. Greyscale, palette, CMYK, 16 bit and other
    colour profiles are converted, transparency is put on neutral grey, of animations and pages
    the first is taken; `Photo.notes` says so. Of the EXIF only the orientation and the 35 mm
    focal length are looked at: focal_px = focal_35mm / 43.27 mm * diagonal in pixels.

    Raises InputError if the file is missing, no image, damaged or cut short, under 64 pixels, or
    over 250 million pixels (JPEG that is not progressive: 65,535 on a side), which is checked
    before anything is decoded. Raises MissingExtraError for HEIC without `rigface[heic]`.
    """
    path = Path(path)
    content = _check_file(path)
    with _own_size_limit():
        try:
            with Image.open(content, formats=_formats(path)) as image:
                return _read(path, image, max_side)
        except UnidentifiedImageError as error:
            raise InputError(
                f"{path} is no image that can be read. Expected {_KNOWN}; save it again as JPEG."
            ) from error
        except (InputError, MissingExtraError):
            raise
        except MemoryError as error:
            raise InputError(
                f"{path} does not fit into the memory that is free. Reduce the photo first."
            ) from error
        except Exception as error:  # what damaged files raise is not documented
            raise InputError(
                f"{path} is damaged or cut short ({str(error)[:80]}). Copy or export it again."
            ) from error


def _check_file(path: Path) -> Path:
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder. Give the photo inside it ({_KNOWN}).")
        if not path.exists():
            raise InputError(f"{path} does not exist. Check the spelling of the path.")
        if not path.is_file():
            raise InputError(f"{path} is no regular file. Give a photo ({_KNOWN}).")
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes). Copy or export the photo again.")
        with path.open("rb"):
            return path
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error


def _formats(path: Path) -> tuple[str, ...]:
    """The formats to try; HEIC needs its plugin, which is looked for only when it is needed."""
    with path.open("rb") as file:
        head = file.read(32)
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    heif = brand in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
    if not heif and not (path.suffix.lower() in _HEIF and head[4:8] == b"ftyp"):
        Image.init()
        return tuple(name for name in _FORMATS if name in Image.OPEN)  # AVIF is not in every build
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise MissingExtraError(
            f'{path} is a HEIC photo. Install the reader with: pip install "rigface[heic]", or '
            "save the photo as JPEG."
        ) from error
    register_heif_opener(thumbnails=False)
    return ("HEIF",)


@contextmanager
def _own_size_limit() -> Iterator[None]:
    """Pillow's own limit warns at 89 megapixels; ours is checked instead, with its own message."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # damaged EXIF, odd palettes: they become notes or errors
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _read(path: Path, image: Image.Image, max_side: int) -> Photo:
    notes: list[str] = []
    width, height = image.size
    _check_size(path, image)
    if image.format != "MPO" and getattr(image, "is_animated", False):
        what = "pages" if image.format == "TIFF" else "frames"
        notes.append(f"several {what}; only the first is used")
    orientation, focal_35mm = _exif(image, notes)
    profile = image.info.get("icc_profile")
    image.draft(image.mode, (max_side, max_side))  # JPEG: decode at 1/2, 1/4 or 1/8
    image.load()
    small = _to_srgb(_reduced_rgb(image, max_side, notes), profile, image.mode, notes)
    if orientation in _TURNS:
        small = small.transpose(_TURNS[orientation])
    pixels = np.array(small)
    scale = max(pixels.shape[:2]) / max(width, height)
    if scale < 1:
        notes.append(
            f"reduced from {width} x {height} to {pixels.shape[1]} x {pixels.shape[0]} pixels"
            if orientation < 5
            else f"reduced from {height} x {width} to {pixels.shape[1]} x {pixels.shape[0]} pixels"
        )
    focal_px = None
    if focal_35mm is not None:
        focal_px = focal_35mm / DIAGONAL_35MM * math.hypot(*pixels.shape[:2])
    return Photo(pixels, focal_px, path, tuple(notes), scale)


def _check_size(path: Path, image: Image.Image) -> None:
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"{path} has {width} x {height} pixels; expected at least {MIN_SIDE} on each side. "
            "Give the original photo."
        )
    by_scale = image.format in ("JPEG", "MPO") and not image.info.get("progressive")
    if max(width, height) > MAX_JPEG_SIDE if by_scale else width * height > MAX_PIXELS:
        raise InputError(
            f"{path} has {width:,} x {height:,} pixels, {width * height / 1e6:,.0f} million; at "
            f"most {MAX_PIXELS / 1e6:.0f} million are decoded. Reduce the photo first."
        )


def _exif(image: Image.Image, notes: list[str]) -> tuple[int, float | None]:
    """Orientation 1 to 8, and the 35 mm equivalent focal length in mm if it can be used."""
    try:
        exif = image.getexif()
        details = exif.get_ifd(_EXIF_IFD)
        orientation = int(exif.get(_ORIENTATION, 1))
        focal = float(details.get(_FOCAL_35MM, 0))
        taken = int(details.get(_EXIF_WIDTH, 0)), int(details.get(_EXIF_HEIGHT, 0))
    except Exception:  # damaged EXIF raises whatever its bytes lead to
        notes.append("the EXIF is damaged and was ignored")
        return 1, None
    if not 1 <= orientation <= 8:
        orientation = 1
    if not 5.0 <= focal <= 2000.0:  # 0 means unknown
        return orientation, None
    if min(taken) > 0 and abs(_aspect(taken) / _aspect(image.size) - 1.0) > 0.02:
        notes.append("cropped after it was taken, so its EXIF focal length was ignored")
        return orientation, None
    return orientation, focal


def _aspect(size: tuple[int, int]) -> float:
    return max(size) / min(size)


def _reduced_rgb(image: Image.Image, max_side: int, notes: list[str]) -> Image.Image:
    """The image in RGB (CMYK stays, for its profile), at most `max_side` long.

    Whole blocks of pixels are averaged strip by strip, so that no second full-size copy is made;
    the rest, under a factor of two, is resampled.
    """
    _note_mode(image, notes)
    factor = max(1, max(image.size) // max_side)
    transparent = _has_alpha(image)
    top = _largest_value(image)
    if factor == 1:
        return _fitted(_as_codes(image, transparent, top), max_side)
    width, height = image.size
    rows = max(1, _STRIP_PIXELS // (width * factor)) * factor
    strips = []
    for start in range(0, height, rows):
        strip = image.crop((0, start, width, min(start + rows, height)))
        strips.append(_as_codes(strip, transparent, top).reduce(factor))
    small = Image.new(strips[0].mode, (strips[0].width, sum(strip.height for strip in strips)))
    y = 0
    for strip in strips:
        small.paste(strip, (0, y))
        y += strip.height
    return _fitted(small, max_side)


def _fitted(image: Image.Image, max_side: int) -> Image.Image:
    ratio = max(image.size) / max_side
    if ratio <= 1:
        return image
    width, height = (max(1, round(side / ratio)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _note_mode(image: Image.Image, notes: list[str]) -> None:
    if image.mode.startswith("I"):
        notes.append("converted from 16 bit greyscale")
    elif image.mode in _MODE_NOTES:
        notes.append(_MODE_NOTES[image.mode])
    if _has_alpha(image):
        notes.append("transparent parts were put on neutral grey")


def _has_alpha(image: Image.Image) -> bool:
    """Whether any pixel is in fact transparent; an alpha channel of all ones is none."""
    if image.mode in ("RGBA", "LA", "PA"):
        return _extrema(image.getchannel("A"))[0] < 255
    if image.mode in ("RGBa", "La"):
        return True
    return "transparency" in image.info


def _largest_value(image: Image.Image) -> float:
    """What becomes white in modes that are not 8 bit; 255 in those that are."""
    if image.mode.startswith("I"):
        top = _extrema(image)[1]
        return 255.0 if top <= 255 else 65535.0 if top <= 65535 else float(top)
    if image.mode == "F":
        top = float(np.nanmax(np.asarray(image), initial=0.0))
        if not math.isfinite(top) or top <= 0:
            raise ValueError("its values are not finite, or all black")
        return 1.0 if top <= 1.0 else 255.0 if top <= 255.0 else top
    return 255.0


def _extrema(image: Image.Image) -> tuple[float, float]:
    """Least and largest value of an image of one channel."""
    low, high = image.getextrema()
    assert not isinstance(low, tuple) and not isinstance(high, tuple)
    return float(low), float(high)


def _as_codes(strip: Image.Image, transparent: bool, top: float) -> Image.Image:
    """8 bit RGB, or CMYK as it is."""
    if strip.mode.startswith("I") or strip.mode == "F":
        values = np.nan_to_num(np.asarray(strip, np.float32)) * (255.0 / top)
        grey = np.clip(values + 0.5, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if transparent:
        rgba = strip.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, (*_NEUTRAL_GREY, 255))
        return Image.alpha_composite(ground, rgba).convert("RGB")
    return strip if strip.mode == "CMYK" else strip.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None, mode: str, notes: list[str]) -> Image.Image:
    """Colours by the embedded profile if there is one that fits, else as sRGB."""
    fits = image.mode == "CMYK" or mode in ("RGB", "RGBA", "P")
    if profile and fits:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            name = ImageCms.getProfileDescription(source).strip()
            if "sRGB" in name and image.mode == "RGB":
                return image
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            if converted is not None:
                notes.append(f"colours converted from the profile '{name[:40]}'")
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            notes.append("the colour profile is damaged and was ignored")
    return image.convert("RGB")
