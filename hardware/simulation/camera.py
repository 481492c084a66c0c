"""A camera that looks at a scene. Owns the frame rate and the faults; frames are painted when they are read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from hardware.ports import DeviceInfo, Frame
from hardware.simulation.scene import Scene
from models.errors import ConfigurationError, DeviceError, DeviceNotFound, DeviceTimeout, DeviceUnplugged


class SimulatedCamera:
    """Implements ``hardware.ports.Camera``. Without a scene it shows an empty room.

    ``clock`` counts seconds for the frame rate, ``wait`` sleeps them, ``now`` stamps the frames; tests hand in their
    own. Raises ConfigurationError for a frame rate outside 1..60.
    """

    def __init__(
        self,
        scene: Scene | None = None,
        *,
        fps: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not 1 <= fps <= 60:
            raise ConfigurationError(f"A simulated camera makes 1 to 60 frames a second, not {fps}.")
        self.scene = scene if scene is not None else Scene()
        self._period_s = 1.0 / fps
        self._clock, self._wait, self._now = clock, wait, now
        self._lock = threading.Lock()
        self._opened_s: float | None = None
        self._newest: Frame | None = None
        self._unplugged = self._frozen = False
        for name in ("unplug", "plug", "freeze", "thaw"):
            self.scene.break_with("camera", name, getattr(self, name))

    def open(self) -> None:
        """Start counting frames. Raises DeviceNotFound while unplugged."""
        if self._unplugged:
            raise DeviceNotFound("The simulated camera is unplugged.")
        with self._lock:
            if self._opened_s is None:
                self._opened_s, self._newest = self._clock(), None

    def close(self) -> None:
        """Forget the newest frame."""
        with self._lock:
            self._opened_s = self._newest = None

    def info(self) -> DeviceInfo:
        """A device that says it is simulated."""
        return DeviceInfo("simulated-camera", "camera", "simulated", "Simulated camera 640x480", simulated=True)

    def read(self, *, after: int = -1, timeout_s: float = 2.0) -> Frame:
        """The newest frame whose sequence is greater than ``after``; see ``hardware.ports.Camera``."""
        with self._lock:
            deadline = self._clock() + timeout_s
            while True:
                sequence, next_s = self._due()
                if sequence > after:
                    return self._frame(sequence)
                if next_s > deadline:
                    raise DeviceTimeout(f"The simulated camera made no frame within {timeout_s:g} s.")
                self._wait(max(0.0, next_s - self._clock()))

    def unplug(self) -> None:
        """From now on the camera is gone."""
        self._unplugged = True

    def plug(self) -> None:
        """It is back; it must be opened again."""
        self._opened_s = None  # without the lock: a script may do this while the camera is being read
        self._unplugged = False

    def freeze(self) -> None:
        """From now on every picture is the same one, as a hung webcam's; a read says so."""
        self._frozen = True

    def thaw(self) -> None:
        """The pictures move again."""
        self._frozen = False

    def _due(self) -> tuple[int, float]:
        """The number of the newest frame and when the next one comes."""
        self.scene.advance()  # a script may unplug the camera that is being read
        if self._unplugged:
            raise DeviceUnplugged("The simulated camera is unplugged.")
        if self._frozen:
            raise DeviceError("The simulated camera hands out the same picture again and again.", code="device_frozen")
        opened_s = self._opened_s  # looked at once: ``plug`` may take it away at any moment
        if opened_s is None:
            raise DeviceError("The simulated camera is not open.", code="device_closed")
        sequence = int((self._clock() - opened_s) / self._period_s + 1e-6)
        return sequence, opened_s + (sequence + 1) * self._period_s

    def _frame(self, sequence: int) -> Frame:
        if self._newest is None or self._newest.sequence != sequence:
            pixels = self.scene.render(sequence=sequence)
            self._newest = Frame(pixels, self._now(), int(self._clock() * 1e9), sequence)
        return self._newest
