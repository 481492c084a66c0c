"""Checking an exported ledger with no database and no network. Owns the verdict; the writer is ``models.export``.

The file is read once from top to bottom in little memory. The newest head is checked first: under its signature stand
the root, the kiosks' keys and the head before it. From the root each record is opened downwards, so the first record
that is not the one that was logged is known exactly, whatever else was changed to fit it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from models import merkle
from models.attendance import (
    FIRST_HASH,
    FIRST_SEQ,
    SignedEvent,
    canonical,
    event_hash,
    parse_time,
    sha256_hex,
    verify_event,
)
from models.errors import InputError, MusterError, SignatureInvalid
from models.ledger import FIRST_HEAD, LOG, TreeHead, event_leaf, record_line, verify_tree_head
from models.text import decode_bytes
from models.verdict import Fault, Finding, VerificationReport
from models.wire import decode_key, encode_key

_CUT = b"\xff"  # no UTF-8 holds this byte, so a marked line never passes
_LONGEST_LINE = 32 * 1024 * 1024  # a header with the keys of many kiosks; more than any event a center ever took


class _Wrong(Exception):  # noqa: N818 - carries a finding to the one place that reports it
    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.sentence)
        self.finding = finding


@dataclass(frozen=True, slots=True)
class _Kiosk:
    key: Ed25519PublicKey
    valid_from: str
    valid_until: str | None


def verify_bundle(
    path: Path,
    *,
    center_key: Ed25519PublicKey | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> VerificationReport:
    """Check a bundle and name the first record that was altered, forged, dropped, inserted, moved or cut off.

    ``center_key`` pins the center; without it the key in the bundle is believed, and the report says so.
    ``progress(done, of)`` is called as records are read. Raises InputError if the file cannot be read.
    """
    check = _Check(path, center_key)
    try:
        with path.open("rb") as stream:
            lines = _numbered(stream)
            check.header(*next(lines, (1, b"")))
            for number, line in lines:
                check.line(number, line)
                if progress is not None:
                    progress(check.records, check.head.size)
            check.end()
    except _Wrong as wrong:
        return check.report(wrong.finding)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise InputError(f"The bundle {path.name} cannot be read: {reason}.", code="bundle_unreadable") from error
    return check.report(None)


class _Check:
    """The state of one pass over a bundle."""

    def __init__(self, path: Path, pinned: Ed25519PublicKey | None) -> None:
        self.head = TreeHead(0, "", datetime.fromtimestamp(0, UTC), "", "")
        self.records = 0
        self._path = path
        self._pinned = pinned
        self._key = pinned  # until the header names one
        self._signed = False
        self._kiosks: dict[str, _Kiosk] = {}
        self._chains: dict[str, tuple[int, str]] = {}
        self._open: list[tuple[bytes, int]] = []  # subtrees whose root is known and whose leaves are still to come
        self._grown = merkle.Frontier()
        self._heads = 0
        self._previous = FIRST_HEAD
        self._line = 1

    def report(self, finding: Finding | None) -> VerificationReport:
        """What was found so far, as the verdict."""
        return VerificationReport(
            events=self.records,
            size=self.head.size,
            kiosks=len(self._chains),
            heads=self._heads,
            center_key="" if self._key is None else encode_key(self._key),
            center_key_pinned=self._pinned is not None,
            signed_at=self.head.timestamp if self._signed else None,
            finding=finding,
        )

    def header(self, number: int, line: bytes) -> None:
        """The newest head, the keys under it, and the root from which every record is opened."""
        header = _parsed(line)
        if header is None or set(header) != {"format", "head", "registry"} or not _is_canonical(header, line):
            raise self._wrong(Fault.HEADER, "The header is not one that Muster writes.", number)
        if header["format"] != LOG:
            raise self._wrong(Fault.HEADER, f"The format is not {LOG}.", number)
        try:
            self.head = TreeHead.from_json(header["head"])
            named, self._kiosks = _registry_of(header["registry"])
        except InputError as error:
            raise self._wrong(Fault.HEADER, str(error), number) from error
        if self._pinned is not None and encode_key(self._pinned) != encode_key(named):
            raise self._wrong(Fault.HEADER, "The bundle names another center key than the one given.", number)
        self._key = named
        self._verify_head(self.head, named, number)
        self._signed = True
        if sha256_hex(canonical(header["registry"])) != self.head.registry:
            raise self._wrong(Fault.HEADER, "The keys in the header are not those that the center signed.", number)
        self._open = [(bytes.fromhex(self.head.root), self.head.size)] if self.head.size else []

    def line(self, number: int, line: bytes) -> None:
        """A record or an earlier head."""
        self._line = number
        if line.startswith(b'{"head":') or (b'"root":' in line and b'"leaf":' not in line):  # also a damaged head
            self._earlier_head(number, line)
        else:
            self._record(number, line)

    def end(self) -> None:
        """Nothing may be missing when the file ends."""
        if self.records < self.head.size:
            sentence = f"The file ends here, but {self.head.size} records were signed: the tail was cut off."
            raise self._wrong(Fault.CUT, sentence, self._line + 1, record=self.records)
        if self.head.previous != self._previous:
            raise self._wrong(Fault.HEAD, "The last of the earlier tree heads is missing.", self._line + 1)
        self._heads += 1

    def _earlier_head(self, number: int, line: bytes) -> None:
        parsed = _parsed(line)
        try:
            head = TreeHead.from_json(None if parsed is None else parsed.get("head"))
        except InputError as error:
            raise self._wrong(Fault.HEAD, str(error), number) from error
        if canonical({"head": head.to_json()}) != line:
            raise self._wrong(Fault.HEAD, "The tree head is not written as Muster writes it.", number)
        if self._key is not None:  # the header named it
            self._verify_head(head, self._key, number)
        if head.previous != self._previous:
            raise self._wrong(Fault.HEAD, "The tree head does not follow the one before: one is missing.", number)
        if head.size > self.records:
            raise self._missing_before(number, head.size)
        if head.size < self.records or head.root != self._grown.root().hex():
            sentence = f"The tree head over {head.size} records stands below {self.records}: it was moved."
            raise self._wrong(Fault.HEAD, sentence, number)
        self._previous = head.hash
        self._heads += 1

    def _verify_head(self, head: TreeHead, key: Ed25519PublicKey, number: int) -> None:
        try:
            verify_tree_head(head, key)
        except SignatureInvalid as error:
            raise self._wrong(Fault.HEAD, str(error), number) from error

    def _record(self, number: int, line: bytes) -> None:
        expected = self.records
        if expected >= self.head.size:
            raise self._wrong(
                Fault.INSERTED, "Nothing may follow the last record that was signed.", number, record=expected
            )
        if line.endswith(_CUT):
            sentence = "The file ends in the middle of this record: the tail was cut off."
            raise self._wrong(Fault.CUT, sentence, number, record=expected)
        record = _parsed(line)
        found = _leaf_of(record)
        if found is not None and found != expected:
            raise self._misplaced(number, found, record)
        signed, body, received_at, path = self._read(number, line, record)
        leaf = event_leaf(body, signed.hash, signed.signature, received_at=received_at)
        self._descend(number, signed, path)
        if self._open.pop()[0] != leaf:
            raise self._not_logged(number, signed)
        self._own_merits(number, signed, body, received_at)
        self._grown.append(leaf)
        self.records += 1

    def _read(self, number: int, line: bytes, record: Any) -> tuple[SignedEvent, bytes, str, list[str]]:
        try:
            if set(record) != {"event", "leaf", "path", "received_at"}:
                raise InputError("other fields")
            signed, received_at, path = SignedEvent.from_wire(record["event"]), record["received_at"], record["path"]
            parse_time(received_at)
            body = canonical(signed.body)
            rebuilt = record_line(self.records, body, signed.hash, signed.signature, received_at=received_at, path=path)
        except (InputError, TypeError, ValueError, RecursionError) as error:
            raise self._wrong(
                Fault.ALTERED, "The record was altered: it cannot be read.", number, record=self.records, within=record
            ) from error
        if rebuilt != line:
            sentence = "The record was altered: it is not written as Muster writes it."
            raise self._wrong(Fault.ALTERED, sentence, number, record=self.records, within=record)
        return signed, body, received_at, path

    def _descend(self, number: int, signed: SignedEvent, path: list[str]) -> None:
        """Open the tree from the last known root down to this leaf with the record's own nodes."""
        steps = iter(path)
        try:
            while self._open[-1][1] > 1:
                root, count = self._open.pop()
                left, right = decode_bytes(next(steps)), decode_bytes(next(steps))
                if merkle.node_hash(left, right) != root:
                    raise InputError("other nodes")
                self._open += [(right, count - merkle.split(count)), (left, merkle.split(count))]
            if next(steps, None) is not None:
                raise InputError("more nodes than needed")
        except (StopIteration, InputError) as error:
            raise self._not_logged(
                number, signed, "The record was altered: its place in the hash tree is not its own."
            ) from error

    def _own_merits(self, number: int, signed: SignedEvent, body: bytes, received_at: str) -> None:
        """What holds of a logged record by itself: the kiosk's signature, its validity, its chain."""
        record = {"event": signed.wire()}
        kiosk = self._kiosks.get(str(signed.body.get("kiosk_id")))
        if kiosk is None:
            raise self._wrong(
                Fault.FORGED, "No kiosk of this name was paired.", number, record=self.records, within=record
            )
        try:
            event = verify_event(signed, kiosk.key, content=body)
        except MusterError as error:
            raise self._wrong(Fault.FORGED, str(error), number, record=self.records, within=record) from error
        if received_at < kiosk.valid_from or (kiosk.valid_until is not None and received_at > kiosk.valid_until):
            sentence = "The kiosk's key was not valid when the record arrived."
            raise self._wrong(Fault.FORGED, sentence, number, record=self.records, within=record)
        seq, previous = self._chains.get(event.kiosk_id, (FIRST_SEQ - 1, FIRST_HASH))
        if event.seq != seq + 1 or event.prev_hash != previous:
            sentence = f"The record does not follow the kiosk's record {seq}."
            raise self._wrong(Fault.CHAIN, sentence, number, record=self.records, within=record)
        self._chains[event.kiosk_id] = (event.seq, signed.hash)

    def _not_logged(
        self, number: int, signed: SignedEvent, sentence: str = "The record is not the one that was logged here."
    ) -> _Wrong:
        """Say what was done to a record that stands at its own number and is not what was logged there."""
        kiosk = self._kiosks.get(str(signed.body.get("kiosk_id")))
        fault = Fault.ALTERED
        if event_hash(signed.body) != signed.hash:
            sentence = "The record was altered: its hash is not the hash of its content."
        elif kiosk is None or not _signature_holds(signed, kiosk.key):
            fault, sentence = Fault.FORGED, "The record is forged: its signature is not its kiosk's."
        elif self._occurs_later(number, self.records):
            fault, sentence = Fault.INSERTED, "The record was inserted: the one that was logged here follows later."
        return self._wrong(fault, sentence, number, record=self.records, within={"event": signed.wire()})

    def _misplaced(self, number: int, found: int, record: Mapping[str, Any]) -> _Wrong:
        """Say what happened where another record stands than the next one."""
        expected = self.records
        if self._is_logged_here(record):
            sentence = f"The record was altered: it is the one that was logged here, but says that it is {found}."
            return self._wrong(Fault.ALTERED, sentence, number, record=expected, within=record)
        if found < expected:
            sentence = f"Record {found} stands here a second time: it was inserted."
            return self._wrong(Fault.INSERTED, sentence, number, record=expected, within=record)
        if self._occurs_later(number, expected):
            sentence = f"Record {found} stands where record {expected} belongs: they were moved or swapped."
            return self._wrong(Fault.MOVED, sentence, number, record=expected, within=record)
        sentence = f"Record {expected} is missing: record {found} follows the one before it."
        return self._wrong(Fault.MISSING, sentence, number, record=expected)

    def _is_logged_here(self, record: Mapping[str, Any]) -> bool:
        """Whether the record, but for its number, is the one that the tree holds at this place."""
        try:
            signed, path = SignedEvent.from_wire(record["event"]), [decode_bytes(step) for step in record["path"]]
            leaf = event_leaf(
                canonical(signed.body), signed.hash, signed.signature, received_at=str(record["received_at"])
            )
        except (InputError, KeyError, TypeError, UnicodeError):
            return False
        node, count = self._open[-1]
        while count > 1 and len(path) > 1:
            left, right, *path = path
            if merkle.node_hash(left, right) != node:
                return False
            node, count = left, merkle.split(count)
        return count == 1 and not path and node == leaf

    def _missing_before(self, number: int, size: int) -> _Wrong:
        """Say what happened where a tree head stands below fewer records than it was signed over."""
        expected = self.records
        if self._occurs_later(number, expected):
            sentence = f"Record {expected} follows a tree head that covers it: one of them was moved."
            return self._wrong(Fault.MOVED, sentence, number, record=expected)
        sentence = f"Record {expected} is missing: the tree head here was signed over {size} records."
        return self._wrong(Fault.MISSING, sentence, number, record=expected)

    def _occurs_later(self, number: int, leaf: int) -> bool:
        with self._path.open("rb") as stream:
            return any(later > number and _leaf_of(_parsed(line)) == leaf for later, line in _numbered(stream))

    def _wrong(
        self,
        fault: Fault,
        sentence: str,
        line: int,
        *,
        record: int | None = None,
        within: Any = None,
    ) -> _Wrong:
        return _Wrong(Finding(fault, sentence, line, record, *_names(within)))


