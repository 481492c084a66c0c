"""The journal: every event signed, chained and on the disk before anybody sees an answer. It is the outbox too.

Owns the sequence, the chain, the signature and what became of each event. Refuses to change or delete one. A row and
its place in the outbox are one row, so one transaction; with SQLite's WAL and ``synchronous=FULL`` an event that was
acknowledged survives a power cut. Signatures and chain are verified on every read: SQLite alone misses flipped bits.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import ColumnElement, Engine, Integer, and_, cast, func, or_, select, update
from sqlalchemy.orm import Session

from kiosk.clock import Clock
from models.attendance import (
    FIRST_HASH,
    FIRST_SEQ,
    AttendanceEvent,
    Detail,
    SignedEvent,
    TimeQuality,
    canonical,
    sign_event,
    verify_event,
    with_position,
)
from models.errors import InputError, SignatureInvalid, StoreError
from models.store.engine import reading, writing
from models.store.kiosk import JournalRow, MetaRow

_REACH_BACK = timedelta(hours=36)  # a site's calendar day, in whatever time zone, began within this
Details = Mapping[str, Detail]
_HEAD = "head"  # meta: seq and hash of the newest event, so that a tail cut off is noticed


class DeliveryState(StrEnum):
    """What became of an event."""

    PENDING = "pending"
    DELIVERED = "delivered"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """How many events are in which state."""

    pending: int
    delivered: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An event that the center refused, and the code of its refusal."""

    seq: int
    event_id: str
    error: str


class Ballast:
    """A file that only takes room, to be freed on the day the disk is full: then the last events still fit."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self.path = path
        self._size_bytes = size_bytes

    def restore(self) -> bool:
        """Lay the ballast if it is missing and there is room for twice of it; whether it is there now."""
        if self.path.exists():
            return True
        try:
            if shutil.disk_usage(self.path.parent).free < 2 * self._size_bytes:
                return False
            with self.path.open("xb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size_bytes)
        except OSError:  # no room after all; the next attempt comes with the next restart or delivery
            self.path.unlink(missing_ok=True)
            return False
        return True

    def free(self) -> bool:
        """Give the room back; False if there was no ballast left."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True


