"""A session with the people in front of it, and a center's database. Only the engines are made up."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from noise_people import KnownFingers, TextureFaces, face_picture, finger_minutiae

from enrollment.notice import Notice
from enrollment.session import EnrollmentSession
from enrollment.vault import SiteKey, Vault
from matcher.gallery import Gallery
from models.biometrics import BiometricSample, FingerPosition, Modality
from models.people import Category, SupervisionLevel
from models.store.center import PersonRow, SiteRow, StaffRow
from models.store.engine import open_store, writing

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
STAFF = (
    ("staff-1", "staff", "s-1", True),
    ("staff-2", "staff", "s-2", True),
    ("auditor", "auditor", None, True),
    ("gone", "admin", None, False),
)


class Booth:
    """A session and the people in front of it."""

    def __init__(self, *, everyone=(), person_id="p-1", vault=None, **options):
        self.faces, self.fingers = TextureFaces(), KnownFingers()
        self.gallery = Gallery(face_engine=self.faces, finger_engine=self.fingers)
        self.gallery.replace(everyone)
        self.vault = vault or Vault(SiteKey.create())
        self.now = NOW
        self.session = EnrollmentSession(
            person_id,
            face_engine=self.faces,
            finger_engine=self.fingers,
            everyone=self.gallery,
            vault=self.vault,
            clock=lambda: self.now,
            **options,
        )

    def face(self, person=1, shot=0, **options):
        pixels = face_picture(person, shot, **options)
        return self.session.add_face(BiometricSample(Modality.FACE, pixels, self.now, "camera"))

    def finger(self, finger=1, shot=0, position=FingerPosition.RIGHT_INDEX, sensor_template=None, **options):
        rng = np.random.default_rng((finger, shot))
        pixels = rng.integers(0, 255, (288, 256)).astype(np.uint8)
        self.fingers.known[sha256(pixels.tobytes()).digest()] = finger_minutiae(finger, shot, **options)
        sample = BiometricSample(Modality.FINGER, pixels, self.now, "sensor", 500)
        return self.session.add_finger(sample, position, sensor_template)

    def take_faces(self, person=1, count=3):
        assert all(self.face(person, shot).accepted for shot in range(count))

    def take_fingers(self, first=1):
        for finger, position in ((first, FingerPosition.RIGHT_INDEX), (first + 1, FingerPosition.LEFT_INDEX)):
            assert all(self.finger(finger, shot, position).accepted for shot in range(3))


@pytest.fixture
def booth():
    return Booth()


@pytest.fixture
def make_booth():
    return Booth


@pytest.fixture
def notice():
    return Notice("2026-1", "zh_CN", NOW - timedelta(minutes=5), "staff-1")


@pytest.fixture
def store(tmp_path):
    """A center's database with two people at one site."""
    engine = open_store(f"sqlite:///{tmp_path / 'center.db'}", branch="center")
    with writing(engine) as session:
        for site in ("s-1", "s-2"):
            session.add(SiteRow(site_id=site, name="", policy_json="{}", policy_version="default-1"))
        session.flush()
        for staff_id, role, here, active in STAFF:
            account = StaffRow(staff_id=staff_id, login=f"login-{staff_id}", password_hash="", role=role, active=active)
            account.site_id = here
            session.add(account)
        for number in (1, 2):
            session.add(
                PersonRow(
                    person_id=f"p-{number}",
                    number=f"2026{number}",
                    name="王小明",
                    site_id="s-1",
                    level=SupervisionLevel.NORMAL.value,
                    category=Category.PROBATION.value,
                    created_at=NOW,
                )
            )
    yield engine
    engine.dispose()
