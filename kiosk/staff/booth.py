"""The kiosk's camera and sensor, as an enrollment sees them, and the page that goes with it. Refuses to judge samples.

The devices' own threads go on owning them: frames are read and jobs handed over as in a visit, and between two waits
whatever was touched on the screen is heard. A touch that means something breaks the capture off (``Interrupted``); what
was taken until then stays in the session.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Self

from enrollment.capture import CaptureNews, Step
from hardware.ports import DeviceInfo, FingerSensor, Frame, SensorMatch, SensorParameters
from kiosk.devices import Answer, CameraReader, SensorWorker, wait_for
from kiosk.staff.talk import PICK, Talk
from models.biometrics import FingerPosition, Modality, UInt8Array
from models.errors import DeviceTimeout
from web.panel.facade import FINGER_CODES

_SLICE_S = 0.25


class Interrupted(Exception):  # noqa: N818 - a wish, not an error
    """Something was chosen in the middle of a capture."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class CapturePage:
    """One page of a capture: one hint at a time, the count, the quality of the last sample, what may be chosen."""

    talk: Talk
    codes: Collection[str]
    quality: int | None = None
    _advice: str | None = None  # what was wrong with the last sample, shown while the next one is waited for
    _shown: bool = False

    def told(self, news: CaptureNews) -> None:
        """Show what the capture says."""
        if news.quality is not None:
            self.quality = round(100 * news.quality.value)
        hint: str | None = str(news.code)
        if news.code == Step.LOOK:
            if self._shown:
                return  # asked before every frame; what was said of the last one is of more use
            hint = None
        elif news.code == Step.LAY_FINGER:
            hint = self._advice
        elif news.code != Step.LIFT_FINGER:
            self._advice = None if news.code == Step.TAKEN else hint
        self._show(news, hint)

    def _show(self, news: CaptureNews, hint: str | None) -> None:
        self._shown = True
        face = news.modality is Modality.FACE
        self.talk.show(
            "enroll_face" if face else "enroll_finger",
            hint=hint,
            taken=news.taken,
            wanted=news.wanted,
            quality=self.quality,
            finger=None if news.position is None else _code(news.position),
            preview=True if face else None,
            items=[{"code": code} for code in self.codes],
        )

    def hear(self) -> None:
        """What was touched meanwhile. Raises Interrupted, Back, Over, ShuttingDown."""
        self.talk.touched()  # somebody is being captured: nobody need touch the screen for that
        request = self.talk.tools.hear(0.0)
        act = None if request is None else self.talk.heard(request)
        if act is not None and act.act == PICK and act.fields.get("code") in self.codes:
            raise Interrupted(act.fields["code"])

    def rest(self, wait_s: float) -> None:
        """Wait, but listen."""
        clock = self.talk.tools.checkin.clock
        deadline = clock.seconds() + wait_s
        while (left_s := deadline - clock.seconds()) > 0:
            self.talk.touched()
            request = self.talk.tools.hear(min(_SLICE_S, left_s))
            act = None if request is None else self.talk.heard(request)
            if act is not None and act.act == PICK and act.fields.get("code") in self.codes:
                raise Interrupted(act.fields["code"])


@dataclass(frozen=True, slots=True)
class BoothCamera:
    """Implements ``hardware.ports.Camera`` on the camera's thread. Frames up to number ``since`` are old."""

    camera: CameraReader
    hear: Callable[[], None]
    seconds: Callable[[], float]
    since: int = -1

    @classmethod
    def from_now(cls, camera: CameraReader, hear: Callable[[], None], seconds: Callable[[], float]) -> Self:
        """Without the frames that are there, and the one being made: whoever stood here before may be on them."""
        newest = camera.peek(-1, 0.0)
        return cls(camera, hear, seconds, -1 if newest is None else newest.sequence + 1)

    def open(self) -> None:
        """It is open already."""

    def close(self) -> None:
        """It stays open: it is the kiosk's."""

    def info(self) -> DeviceInfo:
        """What the camera is."""
        return self.camera.info()

    def read(self, *, after: int = -1, timeout_s: float = 2.0) -> Frame:
        """The newest frame after this one. Raises DeviceError, and whatever ``hear`` raises."""
        deadline = self.seconds() + timeout_s
        while self.seconds() < deadline:
            self.hear()
            frame = self.camera.read(after=max(after, self.since), timeout_s=_SLICE_S)
            if frame is not None:
                return frame
        raise DeviceTimeout(f"The camera sent no picture within {timeout_s:g} s.")


