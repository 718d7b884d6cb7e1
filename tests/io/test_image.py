"""Photos of every kind become upright sRGB; what is no photo is refused with its reason."""

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from rigface.errors import InputError, MissingExtraError
from rigface.io import image as image_io
from rigface.io.image import read_photo


def picture(width: int = 120, height: int = 90) -> np.ndarray:
    """A smooth colour ramp without symmetry, so that turns and channels show."""
    y, x = np.mgrid[:height, :width]
    ramp = np.stack([255 * x / width, 255 * y / height, 60 + 100 * x * y / (width * height)], -1)
    return ramp.astype(np.uint8)


def grey_of(pixels: np.ndarray) -> np.ndarray:
    return np.array(Image.fromarray(pixels).convert("L"))


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "bmp", "ppm"])
def test_lossless_formats(tmp_path, suffix):
    Image.fromarray(picture()).save(path := tmp_path / f"a.{suffix}", lossless=True)
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.pixels, picture())
    assert (photo.notes, photo.focal_px, photo.scale) == ((), None, 1.0)
    assert (photo.source, photo.width, photo.height) == (path, 120, 90)


def test_content_decides_not_the_extension(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.jpg").pixels, picture())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    upright = picture()
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright),
        7: np.rot90(upright, 2).transpose(1, 0, 2), 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, upright)


def with_exif(path, focal, size=(120, 90), recorded=None, place=False):
    exif = Image.Exif()
    details = exif.get_ifd(0x8769)
    details[0xA405] = focal
    if recorded:
        details[0xA002], details[0xA003] = recorded
    if place:
        exif.get_ifd(0x8825)[1] = "N"
    Image.fromarray(picture(*size)).save(path, exif=exif)
    return read_photo(path)


def test_focal_length_by_the_diagonal(tmp_path):
    photo = with_exif(tmp_path / "a.jpg", 50, place=True)
    assert photo.focal_px == pytest.approx(50 / 43.27 * 150.0)
    assert not any("GPS" in name or "exif" in name for name in vars(photo))
    portrait = with_exif(tmp_path / "b.jpg", 50, size=(90, 120))
    assert portrait.focal_px == photo.focal_px


def test_focal_length_scales_with_the_photo(tmp_path):
    with_exif(tmp_path / "a.jpg", 26, size=(400, 300))
    photo = read_photo(tmp_path / "a.jpg", max_side=100)
    assert photo.pixels.shape == (75, 100, 3)
    assert photo.scale == pytest.approx(0.25)
    assert photo.focal_px == pytest.approx(26 / 43.27 * 125.0)
    assert "reduced from 400 x 300 to 100 x 75 pixels" in photo.notes


@pytest.mark.parametrize("focal", [0, 3, 60000])
def test_absurd_focal_length_is_unknown(tmp_path, focal):
    assert with_exif(tmp_path / "a.jpg", focal).focal_px is None


def test_focal_length_of_a_cropped_photo_is_not_used(tmp_path):
    photo = with_exif(tmp_path / "a.jpg", 26, recorded=(4000, 2250))
    assert photo.focal_px is None
    assert "cropped" in photo.notes[0]
    same = with_exif(tmp_path / "b.jpg", 26, recorded=(4000, 3000))
    assert same.focal_px is not None


def test_greyscale_of_8_and_16_bit(tmp_path):
    grey = grey_of(picture())
    Image.fromarray(grey).save(tmp_path / "8.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "16.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "16.tif")
    Image.fromarray(grey.astype(np.float32) / 255).save(tmp_path / "f.tif")
    for name in ("8.png", "16.png", "16.tif", "f.tif"):
        photo = read_photo(tmp_path / name)
        np.testing.assert_array_equal(photo.pixels, np.repeat(grey[..., None], 3, axis=2))
        assert len(photo.notes) == 1
    assert read_photo(tmp_path / "16.png").notes == ("converted from 16 bit greyscale",)


def test_sixteen_bit_colour(tmp_path):
    """Pillow cannot write it, so the PNG is made by hand."""
    codes = picture().astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in codes)
    (tmp_path / "a.png").write_bytes(png(120, 90, 16, zlib.compress(rows)))
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, picture())


def test_cmyk_palette_and_black_and_white(tmp_path):
    image = Image.fromarray(picture())
    image.convert("CMYK").save(tmp_path / "a.tif")
    photo = read_photo(tmp_path / "a.tif")
    assert np.abs(photo.pixels.astype(int) - picture()).max() <= 2
    assert photo.notes == ("converted from CMYK",)
    image.convert("CMYK").save(tmp_path / "a.jpg", quality=98)
    assert np.abs(read_photo(tmp_path / "a.jpg").pixels.astype(int) - picture()).mean() < 4
    image.quantize(256).save(tmp_path / "p.png")
    assert np.abs(read_photo(tmp_path / "p.png").pixels.astype(int) - picture()).mean() < 12
    image.convert("1").save(tmp_path / "1.png")
    assert set(np.unique(read_photo(tmp_path / "1.png").pixels)) == {0, 255}


