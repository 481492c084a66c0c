"""The ledger in the center's database. Owns ingestion, appending, tree heads and proofs; refuses HTTP and files.

Every function works inside the caller's transaction. Writers take one lock, so leaves get their places in order; on
SQLite that is the write lock that each transaction begins with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Table, bindparam, func, insert, select, text, tuple_
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
from models.errors import InputError, LedgerError, SignatureInvalid
from models.ledger import FIRST_HEAD, TreeHead, event_leaf, registry_bytes, sign_tree_head
from models.store.center import EventRow, KioskRow, RegistryRow, TreeHeadRow, TreeNodeRow
from models.wire import decode_key, encode_key

_EVENTS, _NODES, _KIOSKS = (cast(Table, row.__table__) for row in (EventRow, TreeNodeRow, KioskRow))
MOST_EVENT_BYTES = 64 * 1024  # of its canonical body; a kiosk's hold some five thousand, and every export repeats them
_LOCK = 0x4C454447  # PostgreSQL advisory lock of the log's writers
_EVENT_ID = re.compile("[0-9a-f-]{36}")  # what else a body may hold there is not asked of the database

# made once: a batch of events is the busiest moment of a center, and making a query costs more than running it
_LAST_LEAF = select(func.max(_NODES.c.position)).where(_NODES.c.level == 0)
_PLACES = select(_NODES).where(tuple_(_NODES.c.level, _NODES.c.position).in_(bindparam("places", expanding=True)))
_KIOSK = select(_KIOSKS.c.signing_key, _KIOSKS.c.status, _KIOSKS.c.paired_at).where(
    _KIOSKS.c.kiosk_id == bindparam("kiosk_id")
)
_NEWEST = (
    select(_EVENTS.c.seq, _EVENTS.c.hash)
    .where(_EVENTS.c.kiosk_id == bindparam("kiosk_id"))
    .order_by(_EVENTS.c.seq.desc())
    .limit(1)
)
_KNOWN = select(_EVENTS.c.event_id, _EVENTS.c.hash, _EVENTS.c.leaf_index, _EVENTS.c.received_at).where(
    _EVENTS.c.event_id.in_(bindparam("event_ids", expanding=True))
)
_ADD_EVENTS, _ADD_NODES = insert(_EVENTS), insert(_NODES)


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
    kiosk_mismatch, event_too_large, event_conflict, chain_gap or chain_fork.
    """
    intake = _Intake(session, [wire])
    ingested = intake.take(wire, received_at=received_at, kiosk_id=kiosk_id)
    intake.store()
    return ingested


def ingest_events(
    session: Session, wires: Sequence[Mapping[str, Any]], *, received_at: datetime, kiosk_id: str | None = None
) -> tuple[list[Ingested], InputError | SignatureInvalid | LedgerError | None]:
    """Events in order by the rules of ``ingest_event``; ends at the first that is refused and answers its error too.

    What came before the refused one is in the log.
    """
    intake, ingested = _Intake(session, wires), []
    refused: InputError | SignatureInvalid | LedgerError | None = None
    for wire in wires:
        try:
            ingested.append(intake.take(wire, received_at=received_at, kiosk_id=kiosk_id))
        except (InputError, SignatureInvalid, LedgerError) as error:
            refused = error
            break
    intake.store()
    return ingested, refused


def last_arrival(session: Session, kiosk_id: str) -> datetime | None:
    """When the log received the newest event of a kiosk; no other arrives before this transaction ends."""
    _lock(session)
    return session.scalar(select(func.max(EventRow.received_at)).where(EventRow.kiosk_id == kiosk_id))


def append_event(session: Session, signed: SignedEvent, received_at: datetime) -> int:
    """Append a verified event and return its leaf index. The rules are ``ingest_event``'s."""
    intake = _Intake(session, [])
    leaf_index = intake.append(signed.event, signed, body=canonical(signed.body), received_at=received_at)
    intake.store()
    return leaf_index


@dataclass(slots=True)
class _Chain:
    """A kiosk and the end of its chain: the seq and prev_hash that its next event must have."""

    key: Ed25519PublicKey
    paired_at: datetime
    next_seq: int
    prev_hash: str

    def check(self, event: AttendanceEvent) -> None:
        """Raises LedgerError chain_gap or chain_fork unless ``event`` comes next."""
        expected = self.next_seq
        if event.seq > expected:
            flaw, code = f"The kiosk's event {event.seq} came before its event {expected}.", "chain_gap"
        elif event.seq < expected:
            flaw, code = f"The kiosk sent another event {event.seq} before.", "chain_fork"
        elif event.prev_hash != self.prev_hash:
            flaw, code = f"The kiosk's event {event.seq} does not follow the one before it.", "chain_fork"
        else:
            return
        raise LedgerError(flaw, code=code, expected_seq=expected)


