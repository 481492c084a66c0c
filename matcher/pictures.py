"""Reading pictures that come from outside. Owns every check before pixels exist; refuses to guess at broken files.

A picture's size is read from its header and limited before anything is decoded, so that a small file cannot unfold
into gigabytes. Only common formats are tried.
"""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from models.biometrics import UInt8Array
from models.errors import ImageError

MAX_PIXELS = 40_000_000  # a 40-megapixel camera; 120 MB as RGB
MAX_BYTES = 64 * 1024 * 1024
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "PPM")
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG", b"BM", b"RIFF", b"II*\0", b"MM\0*", b"GIF8")


def read_rgb(source: Path | str | bytes, *, max_pixels: int = MAX_PIXELS) -> UInt8Array:
    """The picture as (H, W, 3) uint8 RGB, turned upright by its EXIF orientation, transparency laid on white.

    ``source`` is a file's path or the file's bytes. Raises ImageError: missing, empty, no picture, truncated, or
    more than ``max_pixels``.
    """
    return _upright(source, max_pixels, mode="RGB")


def read_gray(source: Path | str | bytes, *, max_pixels: int = MAX_PIXELS) -> UInt8Array:
    """The picture as (H, W) uint8 gray; otherwise as ``read_rgb``."""
    return _upright(source, max_pixels, mode="L")


def _upright(source: Path | str | bytes, max_pixels: int, *, mode: str) -> UInt8Array:
    name, content = _content(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the size is limited below, and odd metadata does not matter
        picture = _opened(name, content)
        width, height = picture.size
        if width * height > max_pixels:
            raise ImageError(
                f"{name} has {width} × {height} pixels, more than the {max_pixels:,} allowed.", code="image_gigantic"
            )
        _decode(name, picture)
        try:
            return np.array(_opaque(_eight_bits(_turned(picture))).convert(mode), dtype=np.uint8)
        except (OSError, ValueError, TypeError) as error:  # a mode that a damaged header made up
            raise ImageError(f"{name} is truncated or damaged.", code="image_truncated") from error


def _content(source: Path | str | bytes) -> tuple[str, bytes]:
    if isinstance(source, bytes):
        name, content = "The picture", source
    else:
        file = Path(source)
        name = f"The picture {Path(file.parent.name) / file.name}"  # many people's folders hold a 1.png
        try:
            with file.open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
        except FileNotFoundError as error:
            raise ImageError(f"{name} does not exist.", code="image_missing") from error
        except OSError as error:
            raise ImageError(f"{name} cannot be read: {error.strerror}.", code="image_unreadable") from error
    if not content:
        raise ImageError(f"{name} is empty.", code="image_empty")
    if len(content) > MAX_BYTES:
        raise ImageError(f"{name} is larger than {MAX_BYTES // 2**20} MB.", code="image_gigantic")
    return name, content


def _opened(name: str, content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} is gigantic.", code="image_gigantic") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, TypeError, EOFError, struct.error) as error:
        if content.startswith(_BEGINNINGS):
            raise ImageError(f"{name} is truncated or damaged.", code="image_truncated") from error
        raise ImageError(f"{name} is not a picture of a known format.", code="image_no_picture") from error


def _decode(name: str, picture: Image.Image) -> None:
    try:
        picture.load()
    except (OSError, SyntaxError, ValueError, TypeError, ArithmeticError, LookupError, EOFError, struct.error) as error:
        raise ImageError(f"{name} is truncated or damaged.", code="image_truncated") from error


def _turned(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return picture  # damaged metadata: the pixels are whole, so the picture stands as it is


def _eight_bits(picture: Image.Image) -> Image.Image:
    if not picture.mode.startswith(("I", "F")):
        return picture
    levels = np.nan_to_num(np.asarray(picture, dtype=np.float64))
    top = 65535.0 if picture.mode.startswith("I") else max(float(levels.max(initial=0.0)), 1.0)
    return Image.fromarray(np.clip(levels * (255.0 / top), 0, 255).astype(np.uint8))


def _opaque(picture: Image.Image) -> Image.Image:
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture
    colored = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", colored.size, (255, 255, 255, 255)), colored)
