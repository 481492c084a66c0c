"""What lies on a simulated sensor's glass: the port, pictures from a folder in turn, and how a sensor sees them.

Owns the fitting to 256x288 pixels and 16 gray levels. Refuses fingers of its own; those are grown elsewhere and
handed in, or read from a folder.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from hardware.pictures import read_gray
from hardware.zfm.codes import IMAGE_HEIGHT, IMAGE_WIDTH
from models.biometrics import UInt8Array
from models.errors import ImageError, InputError

_NAME = re.compile(r"(?P<finger>.+)_(?P<impression>\d+)")
_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".webp"}


class Glass(Protocol):
    """The surface a finger is laid on."""

    def impression(self) -> UInt8Array | None:
        """What lies on it now, (H, W) uint8, ridges dark, 500 dpi, any size; None for nothing."""


class EmptyGlass:
    """A glass nobody touches."""

    def impression(self) -> UInt8Array | None:
        """Nothing."""
        return None


class HandGlass:
    """A glass that a test or a script lays pictures on."""

    def __init__(self, pixels: UInt8Array | None = None) -> None:
        self._pixels = pixels

    def lay(self, pixels: UInt8Array) -> None:
        """Lay a picture on the glass."""
        self._pixels = pixels

    def lift(self) -> None:
        """Take it away."""
        self._pixels = None

    def impression(self) -> UInt8Array | None:
        """What was laid last."""
        return self._pixels


@dataclass(frozen=True, slots=True, eq=False)
class NamedImpression:
    """A picture and the name it is announced by."""

    name: str
    pixels: UInt8Array


class RotatingGlass:
    """Lays impressions on the glass in turn, ``on_s`` seconds each and ``off_s`` apart, round and round."""

    def __init__(
        self,
        impressions: Sequence[NamedImpression],
        *,
        on_s: float = 1.0,
        off_s: float = 0.5,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not impressions:
            raise InputError("There is no impression to lay on the glass.")
        self.impressions = tuple(impressions)
        self._on_s = on_s
        self._turn_s = on_s + off_s
        self._monotonic = monotonic
        self._started = monotonic()

    def now(self) -> NamedImpression | None:
        """The impression on the glass, with its name."""
        turn, into_s = divmod(self._monotonic() - self._started, self._turn_s)
        return self.impressions[int(turn) % len(self.impressions)] if into_s < self._on_s else None

    def impression(self) -> UInt8Array | None:
        """The picture on the glass."""
        named = self.now()
        return None if named is None else named.pixels


class FolderGlass(RotatingGlass):
    """The impressions of the first finger in a folder of pictures named ``<finger>_<impression>.*``, in turn.

    Raises InputError for a folder without such pictures, ImageError for one that cannot be read.
    """

    def __init__(self, folder: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        fingers = finger_files(folder)
        first = min(fingers, key=_natural)
        super().__init__([NamedImpression(p.name, read_gray(p)) for p in fingers[first]], monotonic=monotonic)
        self.finger = first


def finger_files(folder: Path) -> dict[str, list[Path]]:
    """Pictures by finger, impressions in order. Raises InputError if there are none."""
    try:
        names = sorted(folder.iterdir(), key=lambda path: _natural(path.stem))
    except OSError as error:
        raise InputError(f"{folder} is no folder that can be read.") from error
    fingers: dict[str, list[Path]] = {}
    for path in names:
        parts = _NAME.fullmatch(path.stem)
        if parts is not None and path.suffix.lower() in _SUFFIXES:
            fingers.setdefault(parts["finger"], []).append(path)
    if not fingers:
        raise InputError(f"{folder} holds no picture named <finger>_<impression>, for example 1_1.png.")
    return fingers


def see(pixels: UInt8Array) -> UInt8Array:
    """What the sensor sees of a picture: its middle, (288, 256) uint8, in 16 levels 0..240.

    A smaller picture is surrounded by its own background, the median of its edge.
    """
    if pixels.ndim != 2 or not pixels.size or pixels.dtype != np.uint8:
        raise ImageError("A finger's picture is a two-dimensional array of bytes.")
    pixels = _middle(pixels)
    high, wide = pixels.shape
    edge = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    seen = np.full((IMAGE_HEIGHT, IMAGE_WIDTH), int(np.median(edge)), np.uint8)
    top, left = (IMAGE_HEIGHT - high) // 2, (IMAGE_WIDTH - wide) // 2
    seen[top : top + high, left : left + wide] = pixels
    return seen & np.uint8(0xF0)


def _middle(pixels: UInt8Array) -> UInt8Array:
    top = max(0, (pixels.shape[0] - IMAGE_HEIGHT) // 2)
    left = max(0, (pixels.shape[1] - IMAGE_WIDTH) // 2)
    return pixels[top : top + IMAGE_HEIGHT, left : left + IMAGE_WIDTH]


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """Sorts 2 before 10."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part)
