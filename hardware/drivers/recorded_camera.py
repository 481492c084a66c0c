"""A video file or a folder of pictures as a camera. Implements ``hardware.ports.Camera``.

Owns the pace: frames appear at ``rate_hz`` and a slow reader misses some, as with a real camera, but no more than
thirty, then the recording waits; without a rate every read gives the next frame. Refuses to pretend: it says that it
is simulated.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from hardware.pictures import read_rgb
from hardware.ports import DeviceInfo, Frame
from models.biometrics import UInt8Array
from models.errors import ConfigurationError, DeviceNotFound, DeviceTimeout, DeviceUnplugged, ImageError

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm"}
_MOST_BEHIND = 30  # pictures; who stays away longer finds the recording waiting there


class RecordedCamera:
    """Plays ``path``, a video file or a folder of pictures in the order of their names.

    With ``loop`` it begins again at the end; without, it is unplugged there. ``rate_hz`` None gives every frame.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        rate_hz: float | None = 15.0,
        loop: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if rate_hz is not None and not rate_hz > 0:
            raise ConfigurationError(f"A camera cannot play {rate_hz} pictures a second.")
        self._path = Path(path)
        self._rate_hz = rate_hz
        self._loop = loop
        self._monotonic = monotonic
        self._sleep = sleep
        self._reel: _Folder | _Video | None = None
        self._started = 0.0
        self._sequence = -1
        self._newest: Frame | None = None

    def open(self) -> None:
        """Find the recording. Raises DeviceNotFound if it is not there, ImageError if it is none."""
        if self._reel is not None:
            return
        if self._path.is_dir():
            self._reel = _Folder(self._path)
        elif self._path.is_file():
            self._reel = _Video(self._path)
        else:
            raise DeviceNotFound(f"There is no recording {self._path}.")
        self._started, self._sequence, self._newest = self._monotonic(), -1, None

    def close(self) -> None:
        """Let go of the recording."""
        if self._reel is not None:
            self._reel.close()
        self._reel = self._newest = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def info(self) -> DeviceInfo:
        """The recording's path."""
        return DeviceInfo(str(self._path), "camera", "recorded", f"recording {self._path.name}", simulated=True)

    def read(self, *, after: int = -1, timeout_s: float = 2.0) -> Frame:
        """The newest frame whose sequence is greater than ``after``; waits for it.

        Raises DeviceTimeout if none is due in time, DeviceUnplugged at the end, ImageError for a damaged picture.
        """
        if self._reel is None:
            raise DeviceUnplugged(f"The recording {self._path} is not open.")
        wanted = max(after + 1, 0)
        if self._rate_hz is None:
            wanted = max(wanted, self._sequence + 1)
        else:
            self._stop_for(max(after, self._sequence))
            self._wait_for(wanted, timeout_s)
            wanted = max(wanted, self._due())
        while self._sequence < wanted:
            self._advance(self._reel)
        if self._newest is None:
            raise DeviceUnplugged(f"The recording {self._path} holds no picture.")
        return self._newest

    def _due(self) -> int:
        return int((self._monotonic() - self._started) * (self._rate_hz or 0.0))

    def _stop_for(self, sequence: int) -> None:
        """Let the recording stand still for a reader who was away: every missed picture would have to be decoded."""
        missed = self._due() - sequence - _MOST_BEHIND
        if missed > 0:
            self._started += missed / (self._rate_hz or 1.0)

    def _wait_for(self, sequence: int, timeout_s: float) -> None:
        wait_s = self._started + sequence / (self._rate_hz or 1.0) - self._monotonic()
        self._sleep(max(0.0, min(wait_s, timeout_s)))
        if wait_s > timeout_s:
            raise DeviceTimeout(f"The recording {self._path.name} has no further picture within {timeout_s:g} s.")

    def _advance(self, reel: _Folder | _Video) -> None:
        pixels = reel.next()
        if pixels is None and self._loop:
            reel.rewind()
            pixels = reel.next()
        if pixels is None:
            raise DeviceUnplugged(f"The recording {self._path.name} is over.")
        self._sequence += 1
        self._newest = Frame(pixels, datetime.now(UTC), int(self._monotonic() * 1e9), self._sequence)


class _Folder:
    """Pictures of a folder, read one by one."""

    def __init__(self, path: Path) -> None:
        pictures = [file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES]
        if not pictures:
            raise DeviceNotFound(f"The folder {path} holds no picture.")
        self._pictures = sorted(pictures, key=_natural)
        self._place = 0

    def next(self) -> UInt8Array | None:
        if self._place >= len(self._pictures):
            return None
        self._place += 1
        return read_rgb(self._pictures[self._place - 1])

    def rewind(self) -> None:
        self._place = 0

    def close(self) -> None:
        self._place = 0


class _Video:
    """Frames of a video file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._source = self._start()

    def next(self) -> UInt8Array | None:
        try:
            succeeded, frame = self._source.read()
            return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8) if succeeded else None
        except cv2.error as error:
            raise ImageError(f"{self._path.name} holds a picture that cannot be shown.") from error

    def rewind(self) -> None:
        self._source.release()
        self._source = self._start()

    def close(self) -> None:
        self._source.release()

    def _start(self) -> Any:
        source = cv2.VideoCapture(str(self._path))
        if not source.isOpened():
            raise ImageError(f"{self._path.name} is no video that can be played.")
        return source


def _natural(path: Path) -> tuple[tuple[int, str], ...]:
    """Sorts frame 2 before frame 10."""
    parts = re.split(r"(\d+)", path.name)
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts if part)
