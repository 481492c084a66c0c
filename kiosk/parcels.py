"""Sealed parcels on their way to the center. Owns their queue on the disk; refuses to open one.

A parcel is sealed before it is written, so nothing readable of a report or an enrollment ever lies on a kiosk's disk.
What arrived is deleted; what the center refused stays, visible, like an event, unless it is about somebody who was
erased: then nobody may keep it. A parcel never takes the ballast: that
is kept for events, and a page can be photographed again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

import structlog
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.orm import Session

from enrollment.vault import Vault
from kiosk.clock import Clock
from models.attendance import uuid7
from models.errors import StoreError
from models.parcels import MIB, Parcel, ParcelKind, check_content
from models.store.engine import forget_deleted, reading, writing
from models.store.kiosk import ParcelRow

log = structlog.get_logger("kiosk.parcels")

MOST_WAITING_BYTES = 1024 * MIB  # a center that is away for months must not fill the disk

ATTEMPTS_BEFORE_OTHERS = 20  # it may be this parcel that a proxy, or the center, cannot take


class ParcelState(StrEnum):
    """What became of a parcel that is still here."""

    PENDING = "pending"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class ParcelCounts:
    """How many parcels are in which state."""

    pending: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class RefusedParcel:
    """A parcel that the center refused, and the code of its refusal."""

    parcel_id: str
    kind: str
    error: str


class ParcelQueue:
    """The parcels that wait on this disk, sealed. Safe across threads; needs no key."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def next_pending(self) -> Parcel | None:
        """The oldest parcel that waits; one that did not get through many times lets the others go first.

        One that was damaged on the disk is put aside, so that the others can go.
        """
        turn = ParcelRow.attempts // ATTEMPTS_BEFORE_OTHERS
        pending = select(ParcelRow).where(ParcelRow.state == ParcelState.PENDING)
        wanted = pending.order_by(turn, ParcelRow.parcel_id).limit(1)
        while True:
            with reading(self._engine) as session:
                row = session.scalars(wanted).first()
                if row is None:
                    return None
                if sha256(row.sealed).hexdigest() == row.sha256:
                    return _parcel(row)
            log.error("parcel_damaged", parcel_id=row.parcel_id)
            self.quarantine(row.parcel_id, "parcel_damaged")

    def delivered(self, parcel_id: str) -> None:
        """The center has it: delete it here, from every file."""
        self._delete([parcel_id])

    def forget(self, parcel_id: str) -> None:
        """The center knows nobody any more whom it is about: delete it here, too, from every file."""
        self._delete([parcel_id])

    def quarantine(self, parcel_id: str, error: str) -> None:
        """The center refuses this one, with a code. It stays, visible, and is not sent again by itself."""
        self._mark(parcel_id, ParcelState.QUARANTINED, error)

    def note_attempt(self, parcel_id: str, error: str) -> None:
        """It could not be delivered now; it stays pending."""
        self._mark(parcel_id, ParcelState.PENDING, error)

    def release(self) -> int:
        """Send every quarantined parcel again (a staff member asked for it); how many these are."""
        with writing(self._engine) as session:
            held = session.scalar(select(func.count()).where(ParcelRow.state == ParcelState.QUARANTINED)) or 0
            session.execute(
                update(ParcelRow)
                .where(ParcelRow.state == ParcelState.QUARANTINED)
                .values(state=ParcelState.PENDING, last_error=None)
            )
        return held

    def purge_enrollments(self) -> int:
        """Forget every enrollment that waits, as every other reference: this kiosk was revoked. How many these were.

        Written reports stay, sealed: somebody wrote them, and with the site's key the center can still open them.
        """
        with reading(self._engine) as session:
            wanted = select(ParcelRow.parcel_id).where(ParcelRow.kind == ParcelKind.ENROLLMENT)
            held = list(session.scalars(wanted))
        self._delete(held)
        return len(held)

    def counts(self) -> ParcelCounts:
        """How many parcels are pending and quarantined."""
        with reading(self._engine) as session:
            counted = select(ParcelRow.state, func.count()).group_by(ParcelRow.state)
            found = dict(session.execute(counted).tuples().all())
        return ParcelCounts(*(found.get(state, 0) for state in ParcelState))

    def refused(self) -> list[RefusedParcel]:
        """What the center refused."""
        wanted = (
            select(ParcelRow.parcel_id, ParcelRow.kind, ParcelRow.last_error)
            .where(ParcelRow.state == ParcelState.QUARANTINED)
            .order_by(ParcelRow.parcel_id)
        )
        with reading(self._engine) as session:
            return [RefusedParcel(parcel_id, kind, error or "") for parcel_id, kind, error in session.execute(wanted)]

    def _mark(self, parcel_id: str, state: ParcelState, error: str) -> None:
        change = update(ParcelRow).where(ParcelRow.parcel_id == parcel_id)
        with writing(self._engine) as session:
            session.execute(change.values(state=state, last_error=error, attempts=ParcelRow.attempts + 1))

    def _delete(self, parcel_ids: Iterable[str]) -> None:
        with writing(self._engine) as session:
            session.execute(delete(ParcelRow).where(ParcelRow.parcel_id.in_(list(parcel_ids))))
        forget_deleted(self._engine)


