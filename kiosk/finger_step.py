"""The finger's part of a visit: which finger, laid on, compared on the sensor or from its picture.

Owns what a try with a finger is. Refuses to say how a visit ends. A live finger is compared on the sensor wherever the
person has a template that this kind of sensor made (about a second); otherwise its picture is fetched (seconds) and
compared by the engine. The evidence says which of the two compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol

from hardware.ports import DeviceInfo, FingerSensor
from kiosk.config import FingerConfig, SensorConfig, VisitConfig
from kiosk.devices import Answer, wait_for
from kiosk.finger_advice import advice
from kiosk.roster import SitePerson
from kiosk.thresholds import SiteThresholds, basis_of
from kiosk.verdict import Finding, Found
from kiosk.visit import Visit
from matcher.decision import (
    Identification,
    Weighing,
    decide,
    decide_verification,
    second_factor_point,
)
from matcher.engines import on_chip
from matcher.gallery import Gallery
from matcher.ports import FingerEngine
from matcher.quality import finger_quality
from models.attendance import Evidence
from models.biometrics import Candidate, FingerPosition, Modality, OperatingPoint, Reference, UInt8Array
from models.errors import CaptureRetry, DeviceError, RetryReason
from web.panel.facade import FINGER_CODES, PanelHint, PanelStep

_CAPTURE_SLICE_S = 0.4  # the sensor is asked in slices, so that a tap on the screen is heard
_LIFT_TIMEOUT_S = 4.0
ON_SENSOR = "sensor"  # what an on-chip operating point was derived from: the vendor's scale
SENSOR_SCALE = "sensor"  # in the evidence: the score is the vendor's own
SENSOR_DPI = 500


class SensorJobs(Protocol):
    """Who runs jobs on the sensor: ``kiosk.devices.SensorWorker``."""

    def submit(self, job: Callable[[FingerSensor], Answer]) -> Future[Answer]:
        """Run ``job(sensor)`` on the sensor's thread."""
        ...


@dataclass(frozen=True, slots=True)
class _Compared:
    answer: Identification
    engine: str
    template_format: str
    quality: float | None
    on_sensor: bool = False
    advice: RetryReason | None = None


