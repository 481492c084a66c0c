"""The LEADER network: from a finger's picture to its minutiae. Owns running it; refuses comparison.

The network (``LEADER.onnx``, MIT) reads gray levels 0..255 at 500 dpi and tells, for every pixel, how likely a minutia
lies there, its direction (radians, counter-clockwise, into the ridge), and how likely it is an ending and not a
bifurcation. It is run as the two networks of ``leader_graph``: everywhere, where minutiae are; around those, the rest.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from matcher import weights
from matcher.engines.finger_picture import DPI, at_500_dpi
from matcher.engines.leader_graph import PATCH, dense_network, local_network
from matcher.engines.onnx_file import write_graph
from matcher.engines.onnx_session import open_session
from matcher.engines.segmentation import print_area
from matcher.ports import Minutiae
from models.biometrics import Float32Array, UInt8Array
from models.errors import WeightsError

MAX_MINUTIAE: Final = 120  # a whole rolled finger has about 100
SCORE_THRESHOLD: Final = 0.4
_GRID: Final = 32
_SMALLEST_SIDE: Final = 32  # less than four ridges
_MARGIN: Final = 32  # pixels kept around the print
# What all scores together lie above the threshold, at least: each of 448 pictures of 28 fingers has 1.8 or more, one in
# fifty of faces has as much as this. See docs/accuracy/fingers-extraction.md.
_LEAST_EVIDENCE: Final = 1.5
_SMOOTHING: Final = np.array([1, 4, 6, 4, 1], np.float32) / 16  # the network's own, before it looks for local maxima
_ALONE: Final = np.ones((7, 7), np.uint8)  # one minutia in so many pixels

Indices = NDArray[np.intp]


class LeaderNetwork:
    """The loaded network. One thread; calls from several threads are safe (onnxruntime sessions are)."""

    def __init__(self, path: Path | None = None) -> None:
        path = path or weights.path("leader")
        try:
            content = path.read_bytes()
            self._dense = open_session(write_graph(dense_network(content)))
            self._local = open_session(write_graph(local_network(content)))
        except Exception as error:  # onnxruntime raises types of its own for every kind of damaged file
            raise WeightsError(f"{path.name} cannot be loaded as a network; fetch the weights again.") from error

    def find(self, pixels: UInt8Array, *, dpi: int = DPI, threshold: float = SCORE_THRESHOLD) -> Minutiae:
        """The minutiae of an (H, W) uint8 picture with dark ridges, best first, at most ``MAX_MINUTIAE``.

        A picture without ridges gives no minutiae, nor does one whose few are as weak as those of anything else. Raises
        ImageError if it is not a gray picture or its resolution is impossible.
        """
        picture = at_500_dpi(pixels, dpi)
        height, width = picture.shape
        bounds = print_area(picture).bounds(margin=_MARGIN)
        if bounds is None or min(width, height) < _SMALLEST_SIDE:
            return none_found((width, height))
        (top, bottom), (left, right) = (
            _on_grid(start, stop, length)
            for start, stop, length in zip(bounds[:2], bounds[2:], picture.shape, strict=True)
        )
        x, y, angle, ending, score = self._found(picture[top:bottom, left:right], threshold)
        if float((score - SCORE_THRESHOLD).clip(0).sum()) < _LEAST_EVIDENCE:
            return none_found((width, height))
        return Minutiae(
            xy=np.stack([x + left, y + top], axis=1).astype(np.float32),
            angle=np.mod(angle, np.float32(2.0 * math.pi)),
            kind=np.where(ending >= 0.5, 1, 2).astype(np.uint8),
            score=np.clip(score, 0.0, 1.0),
            size=(width, height),
        )

    def _found(
        self, picture: UInt8Array, threshold: float
    ) -> tuple[Indices, Indices, Float32Array, Float32Array, Float32Array]:
        """x, y, angle, how likely an ending, and score of the best minutiae of a picture, best first."""
        framed, top, left = _framed(picture)
        places, features = self._dense.run(None, {"picture": framed[None, None].astype(np.float32)})
        scores = _local_maxima(places[0, 0])[top : top + picture.shape[0], left : left + picture.shape[1]]
        y, x = np.nonzero(scores >= threshold)
        score = scores[y, x]
        best = np.lexsort((x, y, -score))[:MAX_MINUTIAE]
        y, x, score = y[best], x[best], score[best]
        angle, ending = self._described(features[0], y + top, x + left)
        return x, y, angle, ending, score

    def _described(self, features: Float32Array, y: Indices, x: Indices) -> tuple[Float32Array, Float32Array]:
        """Angle and how likely an ending, (N,) each, of minutiae at pixels of the frame; ``features`` (C, H, W)."""
        if not len(y):
            return np.zeros(0, np.float32), np.zeros(0, np.float32)
        around = PATCH // 2
        padded = np.pad(features, ((0, 0), (around, around), (around, around)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (PATCH, PATCH), axis=(1, 2))
        patches = np.ascontiguousarray(windows[:, y // 2, x // 2].transpose(1, 0, 2, 3))
        rows, columns = (
            _inside(places // 2, length) for places, length in zip((y, x), features.shape[1:], strict=True)
        )
        inside = (rows[:, :, None] & columns[:, None, :]).astype(np.float32)[:, None]
        direction, ending = self._local.run(None, {"patches": patches, "inside": inside})
        each, phase = np.arange(len(y)), y % 2 * 2 + x % 2
        return np.arctan2(direction[each, 4 + phase], direction[each, phase]), ending[each, phase]


def _inside(middles: Indices, length: int) -> NDArray[np.bool_]:
    """(N, 3): whether the pixels before, at and behind (N,) middles lie within 0..length."""
    places = middles[:, None] + np.arange(-1, 2)
    inside: NDArray[np.bool_] = (places >= 0) & (places < length)
    return inside


def none_found(size: tuple[int, int]) -> Minutiae:
    """No minutiae in a picture of ``size`` (width, height)."""
    empty = np.zeros(0, np.float32)
    return Minutiae(np.zeros((0, 2), np.float32), empty, np.zeros(0, np.uint8), empty, size)


def _on_grid(start: int, stop: int, length: int) -> tuple[int, int]:
    """A part of 0..length grown to the network's grid as far as there are pixels.

    The network's time is proportional to the area, and what is missing would be filled with background.
    """
    wanted = min(-(-(stop - start) // _GRID) * _GRID, length)
    start = min(max(start - (wanted - (stop - start)) // 2, 0), length - wanted)
    return start, start + wanted


def _framed(picture: UInt8Array) -> tuple[UInt8Array, int, int]:
    """The picture centered in a frame of the size the network wants; the rows and columns before it."""
    height, width = picture.shape
    more_y, more_x = -height % _GRID, -width % _GRID
    top, left = more_y // 2, more_x // 2
    border = int(picture[0, 0])  # the sensor's background, as the network was used to
    framed = cv2.copyMakeBorder(picture, top, more_y - top, left, more_x - left, cv2.BORDER_CONSTANT, value=(border,))
    return np.asarray(framed, np.uint8), top, left


def _local_maxima(places: Float32Array) -> Float32Array:
    """The smoothed likelihood where it is the largest of 7×7 pixels, elsewhere 0."""
    smooth = cv2.sepFilter2D(places, -1, _SMOOTHING, _SMOOTHING, borderType=cv2.BORDER_CONSTANT)
    return np.where(smooth == cv2.dilate(smooth, _ALONE), smooth, np.float32(0))
