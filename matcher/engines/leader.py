"""The LEADER network: from a finger's picture to its minutiae. Owns pre- and post-processing; refuses comparison.

The network (``LEADER.onnx``, MIT) reads gray levels 0..255 at 500 dpi, (1, H, W, 1) float32, H and W multiples of 32.
It answers, for every pixel, four numbers: how likely a minutia lies there, its direction (radians, counter-clockwise,
into the ridge), how likely it is an ending and not a bifurcation, and the first again but for local maxima zero.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import onnxruntime

from matcher import weights
from matcher.ports import Minutiae
from models.biometrics import Float32Array, UInt8Array
from models.errors import ImageError, WeightsError

DPI: Final = 500
MAX_SIDE: Final = 800  # 4 cm of skin; of anything larger, the most detailed part is looked at
MAX_MINUTIAE: Final = 120  # a whole rolled finger has about 100
SCORE_THRESHOLD: Final = 0.4
_GRID: Final = 32
_SMALLEST_SIDE: Final = 32  # less than four ridges
_BLOCK: Final = (16, 16)  # pixels
_BLANK_DEVIATION: Final = 5.0  # gray levels within a block; fainter ridges cannot be read
_MARGIN: Final = 32  # pixels kept around the print
_PLAUSIBLE_DPI: Final = range(100, 4001)


class LeaderNetwork:
    """The loaded network. One thread; calls from several threads are safe (onnxruntime sessions are)."""

    def __init__(self, path: Path | None = None) -> None:
        path = path or weights.path("leader")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises types of its own for every kind of damaged file
            raise WeightsError(f"{path.name} cannot be loaded as a network; fetch the weights again.") from error

    def find(self, pixels: UInt8Array, *, dpi: int = DPI, threshold: float = SCORE_THRESHOLD) -> Minutiae:
        """The minutiae of an (H, W) uint8 picture with dark ridges, best first, at most ``MAX_MINUTIAE``.

        A picture too small or too flat to hold ridges gives no minutiae. Raises ImageError if it is not a gray picture
        or its resolution is impossible.
        """
        picture = _at_500_dpi(pixels, dpi)
        height, width = picture.shape
        top, left, bottom, right = _touched(picture)
        if min(bottom - top, right - left) < _SMALLEST_SIDE:
            return none_found((width, height))
        maps = self._maps(picture[top:bottom, left:right])
        y, x = np.nonzero(maps[..., 3] >= threshold)
        found = maps[y, x]
        best = np.lexsort((x, y, -found[:, 3]))[:MAX_MINUTIAE]
        found = found[best]
        return Minutiae(
            xy=np.stack([x[best] + left, y[best] + top], axis=1).astype(np.float32),
            angle=np.mod(found[:, 1], np.float32(2.0 * math.pi)),
            kind=np.where(found[:, 2] >= 0.5, 1, 2).astype(np.uint8),
            score=np.clip(found[:, 3], 0.0, 1.0),
            size=(width, height),
        )

    def _maps(self, picture: UInt8Array) -> Float32Array:
        """(H, W, 4): the network's answer, the picture centered in a frame of the size it wants."""
        height, width = picture.shape
        more_y, more_x = -height % _GRID, -width % _GRID
        top, left = more_y // 2, more_x // 2
        border = int(picture[0, 0])  # the sensor's background, as the network was used to
        framed = cv2.copyMakeBorder(
            picture, top, more_y - top, left, more_x - left, cv2.BORDER_CONSTANT, value=(border,)
        )
        answer = self._session.run(None, {"input": framed[None, :, :, None].astype(np.float32)})[0][0]
        maps: Float32Array = answer[top : top + height, left : left + width]
        return maps


def none_found(size: tuple[int, int]) -> Minutiae:
    """No minutiae in a picture of ``size`` (width, height)."""
    empty = np.zeros(0, np.float32)
    return Minutiae(np.zeros((0, 2), np.float32), empty, np.zeros(0, np.uint8), empty, size)


def _touched(picture: UInt8Array) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of the part that is not blank, with a margin; all zero if nothing is there.

    The network's time is proportional to the area, and a large sensor is mostly empty glass.
    """
    pixels = picture.astype(np.float32)
    mean = cv2.blur(pixels, _BLOCK)
    varied = cv2.blur(np.square(pixels), _BLOCK) - np.square(mean) > _BLANK_DEVIATION**2
    rows, columns = np.flatnonzero(varied.any(axis=1)), np.flatnonzero(varied.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    top, left = max(int(rows[0]) - _MARGIN, 0), max(int(columns[0]) - _MARGIN, 0)
    return top, left, min(int(rows[-1]) + _MARGIN, picture.shape[0]), min(int(columns[-1]) + _MARGIN, picture.shape[1])


def _at_500_dpi(pixels: UInt8Array, dpi: int) -> UInt8Array:
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
