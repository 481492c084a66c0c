"""A finger's picture as the minutiae network wants it: gray, 500 dpi, not larger than a finger. Refuses all else."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from models.biometrics import Float32Array, UInt8Array
from models.errors import ImageError

DPI: Final = 500
MAX_SIDE: Final = 800  # 4 cm of skin; of anything larger, the most detailed part is looked at
_PLAUSIBLE_DPI: Final = range(100, 4001)


def at_500_dpi(pixels: UInt8Array, dpi: int) -> UInt8Array:
    """An (H, W) uint8 picture of ``dpi`` at 500 dpi, each side at most ``MAX_SIDE``.

    Raises ImageError if it is not a gray picture or its resolution is impossible.
    """
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.size == 0:
        raise ImageError("A finger's picture must be a gray picture of 8 bits with at least one pixel.")
    if dpi not in _PLAUSIBLE_DPI:
        raise ImageError(f"A resolution of {dpi} dpi is not one of a fingerprint sensor (100 to 4000).")
    pixels = _most_detailed_part(pixels, math.ceil(MAX_SIDE * dpi / DPI))
    if dpi == DPI:
        return pixels
    height, width = (max(1, round(length * DPI / dpi)) for length in pixels.shape)
    method = cv2.INTER_AREA if dpi > DPI * 1.5 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=method), np.uint8)


def _most_detailed_part(pixels: UInt8Array, side: int) -> UInt8Array:
    """The picture, or of one longer than ``side`` the window around the middle of its contrast."""
    height, width = pixels.shape
    if max(height, width) <= side:
        return pixels
    step = max(1, min(height, width) // 512)
    coarse = pixels[::step, ::step].astype(np.float32)
    contrast = np.abs(coarse - cv2.blur(coarse, (9, 9)))
    top = _window(contrast.sum(axis=1), height, step, side)
    left = _window(contrast.sum(axis=0), width, step, side)
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def _window(profile: Float32Array, length: int, step: int, side: int) -> int:
    """Where a window of ``side`` begins so that the middle of a profile's mass is its middle, inside 0..length."""
    total = np.cumsum(profile)
    middle = int(np.searchsorted(total, total[-1] / 2.0)) * step
    return int(min(max(middle - side // 2, 0), max(length - side, 0)))
