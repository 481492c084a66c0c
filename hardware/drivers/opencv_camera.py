"""A camera through OpenCV. Implements ``hardware.ports.Camera``.

Owns one thread that reads all the time and keeps the newest frame: OpenCV's reads block, go on succeeding after the
cable is pulled, and hand out old frames from a queue. Identical frames are a fault, a lost camera is opened again.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from hardware.ports import DeviceInfo, Frame
from models.biometrics import UInt8Array
from models.errors import ConfigurationError, DeviceBusy, DeviceError, DeviceNotFound, DeviceTimeout, DeviceUnplugged

_REOPEN_PAUSE_S = 1.0
_FAILED_READS = 10  # a camera drops a frame now and then
_JOIN_S = 2.0
_MANUAL = 1  # of Video4Linux: V4L2_EXPOSURE_MANUAL
_NO_EXPOSURE = (0, -1)  # what OpenCV says of a camera that knows none


class OpenCvCamera:
    """A camera by number (``/dev/video0`` is 0), device path or stream address.

    ``frozen_after_s`` is how long a camera may repeat the very same picture; ``exposure`` fixes it, in the driver's
    numbers (left out: the camera's automatic); ``capture`` opens what behaves like ``cv2.VideoCapture``. Times are
    monotonic seconds. Implements ``hardware.ports.ExposureControl``, too.
    """

    def __init__(
        self,
        device: int | str = 0,
        *,
        width: int = 640,
        height: int = 480,
        frozen_after_s: float = 5.0,
        exposure: int | None = None,
        capture: Callable[[int | str], Any] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if width < 1 or height < 1:
            raise ConfigurationError(f"A camera has no pictures of {width}x{height} pixels.")
        self._device: int | str = int(device) if str(device).isdigit() else device
        self._size = (width, height)
        self._frozen_after_s = frozen_after_s
        self._wanted_exposure = exposure
        self._exposure: int | None = None
        self._expose_anew = threading.Event()
        self._capture = capture
        self._monotonic = monotonic
        self._sleep = sleep
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._newest: Frame | None = None
        self._fault: DeviceError | None = None
        self._sequence = -1
        self._print: int | None = None
        self._print_since = 0.0

    def open(self) -> None:
        """Open the camera and start reading. Raises DeviceNotFound or DeviceBusy."""
        if self._thread is not None:
            return
        source = self._connect()
        # Its own for each thread: one that still hangs in the driver from before must not come back to life.
        self._stopping = threading.Event()
        self._newest = self._fault = self._print = None
        self._thread = threading.Thread(target=self._drain, args=(source, self._stopping), name="camera", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading; a read that hangs in the driver is left behind."""
        if self._thread is None:
            return
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(_JOIN_S)
        self._thread = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def info(self) -> DeviceInfo:
        """The device's number or path."""
        return DeviceInfo(self._name(), "camera", "opencv", f"camera {self._name()}, {self._size[0]}x{self._size[1]}")

    def read(self, *, after: int = -1, timeout_s: float = 2.0) -> Frame:
        """The newest frame whose sequence is greater than ``after``; waits for it.

        Raises DeviceTimeout if none comes, DeviceUnplugged if the camera is gone, DeviceError (code
        ``camera_frozen``) if it repeats itself.
        """
        deadline = self._monotonic() + timeout_s
        with self._changed:
            while True:
                if self._thread is None:
                    raise DeviceUnplugged(f"The camera {self._name()} is not open.")
                if self._fault is not None:
                    raise self._fault.with_traceback(None)
                if self._newest is not None and self._newest.sequence > after:
                    return self._newest
                left_s = deadline - self._monotonic()
                if left_s <= 0 or not self._changed.wait(left_s):
                    raise DeviceTimeout(f"The camera {self._name()} sent no picture within {timeout_s:g} s.")

    def exposure(self) -> int | None:
        """What the camera said last."""
        return self._exposure

    def set_exposure(self, exposure: int) -> None:
        """Expose so from one of the next pictures on; the thread that reads sets it, and again after a reconnect."""
        if self._exposure is None:
            return
        self._wanted_exposure = self._exposure = exposure  # until the camera says what it made of it
        self._expose_anew.set()

    def _expose(self, source: Any) -> None:
        """Fix the exposure, if that is wanted and this camera can."""
        self._expose_anew.clear()
        said = round(source.get(cv2.CAP_PROP_EXPOSURE))
        if said in _NO_EXPOSURE:
            self._exposure = None
            return
        if self._wanted_exposure is not None:
            source.set(cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL)
            source.set(cv2.CAP_PROP_EXPOSURE, self._wanted_exposure)
            said = round(source.get(cv2.CAP_PROP_EXPOSURE))
        self._exposure = said

    def _name(self) -> str:
        return f"/dev/video{self._device}" if isinstance(self._device, int) else self._device

    def _connect(self) -> Any:
        local = isinstance(self._device, int) or self._device.startswith("/dev/")
        if local and self._capture is None and not Path(self._name()).exists():
            raise DeviceNotFound(f"There is no camera {self._name()}.")
        try:
            source = cv2.VideoCapture(self._device) if self._capture is None else self._capture(self._device)
            opened = bool(source.isOpened())
        except cv2.error as error:
            raise DeviceNotFound(f"The camera {self._name()} cannot be opened.") from error
        if not opened:
            source.release()
            raise DeviceBusy(f"The camera {self._name()} cannot be opened: another program holds it, or it is none.")
        source.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
        source.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
        source.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._expose(source)
        return source

    def _drain(self, source: Any, stopping: threading.Event) -> None:
        failed = 0
        while not stopping.is_set():
            if self._expose_anew.is_set():
                self._expose(source)
            frame = _read_rgb(source)
            failed = 0 if frame is not None else failed + 1
            if frame is not None:
                self._keep(frame, stopping)
            elif failed >= _FAILED_READS:
                source.release()
                source = self._reconnect(stopping)
                failed = 0
                if source is None:
                    return
        source.release()

    def _keep(self, pixels: UInt8Array, stopping: threading.Event) -> None:
        now = self._monotonic()
        mark = zlib.crc32(pixels[::4, ::4].tobytes())
        with self._changed:
            if stopping.is_set():
                return
            if mark != self._print:
                self._print, self._print_since = mark, now
            if now - self._print_since >= self._frozen_after_s:
                self._fault = DeviceError(
                    f"The camera {self._name()} keeps sending the same picture.", code="camera_frozen"
                )
            else:
                self._fault = None
                self._sequence += 1
                self._newest = Frame(pixels, datetime.now(UTC), int(now * 1e9), self._sequence)
            self._changed.notify_all()

    def _reconnect(self, stopping: threading.Event) -> Any:
        """Try until the camera is back; None when the driver is being closed."""
        with self._changed:
            if stopping.is_set():
                return None
            self._newest = None
            self._fault = DeviceUnplugged(f"The camera {self._name()} went away.")
            self._changed.notify_all()
        while not stopping.is_set():
            try:
                return self._connect()
            except DeviceError:  # told to whoever reads, as the fault above
                self._sleep(_REOPEN_PAUSE_S)
        return None


def _read_rgb(source: Any) -> UInt8Array | None:
    """One frame, (H, W, 3) RGB, or None if there was none."""
    try:
        succeeded, frame = source.read()
        if not succeeded or frame is None or frame.size == 0:
            return None
        way = cv2.COLOR_GRAY2RGB if frame.ndim == 2 else cv2.COLOR_BGR2RGB
        return np.asarray(cv2.cvtColor(frame, way), np.uint8)
    except cv2.error:  # what some backends do instead of returning False, and what raw or odd pixels lead to
        return None
