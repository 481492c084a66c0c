"""The visitors of the demonstration and their enrollment. Owns how a made-up person is enrolled with simulated devices.

Enrollment goes the real way: frames of the camera and impressions of the sensor into an ``EnrollmentSession``, sealed
references into the center's store. Faces are public-domain portraits, fingers are generated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from uuid import uuid4

from enrollment.capture import CaptureNews, LiveCapture, Step
from enrollment.notice import MissingReason, Notice
from enrollment.repository import open_everyone, save_enrollment, wrapped_key_of
from enrollment.session import EnrollmentSession
from enrollment.vault import SiteKey, Vault
from hardware.ports import Camera, FingerSensor
from hardware.simulation.fingers import SimulatedFinger
from hardware.simulation.scene import Scene, Visitor
from kiosk.demonstration.center import SITE_ID, DemoCenter
from kiosk.demonstration.visits import PEOPLE, Enrolled
from matcher import weights
from matcher.gallery import Gallery
from matcher.pictures import read_rgb
from matcher.ports import FaceEngine, FingerEngine
from models.attendance import utc_now
from models.biometrics import FingerPosition, Float32Array, UInt8Array
from models.errors import MusterError
from web.center.keys import site_key_path

PORTRAITS = {
    "visitor_1": ("portrait_visitor_1a", "portrait_visitor_1b", "portrait_visitor_1c"),
    "visitor_2": ("portrait_visitor_2",),
    "visitor_3": ("portrait_visitor_3",),
}
# Visitors step up with portrait 0: visitor_1 comes with a picture of another day than those enrolled.
ENROLLED_PORTRAITS = {"visitor_1": (1, 2), "visitor_2": (0,)}
POSITIONS = (FingerPosition.RIGHT_INDEX, FingerPosition.LEFT_INDEX)


def make_visitors(engine: FaceEngine) -> dict[str, Visitor]:
    """The visitors by label; raises WeightsError if their portraits were not fetched."""
    return {
        label: Visitor.make(label, [_portrait(engine, name) for name in names], finger_seed=number)
        for number, (label, names) in enumerate(PORTRAITS.items(), start=1)
    }


def _portrait(engine: FaceEngine, name: str) -> tuple[UInt8Array, Float32Array]:
    pixels = read_rgb(weights.path(name))
    faces = engine.detect(pixels)
    if not faces:
        raise MusterError(f"No face was found in {name}.")
    return pixels, faces[0].landmarks


@dataclass(slots=True)
class Fingers:
    """The enrolled people's fingers, and a stranger's. Each position of a person is another finger."""

    made: dict[tuple[int, FingerPosition], SimulatedFinger] = field(default_factory=dict)

    def of(self, person: Enrolled, position: FingerPosition) -> SimulatedFinger:
        """One finger of a person."""
        key = (person.finger_seed, position)
        if key not in self.made:
            self.made[key] = SimulatedFinger(person.finger_seed * 100 + int(position))
        return self.made[key]

    def stranger(self) -> SimulatedFinger:
        """A finger that nobody enrolled."""
        return SimulatedFinger(990_001)


@dataclass(slots=True)
class EnrollmentDesk:
    """Enrolls the cast, one person after the other."""

    center: DemoCenter
    scene: Scene
    camera: Camera
    sensor: FingerSensor
    face_engine: FaceEngine
    finger_engine: FingerEngine
    visitors: dict[str, Visitor]
    fingers: Fingers

    def enroll_all(self, told: Callable[[str], None]) -> None:
        """Everyone of the cast. Raises MusterError if somebody cannot be enrolled."""
        for person in PEOPLE:
            told(f"Enrolling number {person.number} ...")
            self._enroll(person)

    def _enroll(self, person: Enrolled) -> None:
        person_id = str(uuid4())
        self.center.add_person(person_id, person.number, person.name)
        session = self._session(person_id)
        capture = LiveCapture(session, self._obey(person))
        if person.visitor is not None:
            capture.capture_faces(self.camera)
            self.scene.leave()
        for position in POSITIONS:
            capture.capture_finger(self.sensor, position)
        reason = MissingReason(person.fingers_only_reason) if person.fingers_only_reason else None
        notice = Notice("demo-notice-1", "zh_CN", utc_now(), "demo-staff")
        enrollment = session.complete(notice, missing_reason=reason)
        with self.center.writing() as rows:
            save_enrollment(rows, enrollment)

    def _session(self, person_id: str) -> EnrollmentSession:
        folder = self.center.center.settings.keys_folder()

        def vault_of(site_id: str) -> Vault:
            return Vault(SiteKey.load(site_key_path(folder, site_id)))

        everyone = Gallery(face_engine=self.face_engine, finger_engine=self.finger_engine)
        with self.center.center.reading() as rows:
            everyone.replace(open_everyone(rows, vault_of))
            wrapped = wrapped_key_of(rows, person_id)
        return EnrollmentSession(
            person_id,
            face_engine=self.face_engine,
            finger_engine=self.finger_engine,
            everyone=everyone,
            vault=vault_of(SITE_ID),
            wrapped=wrapped,
        )

    def _obey(self, person: Enrolled) -> Callable[[CaptureNews], None]:
        """The person at the devices: shows another portrait when asked to look, lays and lifts each finger."""
        portraits = cycle(ENROLLED_PORTRAITS.get(person.visitor or "", (0,)))

        def hear(news: CaptureNews) -> None:
            if news.code == Step.LOOK and person.visitor is not None:
                self.scene.show(self.visitors[person.visitor], "stand", portrait=next(portraits))
            elif news.code == Step.LAY_FINGER and news.position is not None:
                self.scene.lay_finger(self.fingers.of(person, news.position))
            elif news.code == Step.LIFT_FINGER:
                self.scene.lift_finger()

        return hear
