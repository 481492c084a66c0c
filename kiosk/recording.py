"""How an event of this kiosk comes to be: its id, its time, its place in the journal. Refuses to know why it happened.

Everything that a kiosk records goes through here, whoever asked for it: one spelling of a draft, one line in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy.orm import Session

from kiosk.clock import Clock
from kiosk.journal import Journal
from models.attendance import (
    FIRST_HASH,
    AttendanceEvent,
    CheckInOutcome,
    Detail,
    EventType,
    Evidence,
    Method,
    SignedEvent,
    Witness,
    uuid7,
)
from models.errors import StoreError

log = structlog.get_logger("kiosk.recording")


@dataclass(frozen=True, slots=True)
class Recorder:
    """Drafts events and stores them. Safe across threads, as the journal is."""

    journal: Journal
    clock: Clock

    def draft(
        self,
        kind: EventType,
        *,
        person_id: str | None,
        outcome: CheckInOutcome | None = None,
        method: Method = Method.NONE,
        evidence: tuple[Evidence, ...] = (),
        policy_version: str,
        witness: Witness | None = None,
        note: str | None = None,
        details: Mapping[str, Detail] | None = None,
    ) -> AttendanceEvent:
        """An event that happens now; the journal assigns its place in the chain."""
        now = self.clock.now()
        return AttendanceEvent(
            event_id=uuid7(now),
            kiosk_id=self.journal.kiosk_id,
            seq=0,
            prev_hash=FIRST_HASH,
            captured_at=now,
            boot_id=self.clock.boot_id,
            monotonic_ns=self.clock.monotonic_ns(),
            time_quality=self.clock.time_quality(),
            person_id=person_id,
            type=kind,
            outcome=outcome,
            method=method,
            evidence=evidence,
            policy_version=policy_version,
            witness=witness,
            note_code=note,
            details=dict(details or {}),
        )

    def store(
        self, draft: AttendanceEvent, *, beside: Callable[[Session], Mapping[str, Detail]] | None = None
    ) -> SignedEvent:
        """Sign and store in one transaction; once this returns it is on the disk. Raises StoreError.

        ``beside`` as for ``Journal.append``.
        """
        named = {"record_id": draft.event_id, "kiosk_id": self.journal.kiosk_id, "type": draft.type}
        try:
            signed = self.journal.append(draft, beside=beside)
        except StoreError as error:
            log.error("event_not_stored", **named, code=error.code)
            raise
        log.info("event_stored", **named, outcome=draft.outcome)
        return signed
