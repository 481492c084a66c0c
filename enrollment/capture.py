"""Samples from devices for one enrollment. Owns the order of asking, judging and waiting; refuses screens and rules.

Which sample is good is the session's to say. The person is spoken to through ``told``: what to do now, what was wrong
with a sample, what was taken, as codes. Pictures are held for one judgement and let go; a device that fails is a
DeviceError and goes up. What has been taken by then stays in the session.

::

    camera   look ─> frame ─> session: taken, or a hint ─> wait, so that the next one differs ─> ...
    sensor   lay ─> picture ─> the sensor's own template ─> session: taken, or a hint ─> lift ─> ...
                               (1st taken: buffer 1, 2nd: buffer 2, both combined and read)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from enrollment.samples import Refusal, SampleVerdict
from enrollment.session import EnrollmentSession
from hardware.ports import Camera, FingerSensor, Frame
from matcher.engines import on_chip
from matcher.ports import Quality
from models.attendance import utc_now
from models.biometrics import BiometricSample, FingerPosition, Modality
from models.errors import CaptureRetry, InputError, RetryReason

_SENSOR_DPI = 500  # see ``hardware.ports.FingerSensor.image``


class Step(StrEnum):
    """What a capture says beside hints: the first three ask for something, the last one reports."""

    LOOK = "look"
    LAY_FINGER = "lay_finger"
    LIFT_FINGER = RetryReason.LIFT_FINGER.value
    TAKEN = "taken"


@dataclass(frozen=True, slots=True)
class CaptureNews:
    """One thing to tell the person: ``code`` is a Step, RetryReason or Refusal value.

    ``taken`` of ``wanted`` samples of this face or finger are there; ``quality`` is None if nothing was judged.
    """

    code: str
    modality: Modality
    position: FingerPosition | None
    taken: int
    wanted: int
    quality: Quality | None = None


@dataclass(frozen=True, slots=True)
class CaptureLimits:
    """How long a capture waits and how often it tries before it gives up."""

    faces_s: float = 60.0
    most_frames: int = 150
    frame_timeout_s: float = 5.0
    between_faces_s: float = 0.4  # a head has moved a little by then
    after_hint_s: float = 0.2
    most_touches: int = 12
    touch_timeout_s: float = 20.0
    lift_timeout_s: float = 20.0
    lift_poll_s: float = 0.1


class LiveCapture:
    """Feeds one session from open devices. ``monotonic`` counts seconds, ``sleep`` waits them, ``clock`` is UTC."""

    def __init__(
        self,
        session: EnrollmentSession,
        told: Callable[[CaptureNews], None],
        *,
        limits: CaptureLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._session = session
        self._told = told
        self._limits = limits or CaptureLimits()
        self._monotonic = monotonic
        self._sleep = sleep
        self._clock = clock

    def capture_faces(self, camera: Camera) -> int:
        """Take faces until the session has what it wants, and more as long as they come easily; how many it has.

        Raises InputError (capture_failed) if time or frames run out before there are enough, DeviceError.
        """
        plan, limits = self._session.plan, self._limits
        deadline_s = self._monotonic() + limits.faces_s
        sequence, hint = -1, RetryReason.NO_FACE.value
        for _ in range(limits.most_frames):
            taken = self._session.progress().faces
            if taken >= plan.most_faces or self._monotonic() >= deadline_s:
                break
            self._tell(Step.LOOK, None)
            frame = camera.read(after=sequence, timeout_s=limits.frame_timeout_s)
            sequence = frame.sequence
            verdict = self._judge_face(frame, camera)
            if not verdict.accepted:
                hint = str(verdict.hint)
                if taken >= plan.least_faces:
                    break  # there are enough; nobody is kept waiting for one more
            self._sleep(limits.between_faces_s if verdict.accepted else limits.after_hint_s)
        taken = self._session.progress().faces
        if taken < plan.least_faces:
            raise _failed(f"Only {taken} of {plan.least_faces} face samples could be taken", hint)
        return taken

    def capture_finger(self, sensor: FingerSensor, position: FingerPosition) -> None:
        """Take the impressions of one finger that the session still wants, lifted after each.

        The sensor's own template is made of the first two that are taken now; without two there is none. Raises
        InputError (capture_failed) if the finger is not laid on, not lifted or refused too often, DeviceError.
        """
        hint = RetryReason.NO_FINGER.value
        chip = _ChipTemplate(sensor)
        for _ in range(self._limits.most_touches):
            if self._impressions(position) >= self._session.plan.impressions:
                return
            self._tell(Step.LAY_FINGER, position)
            if not sensor.capture(timeout_s=self._limits.touch_timeout_s):
                hint = RetryReason.NO_FINGER.value
                self._tell(hint, position)
                continue
            verdict = self._judge_impression(chip, position)
            hint = verdict.hint or hint
            self._wait_for_lift(sensor, position)
            if hint == Refusal.ENOUGH:
                break
        if self._impressions(position) < self._session.plan.impressions:
            raise self._finger_failed(position, hint)

    def _judge_face(self, frame: Frame, camera: Camera) -> SampleVerdict:
        sample = BiometricSample(Modality.FACE, frame.pixels, frame.captured_at, camera.info().device_id)
        return self._tell_verdict(self._session.add_face(sample), None)

    def _judge_impression(self, chip: _ChipTemplate, position: FingerPosition) -> SampleVerdict:
        pixels = chip.sensor.image()  # before the sensor converts it, which may use the same memory
        sample = BiometricSample(Modality.FINGER, pixels, self._clock(), chip.sensor.info().device_id, _SENSOR_DPI)
        try:
            own = chip.make()
        except CaptureRetry as retry:
            return self._tell_verdict(SampleVerdict.refused(retry.reason), position)
        verdict = self._session.add_finger(sample, position, own)
        chip.judged(verdict.accepted, own)
        return self._tell_verdict(verdict, position)

    def _wait_for_lift(self, sensor: FingerSensor, position: FingerPosition) -> None:
        self._tell(Step.LIFT_FINGER, position)
        deadline_s = self._monotonic() + self._limits.lift_timeout_s
        while sensor.capture(timeout_s=0.0):
            if self._monotonic() >= deadline_s:
                raise self._finger_failed(position, Step.LIFT_FINGER)
            self._sleep(self._limits.lift_poll_s)

    def _tell_verdict(self, verdict: SampleVerdict, position: FingerPosition | None) -> SampleVerdict:
        self._tell(Step.TAKEN if verdict.accepted else str(verdict.hint), position, verdict.quality)
        return verdict

    def _tell(self, code: str, position: FingerPosition | None, quality: Quality | None = None) -> None:
        plan = self._session.plan
        if position is None:
            faces = self._session.progress().faces
            news = CaptureNews(code, Modality.FACE, None, faces, plan.least_faces, quality)
        else:
            taken = self._impressions(position)
            news = CaptureNews(code, Modality.FINGER, position, taken, plan.impressions, quality)
        self._told(news)

    def _impressions(self, position: FingerPosition) -> int:
        return self._session.progress().impressions.get(position, 0)

    def _finger_failed(self, position: FingerPosition, hint: str) -> InputError:
        taken, wanted = self._impressions(position), self._session.plan.impressions
        return _failed(f"Only {taken} of {wanted} impressions of the {finger_name(position)} could be taken", hint)


class _ChipTemplate:
    """The sensor's own template of one finger: its first two taken impressions, combined by the sensor."""

    def __init__(self, sensor: FingerSensor) -> None:
        self.sensor = sensor
        self._first: bytes | None = None
        self._done = False

    def make(self) -> bytes | None:
        """Convert the picture; the combined template if this is the second. Raises CaptureRetry."""
        if self._done:
            return None
        if self._first is None:
            self.sensor.convert(1)
            return None
        self.sensor.convert(2)
        self.sensor.combine()
        combined = self.sensor.read_characteristics(1)
        return combined if len(combined) == on_chip.LENGTH else None  # cut short on the line, or another module's

    def judged(self, accepted: bool, own: bytes | None) -> None:
        """Note whether the session took the impression that ``make`` converted."""
        if self._done:
            return
        if accepted and self._first is None:
            self._first = self.sensor.read_characteristics(1)
        elif accepted:
            self._done, self._first = True, None
        elif own is not None and self._first is not None:
            self.sensor.write_characteristics(1, self._first)  # combining had filled both buffers


def finger_name(position: FingerPosition) -> str:
    """A finger in English words, e.g. ``right index finger``."""
    side, finger = position.name.lower().split("_")
    return f"{side} {finger}" if finger == "thumb" else f"{side} {finger} finger"


def _failed(sentence: str, hint: str) -> InputError:
    return InputError(f"{sentence}; the last hint was: {hint.replace('_', ' ')}.", code="capture_failed", hint=hint)
