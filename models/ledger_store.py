"""The ledger in the center's database. Owns ingestion, appending, tree heads and proofs; refuses HTTP and files.

Every function works inside the caller's transaction. Writers take one lock, so leaves get their places in order; on
SQLite that is the write lock that each transaction begins with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Row, Table, func, insert, select, text, tuple_
from sqlalchemy.orm import Session

from models import merkle
from models.attendance import (
    FIRST_HASH,
    FIRST_SEQ,
    AttendanceEvent,
    SignedEvent,
    canonical,
    format_time,
    sha256_hex,
    verify_event,
)
from models.errors import LedgerError
from models.ledger import FIRST_HEAD, TreeHead, event_leaf, registry_bytes, sign_tree_head
from models.store.center import EventRow, KioskRow, RegistryRow, TreeHeadRow, TreeNodeRow
from models.wire import decode_key, encode_key

_EVENTS, _NODES = cast(Table, EventRow.__table__), cast(Table, TreeNodeRow.__table__)
_LOCK = 0x4C454447  # PostgreSQL advisory lock of the log's writers


_LAST_LEAF = select(func.max(_NODES.c.position)).where(_NODES.c.level == 0)


class IngestStatus(StrEnum):
    """What became of an event that was received."""

    STORED = "stored"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Ingested:
    """The center's answer to an event: where it stands in the log and since when."""

    status: IngestStatus
    event_id: str
    leaf_index: int
    received_at: datetime

    def to_json(self) -> dict[str, Any]:
        """The answer as plain JSON values."""
        return {
            "event_id": self.event_id,
            "status": self.status.value,
            "leaf_index": self.leaf_index,
            "received_at": format_time(self.received_at),
        }


def ingest_event(
    session: Session, wire: Mapping[str, Any], *, received_at: datetime, kiosk_id: str | None = None
) -> Ingested:
    """Check an event as received and append it to the log; the same event again is a duplicate and changes nothing.

    ``kiosk_id`` is who signed the request. ``received_at`` counts from the kiosk's pairing at the earliest: a center's
    clock that was set back would otherwise leave a record from before the kiosk's key was valid.
    Raises InputError (event_malformed), SignatureInvalid, or LedgerError with code kiosk_unknown, kiosk_revoked,
    kiosk_mismatch, event_conflict, chain_gap or chain_fork.
    """
    signed = SignedEvent.from_wire(wire)
    _lock(session)
    kiosk = _kiosk_of(session, signed, kiosk_id)
    received_at = max(received_at, kiosk.paired_at)
    body = canonical(signed.body)
    event = verify_event(signed, decode_key(kiosk.signing_key), content=body)
    known = _known(session, event.event_id)
    if known is not None:
        return _duplicate(known, signed)
    _check_chain(session, event)
    leaf_index = _append(session, event, signed, body=body, received_at=received_at)
    return Ingested(IngestStatus.STORED, event.event_id, leaf_index, received_at)


def append_event(session: Session, signed: SignedEvent, received_at: datetime) -> int:
    """Append a verified event and return its leaf index. The rules are ``ingest_event``'s."""
    _lock(session)
    return _append(session, signed.event, signed, body=canonical(signed.body), received_at=received_at)


def _append(
    session: Session, event: AttendanceEvent, signed: SignedEvent, *, body: bytes, received_at: datetime
) -> int:
    leaf_index = log_size(session)
    leaf = event_leaf(body, signed.hash, signed.signature, received_at=format_time(received_at))
    values = {
        "leaf_index": leaf_index,
        "event_id": event.event_id,
        "kiosk_id": event.kiosk_id,
        "seq": event.seq,
        "hash": signed.hash,
        "signature": signed.signature,
        "body": body.decode(),
        "captured_at": event.captured_at,
        "received_at": received_at,
        "person_id": event.person_id,
        "type": event.type.value,
        "outcome": event.outcome.value if event.outcome else None,
        "method": event.method.value,
        "leaf_hash": leaf,
    }
    connection = session.connection()  # plain inserts: a batch of events is the busiest moment of a center
    connection.execute(insert(_EVENTS), values)
    nodes = merkle.completed_nodes(leaf_index, leaf, _left_neighbours(session, leaf_index))
    rows = [{"level": level, "position": position, "hash": current} for level, position, current in nodes]
    connection.execute(insert(_NODES), rows)
    return leaf_index


def log_size(session: Session) -> int:
    """How many leaves the log has."""
    last = session.connection().scalar(_LAST_LEAF)
    return 0 if last is None else last + 1


def sign_head(session: Session, key: Ed25519PrivateKey, now: datetime) -> TreeHead:
    """Sign the log as it stands; if nothing was appended since the last head, that one is returned.

    Raises LedgerError with code ledger_rewritten if the log no longer continues what was signed before.
    """
    _lock(session)
    size, last = log_size(session), latest_head(session)
    if last is not None:
        if size < last.size or merkle.subtree_root(0, last.size, _node_at(session)).hex() != last.root:
            raise LedgerError("The log no longer holds what was signed before.", code="ledger_rewritten")
        if size == last.size:
            return last
    root = merkle.subtree_root(0, size, _node_at(session)).hex()
    registry = _store_registry(session, encode_key(key.public_key()))
    head = sign_tree_head(TreeHead(size, root, now, registry, last.hash if last else FIRST_HEAD), key)
    session.add(_row_of(head))
    session.flush()
    return head