def test_transparency_is_put_on_grey(tmp_path):
    alpha = np.full((90, 120), 255, np.uint8)
    opaque = np.dstack([picture(), alpha])
    Image.fromarray(opaque).save(tmp_path / "opaque.png")
    assert read_photo(tmp_path / "opaque.png").notes == ()
    opaque[:45, :, 3] = 0
    Image.fromarray(opaque).save(tmp_path / "half.png")
    photo = read_photo(tmp_path / "half.png")
    assert (photo.pixels[:45] == 128).all()
    np.testing.assert_array_equal(photo.pixels[45:], picture()[45:])
    assert photo.notes == ("transparent parts were put on neutral grey",)
    grey = Image.fromarray(grey_of(picture()))
    grey.putalpha(Image.fromarray(opaque[..., 3]))
    grey.save(tmp_path / "la.png")
    assert (read_photo(tmp_path / "la.png").pixels[:45] == 128).all()


def test_animation_gives_its_first_frame(tmp_path):
    frames = [Image.fromarray(np.full((90, 120, 3), v, np.uint8)) for v in (40, 90, 200)]
    for name in ("a.gif", "a.webp", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        photo = read_photo(tmp_path / name)
        assert (photo.pixels == 40).all()
        assert photo.notes == ("several frames; only the first is used",)


def test_wide_gamut_profile_is_converted(tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(picture()).save(tmp_path / "s.png", icc_profile=srgb)
    assert read_photo(tmp_path / "s.png").notes == ()
    for profile in (b"nonsense", lab):  # damaged, and one that does not fit the mode
        Image.fromarray(picture()).save(tmp_path / "d.png", icc_profile=profile)
        photo = read_photo(tmp_path / "d.png")
        np.testing.assert_array_equal(photo.pixels, picture())
        assert photo.notes == ("the colour profile is damaged and was ignored",)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_very_wide_photo_is_reduced_in_strips(tmp_path, suffix):
    wide = picture(20_000, 120)
    Image.fromarray(wide).save(tmp_path / f"a.{suffix}", quality=95)
    photo = read_photo(tmp_path / f"a.{suffix}")
    assert photo.width == 4096
    assert photo.scale == pytest.approx(4096 / 20_000)
    expected = np.array(Image.fromarray(wide).resize((4096, photo.height), Image.Resampling.BOX))
    assert np.abs(photo.pixels.astype(int) - expected).mean() < 2.0


def test_strips_join_without_a_seam(tmp_path, monkeypatch):
    Image.fromarray(picture(400, 300)).save(tmp_path / "a.png")
    whole = read_photo(tmp_path / "a.png", max_side=100).pixels
    monkeypatch.setattr(image_io, "_STRIP_PIXELS", 4000)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png", max_side=100).pixels, whole)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int, content: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def encoded(suffix: str) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, suffix)
    return file.getvalue()


REFUSED = {
    "missing": (None, "does not exist. Check the spelling"),
    "empty": (b"", r"is empty \(0 bytes\). Copy or export the photo again"),
    "text": (b"Dear all,\n" * 20, "is no image that can be read. Expected JPEG, PNG"),
    "script": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n", "is no image that can"),
    "truncated JPEG": (encoded("JPEG")[:9000], r"is damaged or cut short \(.*truncated"),
    "truncated PNG": (encoded("PNG")[:9000], r"is damaged or cut short \("),
    "truncated WebP": (encoded("WEBP")[:4000], r"is (damaged|no image)"),
    "header only": (encoded("JPEG")[:20], "is (damaged|no image)"),
    "bomb": (png(30_000, 30_000, 8, b""), r"has 30,000 x 30,000 pixels, 900 million; at most 250"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path, case):
    data, message = REFUSED[case]
    if data is not None:
        (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_photo(tmp_path / "a.jpg")


@pytest.mark.parametrize("size", [(1, 1), (20_000, 1), (63, 500)])
def test_too_small(tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=f"has {size[0]} x {size[1]} pixels; expected at least 64"):
        read_photo(tmp_path / "a.png")


def test_folder(tmp_path):
    with pytest.raises(InputError, match="is a folder. Give the photo inside it"):
        read_photo(tmp_path)


def test_pillows_own_limit_is_left_as_it_was(tmp_path):
    before = Image.MAX_IMAGE_PIXELS
    Image.fromarray(picture()).save(tmp_path / "a.png")
    read_photo(tmp_path / "a.png")
    with pytest.raises(InputError):
        read_photo(tmp_path / "b.png")
    assert before == Image.MAX_IMAGE_PIXELS


def test_damaged_exif_is_ignored(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert read_photo(tmp_path / "a.jpg").focal_px is None


def test_heic(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    heif = pillow_heif.from_pillow(Image.fromarray(picture()))
    heif.save(tmp_path / "a.heic", quality=95)
    photo = read_photo(tmp_path / "a.heic")
    assert np.abs(photo.pixels.astype(int) - picture()).mean() < 4


def test_heic_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(MissingExtraError, match=r'pip install "rigface\[heic\]"'):
        read_photo(tmp_path / "a.heic")