@dataclass(slots=True)
class FingerStep:
    """Asks for a finger and compares it. The engine belongs to the matcher thread, the sensor to its own."""

    engine: FingerEngine
    gallery: Gallery
    sensor: SensorJobs
    info: Callable[[], DeviceInfo]
    finger: FingerConfig
    how: SensorConfig
    timing: VisitConfig
    thresholds: SiteThresholds = field(default_factory=SiteThresholds)

    def knows(self, person: SitePerson) -> bool:
        """Whether there is anything of a person to compare with, the way this kiosk compares."""
        on_sensor = self.how.compare == "sensor" and bool(_stored(person, None))
        return on_sensor or person.person_id in self.gallery.people(Modality.FINGER)

    def run(self, visit: Visit, person: SitePerson | None, *, tries: int, wait_s: float | None = None) -> Found:
        """Up to ``tries`` impressions of ``person`` (None: whoever it is); the first match ends it.

        ``wait_s``: for a finger to be laid on, in each try (default: the configured time).
        Never raises a DeviceError: a broken sensor is a finding.
        """
        found, messy = Found(Finding.ABSENT), False
        better: str | None = None
        asked = _asked(person)
        try:
            for attempt in range(tries):
                hint: str | None = (better or PanelHint.TRY_AGAIN) if attempt else None
                position = asked[attempt % len(asked)] if asked else None
                try:
                    if not self._laid_on(visit, position, hint, wait_s or self.timing.finger_timeout_s):
                        visit.tries_left -= 1
                        continue
                    visit.good_frame()
                    visit.screen.show(PanelStep.WORKING, tries_left=visit.tries_left)
                    with visit.timed("finger"):
                        compared = self._compare(visit, person, position)
                except CaptureRetry as retry:
                    messy, better = True, retry.reason.value
                    visit.tries_left -= 1
                    self._lifted(visit, position, better)
                    continue
                found = visit.finger = self._found(compared, person)
                if found.matched:
                    return found
                visit.tries_left -= 1
                better = compared.advice.value if compared.advice else None
                self._lifted(visit, position, RetryReason.LIFT_FINGER.value)
        except DeviceError:  # noted on the screen and in the log by the sensor's own thread
            return Found(Finding.BROKEN, evidence=found.evidence)
        return Found(Finding.NOT_ACQUIRED) if messy and found.identification is None else found

    def _laid_on(self, visit: Visit, position: FingerPosition | None, hint: str | None, within_s: float) -> bool:
        """Wait for a finger; False if none came within the time of a try."""
        deadline = visit.clock.seconds() + within_s
        visit.screen.show(PanelStep.FINGER, finger=_code(position), hint=hint, tries_left=visit.tries_left)
        while visit.clock.seconds() < deadline:
            wait_s = min(_CAPTURE_SLICE_S, within_s)
            if self._ask(visit, lambda sensor, wait_s=wait_s: sensor.capture(timeout_s=wait_s)):  # type: ignore[misc]
                return True
        return False

    def _lifted(self, visit: Visit, position: FingerPosition | None, hint: str) -> None:
        """Say what to do better and wait until the finger is away, so that one impression is not tried twice."""
        visit.screen.show(PanelStep.FINGER, finger=_code(position), hint=hint, tries_left=visit.tries_left)
        deadline = visit.clock.seconds() + _LIFT_TIMEOUT_S
        while visit.clock.seconds() < deadline:
            if not self._ask(visit, lambda sensor: sensor.capture(timeout_s=0.0)):
                return

    def _ask(self, visit: Visit, job: Callable[[FingerSensor], Answer]) -> Answer:
        return wait_for(self.sensor.submit(job), watch=visit.watch)

    def _compare(self, visit: Visit, person: SitePerson | None, position: FingerPosition | None) -> _Compared:
        stored = _stored(person, position) if self.how.compare == "sensor" else ()
        if stored:
            return self._on_sensor(visit, stored)
        return self._from_picture(visit, person)

    def _on_sensor(self, visit: Visit, stored: Sequence[Reference]) -> _Compared:
        """Send each stored template into buffer 2 and let the sensor compare it with the finger in buffer 1."""

        def job(sensor: FingerSensor) -> Candidate | None:
            sensor.convert(1)
            best: Candidate | None = None
            for reference in stored:
                sensor.write_characteristics(2, on_chip.unwrap(reference.template))
                score = sensor.match()
                if score is not None and (best is None or score > best.score):
                    best = Candidate(reference.person_id, reference.reference_id, float(score))
                if best is not None and best.score >= self.finger.sensor_threshold:
                    break
            return best

        point = OperatingPoint(on_chip.FORMAT, float(self.finger.sensor_threshold), None, None, ON_SENSOR)
        answer = decide_verification(self._ask(visit, job), point, weighing=self._weighing_on_sensor())
        return _Compared(answer, f"{self.info().driver}-on-sensor", str(on_chip.FORMAT), None, on_sensor=True)

    def _from_picture(self, visit: Visit, person: SitePerson | None) -> _Compared:
        """Fetch the picture, extract, compare. Raises CaptureRetry for a picture that is not good enough."""
        pixels: UInt8Array = self._ask(visit, lambda sensor: sensor.image())
        with visit.timed("finger_template"):
            template = self.engine.extract(pixels, dpi=SENSOR_DPI)
        quality = finger_quality(self.engine.minutiae(template))
        if quality.hints:
            raise CaptureRetry(RetryReason(quality.hints[0]))
        with visit.timed("finger_compare"):
            if person is None:
                answer = decide(
                    self.gallery.identify_finger(template), self._point(visit, None), weighing=self._weighing()
                )
            else:
                candidate = self.gallery.verify_finger(person.person_id, template)
                answer = decide_verification(candidate, self._point(visit, person), weighing=self._weighing())
        better = None if answer.matched else advice(pixels)
        return _Compared(answer, self.engine.name, str(self.engine.format), quality.value, advice=better)

    def _point(self, visit: Visit, person: SitePerson | None) -> OperatingPoint:
        """The operating point; a threshold from the configuration goes before the engine's own.

        After a face that matched ``person`` the finger need only bring what the face lacks.
        """
        if self.finger.threshold is not None:
            return OperatingPoint(self.engine.format, self.finger.threshold, None, None, "configuration")
        people = len(self.gallery.people(Modality.FINGER))
        alone = self.thresholds.point(
            Modality.FINGER, self.engine.format, visit.roster.policy, people=people, claimed=person is not None
        )
        face = visit.face.identification
        if person is None or face is None or face.person_id != person.person_id:
            return alone
        return second_factor_point(alone, self._weighing(), face)

    def _weighing(self) -> Weighing | None:
        return self.thresholds.weighing(Modality.FINGER, self.engine.format)

    def _weighing_on_sensor(self) -> Weighing | None:
        """Nothing is known of a vendor's scores, but who is watched is watched however the finger was compared."""
        weighing = self._weighing()
        return None if weighing is None else Weighing(None, math.inf, weighing.watched)

    def _found(self, compared: _Compared, person: SitePerson | None) -> Found:
        answer = compared.answer
        evidence = Evidence(
            modality=Modality.FINGER.value,
            engine=compared.engine,
            template_format=compared.template_format,
            score=answer.score,
            threshold=answer.operating_point.threshold,
            matched=answer.matched,
            quality=compared.quality,
            operation="identify" if person is None else "verify",
            simulated=self.info().simulated,
            basis=replace(basis_of(answer), scale=SENSOR_SCALE) if compared.on_sensor else basis_of(answer),
        )
        return Found(Finding.COMPARED, answer, (evidence,))


def _asked(person: SitePerson | None) -> list[FingerPosition]:
    """The fingers to ask for, the one with the best references first."""
    if person is None:
        return []
    best: dict[FingerPosition, float] = {}
    for item in (*person.sensor_references, *person.references):
        if item.modality is Modality.FINGER and item.position is not None:
            best[item.position] = max(best.get(item.position, 0.0), item.quality)
    return sorted(best, key=lambda position: (-best[position], position))


def _stored(person: SitePerson | None, position: FingerPosition | None) -> tuple[Reference, ...]:
    """Templates this kind of sensor made, those of the asked finger first: people do mix up their fingers."""
    if person is None:
        return ()
    usable = [item for item in person.sensor_references if item.template.format == on_chip.FORMAT]
    return tuple(sorted(usable, key=lambda item: item.position != position))


def _code(position: FingerPosition | None) -> str | None:
    if position is None or position is FingerPosition.UNKNOWN:
        return None
    return FINGER_CODES[int(position) - 1]
