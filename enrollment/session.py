"""One enrollment, from the first sample to sealed references. Owns its rules; refuses storage, devices and screens.

The same object serves the command line, the kiosk and the console. A sample that is not good enough is a *value* with
the one thing to do about it. Pictures are looked at and let go: only templates stay, and they leave sealed.

::

    add_face x 3..5 ─┐
                     ├─> progress().complete ─> duplicates() ─> complete(notice) ─> Enrollment ─> repository
    add_finger 2 x 3 ┘                              └─ somebody else? a staff member looks and signs for it
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import uuid4

from enrollment.duplicates import Duplicate, find_duplicates
from enrollment.notice import MissingReason, Notice, check_notice
from enrollment.ports import Everyone
from enrollment.samples import EnrollmentPlan, Progress, Refusal, Sample, SampleVerdict, largest_face
from enrollment.vault import SealedReference, Vault, WrappedKey
from matcher.engines import on_chip
from matcher.ports import FaceEngine, FingerEngine
from matcher.quality import face_quality, finger_quality
from models.attendance import utc_now
from models.biometrics import BiometricSample, FingerPosition, Modality, Reference, Template
from models.errors import CaptureRetry, InputError


@dataclass(frozen=True, slots=True)
class Enrollment:
    """A finished enrollment: sealed references, the wrapped key that opens them, the notice, and what was decided.

    ``duplicates`` are those found; ``cleared_by`` is the staff member who looked at them and went on.
    """

    person_id: str
    wrapped: WrappedKey
    references: tuple[SealedReference, ...]
    notice: Notice
    missing_reason: MissingReason | None
    duplicates: tuple[Duplicate, ...]
    cleared_by: str | None
    enrolled_at: datetime


class EnrollmentSession:
    """Collects the samples of one person. Calls may come from any thread; they are taken one after the other.

    ``everyone`` holds the references of all sites. ``wrapped`` is the key of a person who was enrolled before.
    """

    def __init__(
        self,
        person_id: str,
        *,
        face_engine: FaceEngine,
        finger_engine: FingerEngine,
        everyone: Everyone,
        vault: Vault,
        wrapped: WrappedKey | None = None,
        plan: EnrollmentPlan | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.person_id = person_id
        self.plan = plan or EnrollmentPlan()
        self._face_engine = face_engine
        self._finger_engine = finger_engine
        self._everyone = everyone
        self._vault = vault
        self._wrapped = wrapped
        self._clock = clock
        self._lock = threading.RLock()
        self._faces: list[Sample] = []
        self._fingers: dict[FingerPosition, list[Sample]] = {}
        self._sensor: dict[FingerPosition, Template] = {}
        self._seen: set[bytes] = set()  # digests, so that one picture does not count as several samples
        self._found: tuple[Duplicate, ...] | None = None

    def __repr__(self) -> str:
        return f"EnrollmentSession({self.person_id}, {len(self._faces)} faces, {len(self._fingers)} fingers)"

    def add_face(self, sample: BiometricSample) -> SampleVerdict:
        """Take a face if it is good, alone in the picture and the same person's as before. Raises ImageError."""
        with self._lock:
            self._expect(sample, Modality.FACE)
            if len(self._faces) >= self.plan.most_faces:
                return SampleVerdict.refused(Refusal.ENOUGH)
            digest = _digest(sample)
            if digest in self._seen:
                return SampleVerdict.refused(Refusal.SAMPLE_REPEATED)
            try:
                face = largest_face(self._face_engine.detect(sample.pixels))
            except CaptureRetry as retry:
                return SampleVerdict.refused(retry.reason)
            quality = face_quality(sample.pixels, face)
            if quality.hints:
                return SampleVerdict.refused(quality.hints[0], quality)
            template = self._face_engine.extract(sample.pixels, face)
            if not self._same_face(template):
                return SampleVerdict.refused(Refusal.FACES_DIFFER, quality)
            self._faces.append(Sample(template, quality.value))
            return self._taken(digest, SampleVerdict(True, quality, None))

    def forget_faces(self) -> None:
        """Begin the faces anew: the first one was somebody else's."""
        with self._lock:
            self._faces.clear()
            self._found = None

    def add_finger(
        self, sample: BiometricSample, position: FingerPosition, sensor_template: bytes | None = None
    ) -> SampleVerdict:
        """Take an impression if it is good and agrees with the finger's earlier ones, and is no other finger's.

        ``sensor_template`` is the sensor's own (512 bytes), kept beside the image's; the newest of a finger counts.
        Raises ImageError, TemplateError for a sensor template that is none, InputError for an unknown position.
        """
        with self._lock:
            self._expect(sample, Modality.FINGER)
            if position is FingerPosition.UNKNOWN:
                raise InputError("Say which finger it is.", code="finger_unknown")
            wrapped = None if sensor_template is None else on_chip.wrap(sensor_template)
            refusal = self._room_for(position)
            digest = _digest(sample)
            if refusal is None and digest in self._seen:
                refusal = Refusal.SAMPLE_REPEATED
            if refusal is not None:
                return SampleVerdict.refused(refusal)
            template = self._finger_engine.extract(sample.pixels, dpi=sample.dpi or 500)
            quality = finger_quality(self._finger_engine.minutiae(template))
            if quality.hints:
                return SampleVerdict.refused(quality.hints[0], quality)
            refusal = self._disagreement(template, position)
            if refusal is not None:
                return SampleVerdict.refused(refusal, quality)
            self._fingers.setdefault(position, []).append(Sample(template, quality.value))
            if wrapped is not None:
                self._sensor[position] = wrapped
            return self._taken(digest, SampleVerdict(True, quality, None))

    def progress(self) -> Progress:
        """What has been taken and what is still wanted."""
        with self._lock:
            impressions = {position: len(taken) for position, taken in self._fingers.items()}
            return Progress.of(self.plan, faces=len(self._faces), impressions=impressions)

    def duplicates(self) -> tuple[Duplicate, ...]:
        """Everyone else whom the samples match, most alike first. Searched once per set of samples."""
        with self._lock:
            if self._found is None:
                faces = [sample.template for sample in self._faces]
                best = [max(taken, key=lambda sample: sample.quality).template for taken in self._fingers.values()]
                self._found = find_duplicates(self.person_id, faces, best, everyone=self._everyone)
            return self._found

    def complete(
        self, notice: Notice, *, missing_reason: MissingReason | None = None, cleared_by: str | None = None
    ) -> Enrollment:
        """The sealed references, if everything wanted is there.

        ``missing_reason`` lets one modality be absent; ``cleared_by`` names the staff member who looked at the
        duplicates. Raises InputError with code notice_missing, enrollment_incomplete or duplicate_found.
        """
        with self._lock:
            now = self._clock()
            check_notice(notice, now=now)
            self.progress().check(missing_reason)
            duplicates = self.duplicates()
            if duplicates and not cleared_by:
                raise InputError(
                    "Somebody else who is enrolled matches; a staff member must look at it first.",
                    code="duplicate_found",
                    duplicates=duplicates,
                )
            wrapped = self._wrapped or self._vault.new_person_key(self.person_id)
            references = tuple(
                self._vault.seal(reference, wrapped, source=source) for reference, source in self._references(now)
            )
            cleared = cleared_by if duplicates else None
            return Enrollment(self.person_id, wrapped, references, notice, missing_reason, duplicates, cleared, now)

    def _references(self, now: datetime) -> list[tuple[Reference, str]]:
        made = [(self._reference(Modality.FACE, None, sample, now), "image") for sample in self._faces]
        for position, taken in sorted(self._fingers.items()):
            if len(taken) < self.plan.impressions:
                continue  # a finger that was begun and given up
            made += [(self._reference(Modality.FINGER, position, sample, now), "image") for sample in taken]
            if position in self._sensor:
                best = max(sample.quality for sample in taken)
                sensor = Sample(self._sensor[position], best)
                made.append((self._reference(Modality.FINGER, position, sensor, now), "sensor"))
        return made

    def _reference(
        self, modality: Modality, position: FingerPosition | None, sample: Sample, now: datetime
    ) -> Reference:
        return Reference(str(uuid4()), self.person_id, modality, position, sample.template, sample.quality, now)

    def _same_face(self, template: Template) -> bool:
        scores = [self._face_engine.compare(template, earlier.template) for earlier in self._faces]
        return not scores or max(scores) >= self.plan.same_face

    def _room_for(self, position: FingerPosition) -> Refusal | None:
        taken = self._fingers.get(position, [])
        others = [done for other, done in self._fingers.items() if other != position]
        full = sum(len(done) >= self.plan.impressions for done in others)
        if len(taken) >= self.plan.impressions or full >= self.plan.fingers:
            return Refusal.ENOUGH
        return None

    def _disagreement(self, template: Template, position: FingerPosition) -> Refusal | None:
        same = [self._agreement(template, earlier) for earlier in self._fingers.get(position, [])]
        if same and max(same) < self.plan.same_finger:
            return Refusal.FINGERS_DIFFER
        others = [
            self._agreement(template, earlier)
            for other, taken in self._fingers.items()
            for earlier in taken
            if other != position
        ]
        if others and max(others) >= self.plan.same_finger:
            return Refusal.FINGER_REPEATED
        return None

    def _agreement(self, template: Template, earlier: Sample) -> float:
        return self._finger_engine.compare(template, earlier.template)

    def _expect(self, sample: BiometricSample, modality: Modality) -> None:
        if sample.modality is not modality:
            raise InputError(f"The sample is of a {sample.modality}, not of a {modality}.", code="modality_other")

    def _taken(self, digest: bytes, verdict: SampleVerdict) -> SampleVerdict:
        self._seen.add(digest)
        self._found = None
        return verdict


def _digest(sample: BiometricSample) -> bytes:
    return sha256(str(sample.pixels.shape).encode() + sample.pixels.tobytes()).digest()
