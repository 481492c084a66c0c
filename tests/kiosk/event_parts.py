"""Drafts of events and a journal to put them in."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from kiosk.clock import Clock
from kiosk.journal import Ballast, Journal
from models.attendance import (
    FIRST_HASH,
    AttendanceEvent,
    CheckInOutcome,
    EventType,
    Method,
    TimeQuality,
    uuid7,
)
from models.store.engine import open_store

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
_ticks = itertools.count(1)


def clock_at(moment: datetime) -> Clock:
    return Clock(now=lambda: moment, boot_id="boot", time_quality=lambda: TimeQuality.SYNCED)


CLOCK = Clock(boot_id="boot", time_quality=lambda: TimeQuality.SYNCED)


def draft(
    person_id: str | None = "p1",
    outcome: CheckInOutcome = CheckInOutcome.ACCEPTED,
    *,
    at: datetime | None = None,
    note: str | None = None,
) -> AttendanceEvent:
    now = at or datetime.now(UTC)
    return AttendanceEvent(
        event_id=uuid7(now), kiosk_id="k1", seq=0, prev_hash=FIRST_HASH, captured_at=now, boot_id="boot",
        monotonic_ns=next(_ticks), time_quality=TimeQuality.SYNCED, person_id=person_id,
        type=EventType.REPORT_IN_PERSON, outcome=outcome, method=Method.FACE, evidence=(), policy_version="1",
        note_code=note,
    )  # fmt: skip


def store_at(path: Path) -> Engine:
    return open_store(f"sqlite:///{path}", branch="kiosk", busy_timeout_s=0.2)


def journal_in(engine: Engine, *, ballast: Ballast | None = None, clock: Clock = CLOCK) -> Journal:
    return Journal(engine, key=KEY, kiosk_id="k1", clock=clock, ballast=ballast)