class ParcelStore(ParcelQueue):
    """The queue of one kiosk with the key to seal for it. Every call is a transaction of its own, unless told
    otherwise."""

    def __init__(
        self,
        engine: Engine,
        *,
        vault: Vault,
        site_id: str,
        clock: Clock,
        most_waiting_bytes: int = MOST_WAITING_BYTES,
    ) -> None:
        super().__init__(engine)
        self._vault = vault
        self._site_id = site_id
        self._clock = clock
        self._most_waiting_bytes = most_waiting_bytes

    def add(self, kind: ParcelKind, person_id: str, content: bytes, *, session: Session | None = None) -> Parcel:
        """Seal ``content`` and queue it; once this returns it is on the disk, or is with the caller's ``session``.

        Raises InputError (parcel_empty, parcel_too_large), StoreError if it is not stored; then nothing of it is.
        """
        check_content(content)
        parcel = self._sealed(kind, person_id, content)
        if session is not None:
            self._write(session, parcel)
        else:
            with writing(self._engine) as own:
                self._write(own, parcel)
        log.info("parcel_queued", parcel_id=parcel.parcel_id, kind=parcel.kind.value, size_bytes=len(parcel.sealed))
        return parcel

    def _sealed(self, kind: ParcelKind, person_id: str, content: bytes) -> Parcel:
        now = self._clock.now()
        empty = Parcel(uuid7(now), ParcelKind(kind), person_id, now, self._vault.key_id, b"")
        sealed = self._vault.seal_content(content, empty.binding(self._site_id))
        return Parcel(empty.parcel_id, empty.kind, person_id, now, self._vault.key_id, sealed)

    def _write(self, session: Session, parcel: Parcel) -> None:
        waiting = session.scalar(select(func.sum(ParcelRow.size_bytes))) or 0
        if waiting + len(parcel.sealed) > self._most_waiting_bytes:
            raise StoreError("Too many parcels wait for the center.", code="parcels_full")
        session.add(
            ParcelRow(
                parcel_id=parcel.parcel_id,
                kind=parcel.kind.value,
                person_id=parcel.person_id,
                created_at=parcel.created_at,
                key_id=parcel.key_id,
                sealed=parcel.sealed,
                sha256=parcel.sha256,
                size_bytes=len(parcel.sealed),
            )
        )
        session.flush()


def _parcel(row: ParcelRow) -> Parcel:
    return Parcel(row.parcel_id, ParcelKind(row.kind), row.person_id, row.created_at, row.key_id, row.sealed)
