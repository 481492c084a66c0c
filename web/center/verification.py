"""Whether stored records still are what was received. Owns the checks made on reading; refuses to trust a column.

SQLite notices few flipped bits by itself, so an event's hash, signature, chain link and place in the signed log are
computed anew whenever somebody looks at it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import merkle
from models.attendance import FIRST_HASH, FIRST_SEQ, AttendanceEvent, SignedEvent, format_time, verify_event
from models.errors import LedgerError, MusterError
from models.ledger import event_leaf, verify_tree_head
from models.ledger_store import head_of, latest_head, prove_inclusion
from models.store.center import EventRow, KioskRow, TreeHeadRow
from models.wire import decode_key


@dataclass(frozen=True, slots=True)
class EventChecks:
    """What was checked of one event; None means that it cannot be checked yet (no head covers it)."""

    event: AttendanceEvent | None
    signature: bool
    columns: bool
    chain: bool
    inclusion: bool | None

    @property
    def verified(self) -> bool:
        """Whether every check that can be made holds."""
        return self.signature and self.columns and self.chain and self.inclusion is not False


@dataclass(frozen=True, slots=True)
class LedgerChecked:
    """How much was checked."""

    events: int
    heads: int


def check_event(session: Session, row: EventRow, center_key: Ed25519PublicKey) -> EventChecks:
    """Check one stored event against its kiosk's key, its neighbour in the chain and the newest signed head."""
    event = _signed_event(session, row)
    return EventChecks(
        event=event,
        signature=event is not None,
        columns=event is not None and _columns_agree(row, event),
        chain=event is not None and _follows(session, row, event),
        inclusion=_included(session, row, center_key),
    )


def check_ledger(session: Session, center_key: Ed25519PublicKey) -> LedgerChecked:
    """Check the whole store. Raises LedgerError naming the first record or head that does not hold."""
    frontier = merkle.Frontier()
    heads = {head.size: head for head in map(head_of, session.scalars(select(TreeHeadRow)))}
    last: dict[str, tuple[int, str]] = {}
    events = 0
    for row in session.scalars(select(EventRow).order_by(EventRow.leaf_index).execution_options(yield_per=500)):
        event = _signed_event(session, row)
        expected = last.get(row.kiosk_id, (FIRST_SEQ - 1, FIRST_HASH))
        if row.leaf_index != events:
            raise LedgerError(f"Record {events} is missing from the store.", code="record_missing")
        if event is None or not _columns_agree(row, event) or _leaf(row) != row.leaf_hash:
            raise LedgerError(f"Record {row.leaf_index} (event {row.event_id}) was altered.", code="record_altered")
        if (event.seq - 1, event.prev_hash) != expected:
            raise LedgerError(
                f"Record {row.leaf_index} (event {row.event_id}) does not follow its kiosk's chain.",
                code="record_moved",
            )
        last[row.kiosk_id] = (event.seq, row.hash)
        frontier.append(row.leaf_hash)
        events += 1
        head = heads.get(events)
        if head is not None:
            verify_tree_head(head, center_key)
            if frontier.root().hex() != head.root:
                raise LedgerError(f"The signed head over {events} records has another root.", code="ledger_rewritten")
    if any(size > events for size in heads):
        raise LedgerError(f"The store ends after {events} records; more were signed.", code="tail_cut")
    return LedgerChecked(events, len(heads))


def _signed_event(session: Session, row: EventRow) -> AttendanceEvent | None:
    kiosk = session.get(KioskRow, row.kiosk_id)
    if kiosk is None:
        return None
    try:
        return verify_event(SignedEvent(json.loads(row.body), row.hash, row.signature), decode_key(kiosk.signing_key))
    except (MusterError, ValueError):  # altered: said in the answer, not as an error
        return None


def _columns_agree(row: EventRow, event: AttendanceEvent) -> bool:
    outcome = event.outcome.value if event.outcome else None
    return (row.event_id, row.kiosk_id, row.seq, row.captured_at, row.person_id, row.type, row.outcome, row.method) == (
        event.event_id, event.kiosk_id, event.seq, event.captured_at, event.person_id, event.type.value, outcome,
        event.method.value,
    )  # fmt: skip


def _follows(session: Session, row: EventRow, event: AttendanceEvent) -> bool:
    if event.seq == FIRST_SEQ:
        return event.prev_hash == FIRST_HASH
    before = session.scalar(
        select(EventRow.hash).where(EventRow.kiosk_id == row.kiosk_id, EventRow.seq == event.seq - 1)
    )
    return before == event.prev_hash


def _leaf(row: EventRow) -> bytes:
    return event_leaf(row.body.encode(), row.hash, row.signature, received_at=format_time(row.received_at))


def _included(session: Session, row: EventRow, center_key: Ed25519PublicKey) -> bool | None:
    head = latest_head(session)
    if head is None or row.leaf_index >= head.size:
        return None
    try:
        verify_tree_head(head, center_key)
        path = prove_inclusion(session, row.leaf_index, head.size)
    except MusterError:
        return False
    return merkle.inclusion_holds(_leaf(row), row.leaf_index, size=head.size, root=bytes.fromhex(head.root), path=path)
