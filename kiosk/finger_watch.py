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
_SURE_S, _TOLD_S = 0.4, 10.0  # from when on, and for how long, a finger that was laid on too soon is spoken of


@dataclass(slots=True)
class FingerWatch:
    """Asks the sensor whether a finger lies on it. ``seconds`` is a clock that never goes back."""

    sensor: SensorJobs
    seconds: Callable[[], float]
    _asked: Future[bool] | None = None
    _next_s: float = 0.0
    _lifted: bool = False
    _held_s: float | None = None  # since when a finger is known to lie there that begins nothing

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
            self._held_s = None
            return False
        began = there and self._lifted
        self._lifted = not there
        if not there or began:
            self._held_s = None
        elif self._held_s is None:
            self._held_s = self.seconds()
        return began

    @property
    def left_on(self) -> bool:
        """Whether a finger lies there that begins nothing, and somebody may wait for it to do so."""
        return self._held_s is not None and _SURE_S <= self.seconds() - self._held_s <= _TOLD_S

    def rest(self) -> None:
        """A visit begins: whatever lies there afterwards must be lifted first."""
        if self._asked is not None:
            self._asked.cancel()
        self._asked, self._lifted, self._held_s = None, False, None


def _finger_there(sensor: FingerSensor) -> bool:
    return sensor.capture(timeout_s=0.0)
