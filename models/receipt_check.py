"""Holding a receipt against an exported ledger, with no database and no network. Owns the verdict's sentence.

The bundle is checked whole first, because the keys that judge the receipt stand in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from models.attendance import AttendanceEvent, SignedEvent, format_time
from models.bundle import verify_bundle
from models.errors import InputError, SignatureInvalid
from models.receipt import Receipt
from models.wire import decode_key


class ReceiptFault(StrEnum):
    """Why a receipt proves nothing."""

    BUNDLE = "bundle"
    UNKNOWN_KIOSK = "unknown_kiosk"
    ALTERED = "altered"
    NOT_IN_BUNDLE = "not_in_bundle"
    OTHER_RECORD = "other_record"


@dataclass(frozen=True, slots=True)
class ReceiptReport:
    """The verdict in one sentence; ``fault`` is None if the receipt holds. ``pinned``: the center's key was given."""

    fault: ReceiptFault | None
    sentence: str
    pinned: bool

    @property
    def ok(self) -> bool:
        """Whether the receipt stands for a record of this ledger."""
        return self.fault is None


def check_receipt(
    receipt: Receipt,
    bundle: Path,
    *,
    center_key: Ed25519PublicKey | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ReceiptReport:
    """Whether the record that the receipt stands for is in the bundle. Raises InputError if the file cannot be read."""
    report = verify_bundle(bundle, center_key=center_key, progress=progress)

    def verdict(fault: ReceiptFault | None, sentence: str) -> ReceiptReport:
        return ReceiptReport(fault, sentence, report.center_key_pinned)

    if report.finding is not None:
        return verdict(ReceiptFault.BUNDLE, f"The bundle itself does not hold, so it proves nothing: {report.finding}")
    key = _key_of(receipt.kiosk_id, bundle)
    if key is None:
        return verdict(
            ReceiptFault.UNKNOWN_KIOSK, f"The center of this bundle never paired a kiosk {receipt.kiosk_id}."
        )
    try:
        receipt.verify(key)
    except SignatureInvalid as error:
        return verdict(ReceiptFault.ALTERED, str(error))
    found, last = _record(receipt, bundle)
    if found is None:
        return verdict(ReceiptFault.NOT_IN_BUNDLE, _missing(receipt, last))
    if found.hash != receipt.hash or found.event.captured_at != receipt.captured_at:
        sentence = f"The ledger holds another record as number {receipt.seq} of this kiosk than the one on the receipt."
        return verdict(ReceiptFault.OTHER_RECORD, sentence)
    return verdict(None, _good(found.event))


def _good(event: AttendanceEvent) -> str:
    outcome = f", {event.outcome.value}" if event.outcome is not None else ""
    return (
        f"Record {event.seq} of kiosk {event.kiosk_id} is in the ledger as the receipt says: "
        f"{event.type.value}{outcome}, {format_time(event.captured_at)}."
    )


def _missing(receipt: Receipt, last: int) -> str:
    if last == 0:
        return f"The receipt is genuine, but this bundle holds no record of kiosk {receipt.kiosk_id} yet; export anew."
    return (
        f"The receipt is genuine, but this bundle ends at record {last} of the kiosk and the receipt stands for record "
        f"{receipt.seq}, which is newer; export the ledger anew."
    )


def _lines(bundle: Path) -> Iterator[bytes]:
    try:
        with bundle.open("rb") as stream:
            yield from stream
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise InputError(f"The bundle {bundle.name} cannot be read: {reason}.", code="bundle_unreadable") from error


def _key_of(kiosk_id: str, bundle: Path) -> Ed25519PublicKey | None:
    """The kiosk's key in the bundle's registry, which a verified bundle's center has signed."""
    header = json.loads(next(_lines(bundle)))
    keys = {str(kiosk["kiosk_id"]): str(kiosk["signing_key"]) for kiosk in header["registry"]["kiosks"]}
    return decode_key(keys[kiosk_id]) if kiosk_id in keys else None


def _record(receipt: Receipt, bundle: Path) -> tuple[SignedEvent | None, int]:
    """The kiosk's record at the receipt's place, and the last number that the bundle has of this kiosk."""
    last = 0
    for line in _lines(bundle):
        if not line.startswith(b'{"event":') or receipt.kiosk_id.encode() not in line:
            continue
        signed = SignedEvent.from_wire(json.loads(line)["event"])
        if signed.body["kiosk_id"] != receipt.kiosk_id:
            continue
        last = int(signed.body["seq"])
        if last == receipt.seq:
            return signed, last
    return None, last