class Journal:
    """The events of one kiosk. Safe across threads: every call is a transaction of its own."""

    def __init__(
        self, engine: Engine, *, key: Ed25519PrivateKey, kiosk_id: str, clock: Clock, ballast: Ballast | None = None
    ) -> None:
        self.kiosk_id = kiosk_id
        self._engine = engine
        self._key = key
        self._public = key.public_key()
        self._clock = clock
        self._ballast = ballast

    def append(self, draft: AttendanceEvent, *, beside: Callable[[Session], Details] | None = None) -> SignedEvent:
        """Put ``draft`` at the end of the chain, sign it, store it; once this returns it is on the disk.

        Sequence, previous hash and kiosk are assigned here. When the disk is full the ballast is freed and the event
        written once more. ``beside`` stores what the event names in the same transaction and answers with the details
        to add; for that the ballast is kept. Raises StoreError if it is not stored; then nothing of it is.
        """
        if beside is not None:
            return self._write(draft, beside)
        try:
            return self._write(draft)
        except StoreError:
            if self._ballast is None or not self._ballast.free():
                raise
            return self._write(draft)

    def _write(self, draft: AttendanceEvent, beside: Callable[[Session], Details] | None = None) -> SignedEvent:
        with writing(self._engine) as session:
            if beside is not None:
                draft = replace(draft, details={**draft.details, **beside(session)})
            seq, prev_hash = self._head(session)
            placed = with_position(replace(draft, kiosk_id=self.kiosk_id), seq=seq + 1, prev_hash=prev_hash)
            signed = sign_event(placed, self._key)
            session.add(
                JournalRow(
                    seq=seq + 1,
                    event_id=draft.event_id,
                    body=canonical(signed.body).decode(),
                    hash=signed.hash,
                    signature=signed.signature,
                    state=DeliveryState.PENDING,
                    recorded_at=self._clock.now(),
                )
            )
            session.merge(MetaRow(key=_HEAD, value=f"{seq + 1} {signed.hash}"))
        return signed

    def _head(self, session: Session) -> tuple[int, str]:
        """Sequence and hash of the newest event. Raises StoreError if the newest rows are gone."""
        newest = session.scalars(select(JournalRow).order_by(JournalRow.seq.desc()).limit(1)).first()
        remembered = session.get(MetaRow, _HEAD)
        found = (newest.seq, newest.hash) if newest else (FIRST_SEQ - 1, FIRST_HASH)
        if remembered is not None and remembered.value != f"{found[0]} {found[1]}":
            raise StoreError("The journal does not end where it ended before.", code="journal_damaged")
        if newest is not None:
            self._verified(newest)
        return found

    def _verified(self, row: JournalRow) -> SignedEvent:
        """The event of a row. Raises StoreError if a bit of it changed."""
        try:
            signed = SignedEvent(json.loads(row.body), row.hash, row.signature)
            event = verify_event(signed, self._public)
        except (SignatureInvalid, InputError, ValueError) as error:
            raise StoreError(f"Event {row.seq} of the journal is damaged.", code="journal_damaged") from error
        if (event.seq, event.event_id) != (row.seq, row.event_id):
            raise StoreError(f"Event {row.seq} of the journal is another one.", code="journal_damaged")
        return signed

    def pending(self, limit: int) -> list[SignedEvent]:
        """The oldest events not yet delivered, in order, verified. Raises StoreError."""
        wanted = (
            select(JournalRow).where(JournalRow.state == DeliveryState.PENDING).order_by(JournalRow.seq).limit(limit)
        )
        with reading(self._engine) as session:
            return [self._verified(row) for row in session.scalars(wanted)]

    def mark_delivered(self, event_ids: Iterable[str]) -> None:
        """The center has these."""
        self._mark(list(event_ids), DeliveryState.DELIVERED, None)

    def quarantine(self, event_id: str, error: str) -> None:
        """The center refuses this one, with a code. It stays, visible, and is not sent again by itself."""
        self._mark([event_id], DeliveryState.QUARANTINED, error)

    def note_attempt(self, event_ids: Iterable[str], error: str) -> None:
        """These could not be delivered now; they stay pending."""
        self._mark(list(event_ids), DeliveryState.PENDING, error)

    def release(self) -> int:
        """Send every quarantined event again (a staff member asked for it); how many these are."""
        with writing(self._engine) as session:
            held = session.scalars(
                select(JournalRow.event_id).where(JournalRow.state == DeliveryState.QUARANTINED)
            ).all()
        self._mark(list(held), DeliveryState.PENDING, None)
        return len(held)

    def reopen(self) -> int:
        """Send everything again that the center said it had: it has lost some of it. How many events these are.

        What the center still has it answers as a duplicate.
        """
        change = update(JournalRow).where(JournalRow.state == DeliveryState.DELIVERED)
        with writing(self._engine) as session:
            held = session.scalar(select(func.count()).where(JournalRow.state == DeliveryState.DELIVERED)) or 0
            session.execute(change.values(state=DeliveryState.PENDING))
        return held

    def _mark(self, event_ids: list[str], state: DeliveryState, error: str | None) -> None:
        change = (
            update(JournalRow)
            .where(JournalRow.event_id.in_(event_ids), JournalRow.state != DeliveryState.DELIVERED)
            .values(state=state, last_error=error, attempts=JournalRow.attempts + 1)
        )
        with writing(self._engine) as session:
            session.execute(change)

    def counts(self) -> OutboxCounts:
        """How many events are pending, delivered and quarantined."""
        with reading(self._engine) as session:
            found = dict(
                session.execute(select(JournalRow.state, func.count()).group_by(JournalRow.state)).tuples().all()
            )
        return OutboxCounts(*(found.get(state, 0) for state in DeliveryState))

    def quarantined(self) -> list[Quarantined]:
        """What the center refused."""
        wanted = select(JournalRow).where(JournalRow.state == DeliveryState.QUARANTINED).order_by(JournalRow.seq)
        with reading(self._engine) as session:
            return [Quarantined(row.seq, row.event_id, row.last_error or "") for row in session.scalars(wanted)]

    def lately(self, person_id: str, now: datetime) -> list[AttendanceEvent]:
        """This person's events at this kiosk within the last 36 hours, oldest first, verified. Raises StoreError."""
        wanted = (
            select(JournalRow)
            .where(or_(JournalRow.recorded_at > now - _REACH_BACK, self._in_this_run()))
            .where(func.json_extract(JournalRow.body, "$.person_id") == person_id)
            .order_by(JournalRow.seq)
        )
        with reading(self._engine) as session:
            return [self._verified(row).event for row in session.scalars(wanted)]

    def newest(self) -> SignedEvent | None:
        """The end of the chain, verified; None before the first event. Raises StoreError."""
        with reading(self._engine) as session:
            row = session.scalars(select(JournalRow).order_by(JournalRow.seq.desc()).limit(1)).first()
            return None if row is None else self._verified(row)

    def _in_this_run(self) -> ColumnElement[bool]:
        """Rows with a time that nobody trusted, of this run of the machine, lately by its monotonic clock."""
        since_ns = self._clock.monotonic_ns() - int(_REACH_BACK.total_seconds() * 1e9)
        stamp = cast(func.json_extract(JournalRow.body, "$.monotonic_ns"), Integer)
        return and_(
            func.json_extract(JournalRow.body, "$.time_quality") == TimeQuality.UNKNOWN.value,
            func.json_extract(JournalRow.body, "$.boot_id") == self._clock.boot_id,
            stamp > since_ns,
        )

    def last_time(self) -> datetime | None:
        """When the newest event happened whose time was trusted, or the newest of all. Raises StoreError."""
        newest_first = select(JournalRow).order_by(JournalRow.seq.desc()).limit(1)
        trusted = newest_first.where(func.json_extract(JournalRow.body, "$.time_quality") != TimeQuality.UNKNOWN.value)
        with reading(self._engine) as session:
            row = session.scalars(trusted).first() or session.scalars(newest_first).first()
            return None if row is None else self._verified(row).event.captured_at

    def verify(self) -> int:
        """Check every signature and the whole chain; how many events hold. Raises StoreError naming the first that
        does not."""
        prev_hash, seq = FIRST_HASH, FIRST_SEQ - 1
        with reading(self._engine) as session:
            for row in session.scalars(select(JournalRow).order_by(JournalRow.seq).execution_options(yield_per=500)):
                event = self._verified(row).event
                if (event.seq, event.prev_hash) != (seq + 1, prev_hash):
                    raise StoreError(f"Event {row.seq} of the journal does not follow.", code="journal_damaged")
                prev_hash, seq = row.hash, row.seq
            self._head(session)
        return seq - FIRST_SEQ + 1