def _numbered(stream: Any) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers from 1, without the line feed; a line that has none ends in a mark instead."""
    number = 0
    while raw := stream.readline(_LONGEST_LINE):
        number += 1
        yield number, raw[:-1] if raw.endswith(b"\n") else raw + _CUT


def _parsed(line: bytes) -> Any:
    """The object on a line; None for anything else."""
    try:
        parsed = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _is_canonical(content: Mapping[str, Any], line: bytes) -> bool:
    try:
        return canonical(content) == line
    except InputError:  # numbers that canonical JSON cannot hold
        return False


def _registry_of(registry: Any) -> tuple[Ed25519PublicKey, dict[str, _Kiosk]]:
    try:
        if set(registry) != {"center_key", "kiosks"}:
            raise InputError("The header's keys have other fields than they should.")
        kiosks = {
            str(kiosk["kiosk_id"]): _Kiosk(decode_key(kiosk["signing_key"]), kiosk["valid_from"], kiosk["valid_until"])
            for kiosk in registry["kiosks"]
        }
        for kiosk in kiosks.values():
            parse_time(kiosk.valid_from)
            if kiosk.valid_until is not None:
                parse_time(kiosk.valid_until)
        return decode_key(registry["center_key"]), kiosks
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("The header's keys cannot be read.") from error


def _signature_holds(signed: SignedEvent, key: Ed25519PublicKey) -> bool:
    try:
        verify_event(signed, key)
    except SignatureInvalid:
        return False
    except InputError:
        return True  # the signature is good; what it signs is odd
    return True


def _leaf_of(record: Any) -> int | None:
    leaf = record.get("leaf") if isinstance(record, dict) else None
    return leaf if isinstance(leaf, int) and not isinstance(leaf, bool) else None


def _names(record: Any) -> tuple[str | None, str | None, int | None]:
    """Event, kiosk and its number, as far as a possibly altered record still says them."""
    try:
        body = record["event"]["body"]
        event_id, kiosk_id, seq = body.get("event_id"), body.get("kiosk_id"), body.get("seq")
    except (KeyError, TypeError, AttributeError):
        return None, None, None
    return (
        event_id if isinstance(event_id, str) else None,
        kiosk_id if isinstance(kiosk_id, str) else None,
        seq if isinstance(seq, int) else None,
    )
