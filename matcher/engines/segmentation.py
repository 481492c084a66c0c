"""Which part of a picture is a print: blocks that carry ridges. Owns the mask and its bounds; refuses to find minutiae.

Ridges differ from glass, dirt, text and noise in what a block of 2 mm holds at the width of ridges: enough contrast, a
good part of all the contrast there is, spread evenly (a line or a spot is not), and in one direction. Everything is
computed at half resolution, 250 dpi, which shows ridges still; a mask costs about a fortieth of the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.biometrics import Float32Array, UInt8Array

BLOCK: Final = 8  # pixels at 500 dpi: the side of a block of the mask
_WINDOW: Final = (19, 19)  # pixels at 250 dpi: about four ridges
_FINE, _COARSE = 0.6, 2.3  # pixels at 250 dpi: what lies between these blurs is as wide as ridges are
_CONTRAST: Final = 3.0  # gray levels, standard deviation; fainter ridges cannot be read
_RELATIVE_CONTRAST: Final = 0.15  # of the picture's most contrasted parts: residues on the glass are fainter
_SHARE: Final = 0.10  # of the variance
_EVENNESS: Final = 0.38  # a sinusoid has 0.81, noise 0.64, single lines less than 0.4
_COHERENCE: Final = 0.20  # 0 no direction, 1 one
_OPENED, _CLOSED = 3, 9  # blocks: smaller islands are dirt, smaller gaps are scars


@dataclass(frozen=True, slots=True, eq=False)
class PrintArea:
    """``mask`` (H/8, W/8), rounded up: True where there are ridges; ``size`` is the picture's (width, height)."""

    mask: NDArray[np.bool_]
    size: tuple[int, int]

    def bounds(self, *, margin: int) -> tuple[int, int, int, int] | None:
        """Top, left, bottom, right of all ridges with ``margin`` pixels around, within the picture; None if none."""
        rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
        if not len(rows):
            return None
        width, height = self.size
        return (
            max(int(rows[0]) * BLOCK - margin, 0),
            max(int(columns[0]) * BLOCK - margin, 0),
            min(int(rows[-1] + 1) * BLOCK + margin, height),
            min(int(columns[-1] + 1) * BLOCK + margin, width),
        )


def print_area(picture: UInt8Array) -> PrintArea:
    """Where an (H, W) uint8 picture of 500 dpi shows ridges."""
    height, width = picture.shape
    blocks_y, blocks_x = -(-height // BLOCK), -(-width // BLOCK)
    even = cv2.copyMakeBorder(
        picture, 0, blocks_y * BLOCK - height, 0, blocks_x * BLOCK - width, cv2.BORDER_REFLECT_101
        if min(height, width) > BLOCK else cv2.BORDER_REPLICATE
    )  # fmt: skip
    half = cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_AREA).astype(np.float32)
    contrast, share, evenness, coherence = _measures(half)
    ridges = (
        (contrast >= max(_CONTRAST, _RELATIVE_CONTRAST * float(np.percentile(contrast, 95))))
        & (share >= _SHARE)
        & (evenness >= _EVENNESS)
        & (coherence >= _COHERENCE)
    )
    return PrintArea(_tidied(ridges.astype(np.uint8)), (width, height))


def _measures(half: Float32Array) -> tuple[Float32Array, Float32Array, Float32Array, Float32Array]:
    """Of each block: contrast at the width of ridges, its share of the variance, evenness, coherence of direction."""
    band = cv2.GaussianBlur(half, (0, 0), _FINE) - cv2.GaussianBlur(half, (0, 0), _COARSE)
    across, down = cv2.Sobel(band, cv2.CV_32F, 1, 0), cv2.Sobel(band, cv2.CV_32F, 0, 1)
    energy, mean, square, size = (_by_block(plane) for plane in (band * band, half, half * half, np.abs(band)))
    xx, yy, xy = (_by_block(plane) for plane in (across * across, down * down, across * down))
    coherence = np.sqrt(np.square(xx - yy) + 4 * np.square(xy)) / (xx + yy + 1)
    return np.sqrt(energy), energy / (square - mean * mean + 1), np.square(size) / (energy + 0.5), coherence


def _by_block(plane: Float32Array) -> Float32Array:
    """The mean around the middle of each block."""
    step = BLOCK // 2
    smooth = cv2.blur(plane, _WINDOW, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(smooth[step // 2 :: step, step // 2 :: step], np.float32)


def _tidied(ridges: UInt8Array) -> NDArray[np.bool_]:
    """Without islands smaller than a few ridges, gaps closed; nothing is taken to lie beyond the picture."""
    frame = _CLOSED
    framed = cv2.copyMakeBorder(ridges, frame, frame, frame, frame, cv2.BORDER_CONSTANT, value=(0,))
    opened = cv2.morphologyEx(framed, cv2.MORPH_OPEN, np.ones((_OPENED, _OPENED), np.uint8))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_CLOSED, _CLOSED))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, disc)
    return np.asarray(closed[frame:-frame, frame:-frame] > 0)
