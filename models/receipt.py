"""The proof on a receipt: which record it stands for, signed by the kiosk that made it. Owns the text and its check.

A receipt names no person. It holds the kiosk, the record's place in that kiosk's chain, the record's hash and time, and
the kiosk's signature over these, so that a piece of paper proves a record to whoever has an exported ledger, without a
network. What is signed begins with words that no record begins with: a signature of one is never one of the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from models.attendance import SignedEvent, format_time, parse_time
from models.errors import InputError, SignatureInvalid
from models.text import decode_bytes, encode_bytes

VERSION = "MR1"
LONGEST_CODE = 400

_STATEMENT = b"muster receipt, version 1\n"  # a record's signed bytes begin with {
_KIOSK = re.compile("[A-Za-z0-9_.-]{1,64}")
_SEQ = re.compile("[1-9][0-9]{0,15}")
_HASH_BYTES, _SIGNATURE_BYTES = 32, 64


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt says. ``hash`` is the record's, in lower-case hexadecimal; ``signature`` has 64 bytes."""

    kiosk_id: str
    seq: int
    captured_at: datetime
    hash: str
    signature: bytes

    @classmethod
    def make(cls, signed: SignedEvent, key: Ed25519PrivateKey) -> Self:
        """The receipt of a record, signed by its kiosk's key."""
        event = signed.event
        unsigned = cls(event.kiosk_id, event.seq, event.captured_at, signed.hash, b"")
        return cls(event.kiosk_id, event.seq, event.captured_at, signed.hash, key.sign(unsigned.statement()))

    @classmethod
    def parse(cls, code: str) -> Self:
        """The inverse of ``code``, unverified. Raises InputError saying what a receipt's text looks like."""
        parts = code.strip().split("/") if len(code) <= LONGEST_CODE else []
        if parts[:1] != [VERSION] and re.fullmatch("MR[0-9]+", parts[0] if parts else ""):
            raise InputError("The receipt is of a newer version than this program knows.", code="receipt_version")
        try:
            _, kiosk_id, seq, captured_at, digest, signature = parts
            receipt = cls(
                kiosk_id, int(seq), parse_time(captured_at), decode_bytes(digest).hex(), decode_bytes(signature)
            )
        except (ValueError, InputError) as error:
            raise _malformed() from error
        sizes = len(receipt.hash) // 2, len(receipt.signature)
        if sizes != (_HASH_BYTES, _SIGNATURE_BYTES) or not _KIOSK.fullmatch(kiosk_id) or not _SEQ.fullmatch(seq):
            raise _malformed()
        return receipt

    @property
    def code(self) -> str:
        """The text in the symbol: version, kiosk, number, time, hash and signature, about 205 characters."""
        return f"{self._claim()}/{encode_bytes(self.signature)}"

    def statement(self) -> bytes:
        """The bytes that are signed."""
        return _STATEMENT + self._claim().encode()

    def verify(self, key: Ed25519PublicKey) -> None:
        """Raises SignatureInvalid unless this kiosk's key signed exactly this."""
        try:
            key.verify(self.signature, self.statement())
        except InvalidSignature as error:
            raise SignatureInvalid("The receipt was altered, or another kiosk's key signed it.") from error

    def _claim(self) -> str:
        digest = encode_bytes(bytes.fromhex(self.hash))
        return f"{VERSION}/{self.kiosk_id}/{self.seq}/{format_time(self.captured_at)}/{digest}"


def _malformed() -> InputError:
    return InputError(
        f"This is not a receipt's text; one begins with {VERSION}/ and has six parts with / between them.",
        code="receipt_malformed",
    )