def latest_head(session: Session) -> TreeHead | None:
    """The newest signed head; None before the first."""
    row = session.scalar(select(TreeHeadRow).order_by(TreeHeadRow.size.desc()).limit(1))
    return None if row is None else head_of(row)


def prove_inclusion(session: Session, leaf_index: int, size: int) -> list[bytes]:
    """The path from a leaf to the root over the first ``size`` leaves; check it with ``merkle.inclusion_holds``.

    Raises LedgerError if there is no such leaf.
    """
    if not 0 <= leaf_index < size <= log_size(session):
        raise LedgerError(f"The log of {size} records has no record {leaf_index}.", code="record_missing")
    return merkle.inclusion_path(leaf_index, size, _node_at(session))


def head_of(row: TreeHeadRow) -> TreeHead:
    """A row as a head."""
    return TreeHead(row.size, row.root, row.timestamp, row.registry_hash, row.previous, row.signature)


def _lock(session: Session) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _kiosk_of(session: Session, signed: SignedEvent, kiosk_id: str | None) -> KioskRow:
    named = signed.body.get("kiosk_id")
    if kiosk_id is not None and named != kiosk_id:
        raise LedgerError("The event names another kiosk than the one that sent it.", code="kiosk_mismatch")
    kiosk = session.get(KioskRow, named) if isinstance(named, str) else None
    if kiosk is None:
        raise LedgerError("The event names a kiosk that was never paired.", code="kiosk_unknown")
    if kiosk.status == "revoked":
        raise LedgerError("The kiosk was revoked.", code="kiosk_revoked")
    return kiosk


def _known(session: Session, event_id: str) -> Row[Any, Any, Any, Any] | None:
    columns = (_EVENTS.c.event_id, _EVENTS.c.hash, _EVENTS.c.leaf_index, _EVENTS.c.received_at)
    return session.connection().execute(select(*columns).where(_EVENTS.c.event_id == event_id)).first()


def _duplicate(known: Row[Any, Any, Any, Any], signed: SignedEvent) -> Ingested:
    if known.hash != signed.hash:
        raise LedgerError("Another event with the same id is in the log.", code="event_conflict")
    return Ingested(IngestStatus.DUPLICATE, known.event_id, known.leaf_index, known.received_at)


def _check_chain(session: Session, event: AttendanceEvent) -> None:
    newest = select(_EVENTS.c.seq, _EVENTS.c.hash).where(_EVENTS.c.kiosk_id == event.kiosk_id)
    last = session.connection().execute(newest.order_by(_EVENTS.c.seq.desc()).limit(1)).first()
    expected, previous = (last.seq + 1, last.hash) if last else (FIRST_SEQ, FIRST_HASH)
    if event.seq > expected:
        raise LedgerError(
            f"The kiosk's event {event.seq} came before its event {expected}.", code="chain_gap", expected_seq=expected
        )
    if event.seq < expected:
        raise LedgerError(f"The kiosk sent another event {event.seq} before.", code="chain_fork", expected_seq=expected)
    if event.prev_hash != previous:
        raise LedgerError(
            f"The kiosk's event {event.seq} does not follow the one before it.",
            code="chain_fork",
            expected_seq=expected,
        )


def _node_at(session: Session) -> merkle.NodeAt:
    def node_at(level: int, position: int) -> bytes:
        node = session.get(TreeNodeRow, (level, position))
        if node is None:
            raise LedgerError("A part of the log's hash tree is missing.", code="ledger_rewritten")
        return node.hash

    return node_at


def _left_neighbours(session: Session, index: int) -> merkle.NodeAt:
    """The nodes that a new leaf completes subtrees with, read at once."""
    wanted: list[tuple[int, int]] = []
    position = index
    while position & 1:
        wanted.append((len(wanted), position - 1))
        position >>= 1
    found: dict[tuple[int, int], bytes] = {}
    if wanted:
        query = select(_NODES).where(tuple_(_NODES.c.level, _NODES.c.position).in_(wanted))
        found = {(row.level, row.position): row.hash for row in session.connection().execute(query)}

    def node_at(level: int, position: int) -> bytes:
        if (level, position) not in found:
            raise LedgerError("A part of the log's hash tree is missing.", code="ledger_rewritten")
        return found[level, position]

    return node_at


def _store_registry(session: Session, center_key: str) -> str:
    kiosks = [
        {
            "kiosk_id": kiosk.kiosk_id,
            "signing_key": kiosk.signing_key,
            "site_id": kiosk.site_id,
            "valid_from": format_time(kiosk.paired_at),
            "valid_until": None if kiosk.revoked_at is None else format_time(kiosk.revoked_at),
        }
        for kiosk in session.scalars(select(KioskRow).order_by(KioskRow.kiosk_id))
    ]
    content = registry_bytes(center_key, kiosks)
    name = sha256_hex(content)
    if session.get(RegistryRow, name) is None:
        session.add(RegistryRow(hash=name, body=content.decode()))
        session.flush()
    return name


def _row_of(head: TreeHead) -> TreeHeadRow:
    return TreeHeadRow(
        size=head.size,
        root=head.root,
        timestamp=head.timestamp,
        registry_hash=head.registry,
        previous=head.previous,
        signature=head.signature,
    )