class _Intake:
    """Events on their way into the log in one transaction.

    What the rules ask of the database is read once, under the writers' lock, and kept up to date here; rows are
    written together by ``store``.
    """

    def __init__(self, session: Session, wires: Sequence[object]) -> None:
        session.flush()
        _lock(session)
        self._connection = session.connection()
        self._size = log_size(session)
        self._nodes = self._right_edge()
        self._known = self._known_among(wires)
        self._chains: dict[str, _Chain] = {}
        self._event_rows: list[dict[str, Any]] = []
        self._node_rows: list[dict[str, Any]] = []

    def take(self, wire: Mapping[str, Any], *, received_at: datetime, kiosk_id: str | None) -> Ingested:
        """One event through all rules of ``ingest_event``."""
        signed = SignedEvent.from_wire(wire)
        chain = self._chain_of(signed, kiosk_id)
        received_at = max(received_at, chain.paired_at)
        body = canonical(signed.body)
        if len(body) > MOST_EVENT_BYTES:
            raise LedgerError("The event is longer than any that a kiosk makes.", code="event_too_large")
        event = verify_event(signed, chain.key, content=body)
        known = self._known.get(event.event_id)
        if known is not None:
            if known[0] != signed.hash:
                raise LedgerError("Another event with the same id is in the log.", code="event_conflict")
            return Ingested(IngestStatus.DUPLICATE, event.event_id, *known[1:])
        chain.check(event)
        leaf_index = self.append(event, signed, body=body, received_at=received_at)
        chain.next_seq, chain.prev_hash = event.seq + 1, signed.hash
        self._known[event.event_id] = (signed.hash, leaf_index, received_at)
        return Ingested(IngestStatus.STORED, event.event_id, leaf_index, received_at)

    def append(self, event: AttendanceEvent, signed: SignedEvent, *, body: bytes, received_at: datetime) -> int:
        """Give a verified event its place in the log."""
        leaf_index = self._size
        leaf = event_leaf(body, signed.hash, signed.signature, received_at=format_time(received_at))
        for level, position, current in merkle.completed_nodes(leaf_index, leaf, self._node_at):
            self._nodes[level, position] = current
            self._node_rows.append({"level": level, "position": position, "hash": current})
        self._event_rows.append(_event_values(event, signed, body, received_at=received_at, place=(leaf_index, leaf)))
        self._size += 1
        return leaf_index

    def store(self) -> None:
        """Write what was taken."""
        if self._event_rows:
            self._connection.execute(_ADD_EVENTS, self._event_rows)
            self._connection.execute(_ADD_NODES, self._node_rows)

    def _right_edge(self) -> dict[tuple[int, int], bytes]:
        """The roots of the log's largest complete subtrees: all that new leaves are ever joined with."""
        places = [
            (level, (self._size >> level) - 1) for level in range(self._size.bit_length()) if self._size >> level & 1
        ]
        if not places:
            return {}
        return {(row.level, row.position): row.hash for row in self._connection.execute(_PLACES, {"places": places})}

    def _node_at(self, level: int, position: int) -> bytes:
        if (level, position) not in self._nodes:
            raise LedgerError("A part of the log's hash tree is missing.", code="ledger_rewritten")
        return self._nodes[level, position]

    def _known_among(self, wires: Sequence[object]) -> dict[str, tuple[str, int, datetime]]:
        """Hash, place and time of those events whose ids are in the log already."""
        bodies = [wire.get("body") for wire in wires if isinstance(wire, Mapping)]
        named = [body.get("event_id") for body in bodies if isinstance(body, Mapping)]
        ids = [name for name in named if isinstance(name, str) and _EVENT_ID.fullmatch(name)]
        if not ids:
            return {}
        rows = self._connection.execute(_KNOWN, {"event_ids": ids})
        return {row.event_id: (row.hash, row.leaf_index, row.received_at) for row in rows}

    def _chain_of(self, signed: SignedEvent, kiosk_id: str | None) -> _Chain:
        named = signed.body.get("kiosk_id")
        if kiosk_id is not None and named != kiosk_id:
            raise LedgerError("The event names another kiosk than the one that sent it.", code="kiosk_mismatch")
        if not isinstance(named, str):
            raise LedgerError("The event names a kiosk that was never paired.", code="kiosk_unknown")
        if named not in self._chains:
            self._chains[named] = self._read_chain(named)
        return self._chains[named]

    def _read_chain(self, kiosk_id: str) -> _Chain:
        kiosk = self._connection.execute(_KIOSK, {"kiosk_id": kiosk_id}).first()
        if kiosk is None:
            raise LedgerError("The event names a kiosk that was never paired.", code="kiosk_unknown")
        if kiosk.status == "revoked":
            raise LedgerError("The kiosk was revoked.", code="kiosk_revoked")
        last = self._connection.execute(_NEWEST, {"kiosk_id": kiosk_id}).first()
        next_seq, prev_hash = (last.seq + 1, last.hash) if last else (FIRST_SEQ, FIRST_HASH)
        return _Chain(decode_key(kiosk.signing_key), kiosk.paired_at, next_seq, prev_hash)


def _event_values(
    event: AttendanceEvent, signed: SignedEvent, body: bytes, *, received_at: datetime, place: tuple[int, bytes]
) -> dict[str, Any]:
    """An event as a row; ``place`` is its leaf's index and hash."""
    return {
        "leaf_index": place[0],
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
        "leaf_hash": place[1],
    }


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


def _node_at(session: Session) -> merkle.NodeAt:
    def node_at(level: int, position: int) -> bytes:
        node = session.get(TreeNodeRow, (level, position))
        if node is None:
            raise LedgerError("A part of the log's hash tree is missing.", code="ledger_rewritten")
        return node.hash

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
