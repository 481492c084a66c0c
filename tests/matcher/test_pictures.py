"""Pictures from outside: each way of being unusable has its own sentence, and none is decoded beyond its limit."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from matcher.pictures import read_gray, read_rgb
from models.errors import ImageError


def encoded(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format, **options)
    return stream.getvalue()


def two_halves() -> Image.Image:
    """Left half red, right half blue, wider than high."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30, 0] = 255
    pixels[:, 30:, 2] = 255
    return Image.fromarray(pixels)


def png_header_only(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be ``width`` by ``height``."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF"])
def test_a_picture_of_a_common_format_becomes_rgb(format: str) -> None:
    pixels = read_rgb(encoded(two_halves(), format))
    assert pixels.shape == (40, 60, 3)
    assert pixels.dtype == np.uint8
    assert pixels[20, 10, 0] > 200
    assert pixels[20, 10, 2] < 60


def test_a_file_is_read_like_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "halves.png"
    file.write_bytes(encoded(two_halves()))
    assert np.array_equal(read_rgb(file), read_rgb(file.read_bytes()))
    assert np.array_equal(read_rgb(str(file)), read_rgb(file))


def test_a_gray_picture_has_three_equal_channels() -> None:
    gray = np.arange(0, 200, dtype=np.uint8).reshape(10, 20)
    pixels = read_rgb(encoded(Image.fromarray(gray)))
    assert np.array_equal(pixels, np.repeat(gray[:, :, None], 3, axis=2))
    assert np.array_equal(read_gray(encoded(Image.fromarray(gray))), gray)


def test_sixteen_bits_become_eight() -> None:
    deep = (np.arange(0, 200, dtype=np.uint16) * 257).reshape(10, 20)
    assert np.array_equal(read_gray(encoded(Image.fromarray(deep))), np.arange(0, 200, dtype=np.uint8).reshape(10, 20))


def test_transparency_is_laid_on_white() -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:4, :, 3] = 255
    seen = read_rgb(encoded(Image.fromarray(pixels)))
    assert seen[0, 0].tolist() == [0, 0, 0]
    assert seen[7, 7].tolist() == [255, 255, 255]


def test_a_palette_with_transparency_is_laid_on_white() -> None:
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([10, 20, 30] + [0] * 765)
    assert read_rgb(encoded(palette, transparency=0))[0, 0].tolist() == [255, 255, 255]


def test_a_picture_is_turned_upright_by_its_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held a quarter turn
    pixels = read_rgb(encoded(two_halves(), "JPEG", exif=exif.tobytes(), quality=95))
    assert pixels.shape == (60, 40, 3)
    assert pixels[10, 20, 0] > 200
    assert pixels[50, 20, 2] > 200


def test_cmyk_becomes_rgb() -> None:
    assert read_rgb(encoded(two_halves().convert("CMYK"), "JPEG")).shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("content", "sentence", "code"),
    [
        (b"", "is empty", "image_empty"),
        (b"hello, I am a text", "not a picture", "image_no_picture"),
        (b"\x89PNG\r\n\x1a\n", "truncated", "image_truncated"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a picture", "image_no_picture"),
        (png_header_only(9_000, 9_000), "9000 × 9000 pixels", "image_gigantic"),
        (png_header_only(1_000_000, 1_000_000), "gigantic", "image_gigantic"),
        (png_header_only(8, 8), "truncated or damaged", "image_truncated"),
        (encoded(two_halves(), "JPEG")[:400], "truncated", "image_truncated"),
    ],
)
def test_what_is_no_usable_picture_gets_one_sentence(content: bytes, sentence: str, code: str) -> None:
    with pytest.raises(ImageError, match=sentence) as caught:
        read_rgb(content)
    assert caught.value.code == code
    assert str(caught.value).count("\n") == 0
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "WEBP", "TIFF"])
def test_every_truncation_is_refused_or_whole(format: str) -> None:
    """No cut ends in anything but a picture of the full size or an ImageError."""
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (30, 30, 3), dtype=np.uint8))
    whole = encoded(noise, format)
    refused = 0
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        try:
            assert read_rgb(whole[:length]).shape == (30, 30, 3)
        except ImageError:
            refused += 1
    assert refused > 40


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nobody\.jpg does not exist"):
        read_rgb(tmp_path / "nobody.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        read_rgb(tmp_path)


def test_the_limit_of_pixels_can_be_lowered() -> None:
    with pytest.raises(ImageError, match="more than the 2,399 allowed"):
        read_rgb(encoded(two_halves()), max_pixels=2399)
    assert read_rgb(encoded(two_halves()), max_pixels=2400).shape == (40, 60, 3)


@pytest.mark.parametrize("mode", ["RGB", "LA"])
def test_any_byte_of_a_header_may_be_wrong(mode: str) -> None:
    """A picture, or one sentence: whatever the reader of the format stumbles over."""
    whole = encoded(two_halves().resize((6, 4)).convert(mode), "TIFF")
    for at in range(len(whole)):
        for byte in (0, 1, 2, 5, 255):
            damaged = whole[:at] + bytes([byte]) + whole[at + 1 :]
            for read in (read_rgb, read_gray):
                try:
                    assert read(damaged).dtype == np.uint8
                except ImageError as error:
                    assert str(error).startswith("The picture ")


def test_what_is_wrong_with_a_file_names_its_folder_too(tmp_path: Path) -> None:
    (tmp_path / "person").mkdir()
    (tmp_path / "person" / "1.png").write_bytes(b"words")
    with pytest.raises(ImageError, match=r"The picture person.1\.png is not a picture"):
        read_rgb(tmp_path / "person" / "1.png")
