"""Notices a finger on the sensor while nobody is served, so that a check-in needs no touch screen and no face.

Owns the asking: now and then, without waiting for the answer, on the sensor's own thread. Refuses to compare. A finger
that lay there before (a visit has just ended, a smudge on the glass) begins nothing until it was lifted. Whoever laid
it on too soon can be told so, for ten seconds: a smudge does not listen.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass

from hardware.ports import FingerSensor
from kiosk.finger_step import SensorJobs
from models.errors import CaptureRetry, DeviceError

EVERY_S = 0.5
_TOLD = range(2, 20)  # answers in a row that a finger lies there still, at which it is worth saying


@dataclass(slots=True)
class FingerWatch:
    """Asks the sensor whether a finger lies on it. ``seconds`` is a clock that never goes back."""

    sensor: SensorJobs
    seconds: Callable[[], float]
    _asked: Future[bool] | None = None
    _next_s: float = 0.0
    _lifted: bool = False
    _held: int = 0

    def laid_on(self) -> bool:
        """Whether a finger was laid on since the glass was last seen empty; True once for each."""
        if self._asked is None:
            if self.seconds() >= self._next_s:
                self._asked = self.sensor.submit(_finger_there)
            return False
        if not self._asked.done():
            return False
        asked, self._asked = self._asked, None
        self._next_s = self.seconds() + EVERY_S
        try:
            there = asked.result()
        except (DeviceError, CaptureRetry, CancelledError):  # noted by the sensor's own thread; asked again later
            return False
        began = there and self._lifted
        self._held = self._held + 1 if there and not began else 0
        self._lifted = not there
        return began

    @property
    def left_on(self) -> bool:
        """Whether a finger lies there that begins nothing, and somebody may wait for it to do so."""
        return self._held in _TOLD

    def rest(self) -> None:
        """A visit begins: whatever lies there afterwards must be lifted first."""
        if self._asked is not None:
            self._asked.cancel()
        self._asked, self._lifted, self._held = None, False, 0


def _finger_there(sensor: FingerSensor) -> bool:
    return sensor.capture(timeout_s=0.0)
