"""A center's database with kiosks that send real signed events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.orm import Session

from models.attendance import (
    FIRST_HASH,
    AttendanceEvent,
    CheckInOutcome,
    EventType,
    Evidence,
    Method,
    PresentationEvidence,
    SignedEvent,
    TimeQuality,
    WitnessVerdict,
    sign_event,
    uuid7,
)
from models.ledger_store import Ingested, ingest_event, sign_head
from models.store.center import KioskRow, SiteRow
from models.store.engine import open_store, writing
from models.wire import encode_key

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
EVIDENCE = Evidence(
    modality="face",
    engine="sface",
    template_format="sface/1",
    score=0.71,
    threshold=0.5,
    matched=True,
    quality=0.8,
    operation="identify",
    presentation=(PresentationEvidence("head_turn", WitnessVerdict.PASSED, {"depth": 0.25}),),
)


@dataclass
class Chain:
    """A kiosk's own side: its key and the events it has signed."""

    kiosk_id: str
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    events: list[SignedEvent] = field(default_factory=list)

    def event(self, **changes) -> AttendanceEvent:
        seq = len(self.events) + 1
        moment = START + timedelta(minutes=seq)
        values = {
            "event_id": uuid7(moment),
            "kiosk_id": self.kiosk_id,
            "seq": seq,
            "prev_hash": self.events[-1].hash if self.events else FIRST_HASH,
            "captured_at": moment,
            "boot_id": "boot-1",
            "monotonic_ns": 2**60 + seq,
            "time_quality": TimeQuality.SYNCED,
            "person_id": "p-明",
            "type": EventType.REPORT_IN_PERSON,
            "outcome": CheckInOutcome.ACCEPTED,
            "method": Method.FACE,
            "evidence": (EVIDENCE,),
            "policy_version": "default-1",
        }
        return AttendanceEvent(**(values | changes))

    def next(self, **changes) -> SignedEvent:
        signed = sign_event(self.event(**changes), self.key)
        self.events.append(signed)
        return signed


@dataclass
class Center:
    """The center's side: a database, a key, and what arrives."""

    engine: object
    key: Ed25519PrivateKey
    url: str
    now: datetime = START + timedelta(hours=1)

    def pair(self, kiosk_id: str) -> Chain:
        chain = Chain(kiosk_id)
        with writing(self.engine) as session:
            session.add(
                KioskRow(
                    kiosk_id=kiosk_id,
                    site_id="site-1",
                    name="",
                    signing_key=encode_key(chain.key.public_key()),
                    agreement_key="",
                    paired_at=START,
                )
            )
        return chain

    def receive(self, *events: SignedEvent, **options) -> list[Ingested]:
        answers = []
        with writing(self.engine) as session:
            for signed in events:
                self.now += timedelta(seconds=1)
                answers.append(ingest_event(session, signed.wire(), received_at=self.now, **options))
        return answers

    def sign(self):
        self.now += timedelta(seconds=1)
        with writing(self.engine) as session:
            return sign_head(session, self.key, self.now)

    def session(self) -> Session:
        return Session(self.engine)


def make_center(folder) -> Center:
    url = f"sqlite:///{folder / 'center.db'}"
    engine = open_store(url, branch="center")
    with writing(engine) as session:
        session.add(SiteRow(site_id="site-1", name="", policy_json="{}", policy_version="default-1"))
    return Center(engine, Ed25519PrivateKey.generate(), url)


@pytest.fixture
def center(tmp_path):
    made = make_center(tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture(scope="session")
def filled(tmp_path_factory):
    """Two kiosks, eleven events, three heads, exported once: (bundle's bytes, center)."""
    from models.export import export_bundle
    from models.store.engine import reading

    folder = tmp_path_factory.mktemp("ledger")
    made = make_center(folder)
    first, second = made.pair("k-1"), made.pair("k-2")
    made.receive(first.next(), second.next(), first.next())
    made.sign()
    made.receive(*(second.next() for _ in range(3)), first.next(person_id=None))
    made.sign()
    made.receive(*(first.next() for _ in range(2)), second.next(), first.next())
    made.sign()
    with reading(made.engine) as session:
        export_bundle(session, folder / "bundle")
    yield (folder / "bundle").read_bytes(), made
    made.engine.dispose()
