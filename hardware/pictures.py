"""Picture files for devices that are not there: recordings and simulated fingers. Owns the checks before any pixel.

A picture's size is read from its header and limited before anything is decoded, so that a small file cannot unfold
into gigabytes. Refuses to guess at broken files.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from models.biometrics import UInt8Array
from models.errors import ImageError

MAX_BYTES = 64 << 20
MAX_PIXELS = 40_000_000


def read_rgb(path: Path) -> UInt8Array:
    """The picture as (H, W, 3) uint8 RGB. Raises ImageError naming the file."""
    return np.asarray(cv2.cvtColor(_decoded(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def read_gray(path: Path) -> UInt8Array:
    """The picture as (H, W) uint8. Raises ImageError naming the file."""
    return _decoded(path, cv2.IMREAD_GRAYSCALE)


def _decoded(path: Path, flags: int) -> UInt8Array:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ImageError(f"{path.name} is too large for a picture.", code="image_gigantic")
        _check_size(path, content)
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    except (OSError, cv2.error) as error:
        raise ImageError(f"{path.name} cannot be read as a picture.") from error
    if pixels is None:
        raise ImageError(f"{path.name} is no picture.")
    return np.asarray(pixels, np.uint8)


def _check_size(path: Path, content: bytes) -> None:
    """Raises ImageError for a header that is none or promises more than ``MAX_PIXELS``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the limit below is lower than the one that is warned of
            width, height = Image.open(io.BytesIO(content)).size
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path.name} is too large for a picture.", code="image_gigantic") from error
    except Exception as error:  # Pillow's readers of damaged headers raise whatever they stumble over
        raise ImageError(f"{path.name} is no picture.") from error
    if width * height > MAX_PIXELS:
        raise ImageError(f"{path.name} is too large for a picture.", code="image_gigantic")