@dataclass(frozen=True, slots=True)
class BoothSensor:
    """Implements the part of ``hardware.ports.FingerSensor`` that captures, on the sensor's thread."""

    worker: SensorWorker
    hear: Callable[[], None]
    seconds: Callable[[], float]

    def open(self) -> None:
        """It is open already."""

    def close(self) -> None:
        """It stays open: it is the kiosk's."""

    def info(self) -> DeviceInfo:
        """What the sensor is."""
        return self.worker.info()

    def parameters(self) -> SensorParameters:
        """Ask the sensor for its parameters."""
        return self._do(lambda sensor: sensor.parameters())

    def capture(self, *, timeout_s: float = 5.0) -> bool:
        """Wait for a finger, in slices, so that a touch on the screen is heard."""
        deadline = self.seconds() + timeout_s
        while True:
            left_s = max(0.0, deadline - self.seconds())
            if self._do(partial(_capture, timeout_s=min(_SLICE_S, left_s))):
                return True
            if left_s <= 0:
                return False

    def image(self) -> UInt8Array:
        """The image buffer."""
        return self._do(lambda sensor: sensor.image())

    def convert(self, buffer: int) -> None:
        """Image buffer to character buffer. Raises CaptureRetry."""
        self._do(lambda sensor: sensor.convert(buffer))

    def combine(self) -> None:
        """Both buffers into one template. Raises CaptureRetry."""
        self._do(lambda sensor: sensor.combine())

    def read_characteristics(self, buffer: int) -> bytes:
        """Upload the buffer."""
        return self._do(lambda sensor: sensor.read_characteristics(buffer))

    def write_characteristics(self, buffer: int, characteristics: bytes) -> None:
        """Download into the buffer."""
        self._do(lambda sensor: sensor.write_characteristics(buffer, characteristics))

    def match(self) -> int | None:
        """Compare the two buffers."""
        return self._do(lambda sensor: sensor.match())

    def store(self, position: int, *, buffer: int = 1) -> None:
        """Keep a buffer in the library."""
        self._do(lambda sensor: sensor.store(position, buffer=buffer))

    def load(self, position: int, *, buffer: int = 1) -> None:
        """Read a position of the library."""
        self._do(lambda sensor: sensor.load(position, buffer=buffer))

    def search(self, *, buffer: int = 1, start: int = 0, count: int | None = None) -> SensorMatch | None:
        """The library's best match."""
        return self._do(lambda sensor: sensor.search(buffer=buffer, start=start, count=count))

    def delete(self, position: int, *, count: int = 1) -> None:
        """Free positions of the library."""
        self._do(lambda sensor: sensor.delete(position, count=count))

    def empty(self) -> None:
        """Free the whole library."""
        self._do(lambda sensor: sensor.empty())

    def count(self) -> int:
        """How many positions are in use."""
        return self._do(lambda sensor: sensor.count())

    def index(self) -> frozenset[int]:
        """The positions in use."""
        return self._do(lambda sensor: sensor.index())

    def _do(self, job: Callable[[FingerSensor], Answer]) -> Answer:
        return wait_for(self.worker.submit(job), watch=self.hear)


def _capture(sensor: FingerSensor, *, timeout_s: float) -> bool:
    return sensor.capture(timeout_s=timeout_s)


def _code(position: FingerPosition) -> str:
    return FINGER_CODES[int(position) - 1]
