"""The attendance event: what happened at a kiosk, signed when it happens and never updated afterwards.

Owns the record's shape, its canonical bytes, hash and signature. Refuses storage and transport.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash

from models.errors import InputError, SignatureInvalid
from models.evidence import (
    Evidence,
    PresentationEvidence,
    Subject,
    ThresholdBasis,
    WitnessVerdict,
    evidence_body,
    evidence_from,
    text_of,
)

__all__ = [  # the evidence is part of the event's language, wherever its module lies
    "ALGORITHM",
    "FIRST_HASH",
    "FIRST_SEQ",
    "AttendanceEvent",
    "CheckInOutcome",
    "Detail",
    "EventType",
    "Evidence",
    "Method",
    "PresentationEvidence",
    "SignedEvent",
    "Subject",
    "ThresholdBasis",
    "TimeQuality",
    "Witness",
    "WitnessVerdict",
    "canonical",
    "event_hash",
    "format_time",
    "parse_time",
    "sha256_hex",
    "sign_event",
    "utc_now",
    "uuid7",
    "verify_event",
    "with_position",
]

FIRST_SEQ = 1  # a kiosk's first event
FIRST_HASH = "0" * 64  # and its prev_hash

ALGORITHM = "ed25519-sha256"

_SIGNATURE = re.compile("[0-9a-f]{128}")
_DETAIL_NAME = re.compile("[a-z][a-z0-9_]{0,39}")
_MOST_DETAILS, _LONGEST_DETAIL = 32, 200
Detail = str | int | bool


class CheckInOutcome(StrEnum):
    """How a check-in ended. A failed match is never an absence and never a violation."""

    ACCEPTED = "accepted"
    NOT_IDENTIFIED = "not_identified"
    NOT_VERIFIED = "not_verified"
    ATTACK_SUSPECTED = "attack_suspected"
    OUTSIDE_WINDOW = "outside_window"
    ALREADY_PRESENT = "already_present"
    REFERENCE_REVOKED = "reference_revoked"
    FAILURE_TO_ACQUIRE = "failure_to_acquire"
    REFERRED_TO_STAFF = "referred_to_staff"
    WITNESSED = "witnessed"


class EventType(StrEnum):
    """What an event records."""

    REPORT_IN_PERSON = "report_in_person"
    FAILED_ATTEMPT = "failed_attempt"
    WITNESSED_CHECK_IN = "witnessed_check_in"
    AMENDMENT = "amendment"
    DEVICE = "device"
    PRESENCE = "presence"  # identified, but nothing was chosen
    WRITTEN_REPORT = "written_report"
    EDUCATION_IN = "education_in"
    EDUCATION_OUT = "education_out"
    SERVICE_IN = "service_in"
    SERVICE_OUT = "service_out"
    LEAVE_RETURN = "leave_return"
    HELP_REQUEST = "help_request"
    ANSWERS = "answers"  # what the person said to the office's questions
    STAFF = "staff"  # what a staff member did at the kiosk


class Method(StrEnum):
    """Set by the code that compared, never by a caller."""

    FACE = "face"
    FINGER = "finger"
    FACE_FINGER = "face+finger"
    CLAIM_FACE = "claim+face"
    CLAIM_FINGER = "claim+finger"
    CLAIM_FACE_FINGER = "claim+face+finger"
    WITNESS = "witness"
    NONE = "none"


class TimeQuality(StrEnum):
    """How far a kiosk's clock can be trusted: synced over the network, battery clock, or neither."""

    SYNCED = "synced"
    RTC = "rtc"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Witness:
    """A staff member who vouches for a person, with the reason's code. Labelled so for ever.

    ``second_id`` is another staff member who vouches, too, where the site's policy asks for one.
    """

    staff_id: str
    reason: str
    second_id: str | None = None

    def body(self) -> dict[str, str]:
        """Plain JSON values; ``from_body`` is its inverse. Without a second one it is what it was at first."""
        second = {} if self.second_id is None else {"second_id": self.second_id}
        return {"staff_id": self.staff_id, "reason": self.reason} | second

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """Read it back. Raises KeyError, TypeError or ValueError."""
        second = text_of(body, "second_id") if "second_id" in body else None
        return cls(text_of(body, "staff_id"), text_of(body, "reason"), second)


@dataclass(frozen=True, slots=True)
class AttendanceEvent:
    """One record of a kiosk's chain. ``captured_at`` is aware UTC; floats in evidence are rounded to 6 places.

    ``details`` are named plain values that belong to the type, e.g. the answers to questions; without any, the body has
    no such field, as no event had one at first.
    """

    event_id: str
    kiosk_id: str
    seq: int
    prev_hash: str
    captured_at: datetime
    boot_id: str
    monotonic_ns: int
    time_quality: TimeQuality
    person_id: str | None
    type: EventType
    outcome: CheckInOutcome | None
    method: Method
    evidence: tuple[Evidence, ...]
    policy_version: str
    witness: Witness | None = None
    note_code: str | None = None
    amends: str | None = None
    algorithm: str = ALGORITHM
    details: Mapping[str, Detail] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The signed content as plain JSON values; ``from_body`` is its inverse."""
        return {
            "event_id": self.event_id,
            "kiosk_id": self.kiosk_id,
            "seq": self.seq,
            "prev_hash": self.prev_hash,
            "captured_at": format_time(self.captured_at),
            "boot_id": self.boot_id,
            "monotonic_ns": str(self.monotonic_ns),  # beyond 2**53, which canonical JSON cannot hold as a number
            "time_quality": self.time_quality.value,
            "person_id": self.person_id,
            "type": self.type.value,
            "outcome": self.outcome.value if self.outcome else None,
            "method": self.method.value,
            "evidence": [evidence_body(item) for item in self.evidence],
            "policy_version": self.policy_version,
            "witness": self.witness.body() if self.witness else None,
            "note_code": self.note_code,
            "amends": self.amends,
            "algorithm": self.algorithm,
        } | ({"details": dict(self.details)} if self.details else {})

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """Read a body back. Raises InputError naming the first field that is missing or of a wrong type."""
        try:
            witness = body["witness"]
            return cls(
                event_id=str(UUID(text_of(body, "event_id"))),
                kiosk_id=text_of(body, "kiosk_id"),
                seq=_whole(body, "seq"),
                prev_hash=text_of(body, "prev_hash"),
                captured_at=_captured(text_of(body, "captured_at")),
                boot_id=text_of(body, "boot_id"),
                monotonic_ns=int(text_of(body, "monotonic_ns")),
                time_quality=TimeQuality(body["time_quality"]),
                person_id=None if body["person_id"] is None else text_of(body, "person_id"),
                type=EventType(body["type"]),
                outcome=None if body["outcome"] is None else CheckInOutcome(body["outcome"]),
                method=Method(body["method"]),
                evidence=tuple(evidence_from(item) for item in body["evidence"]),
                policy_version=text_of(body, "policy_version"),
                witness=None if witness is None else Witness.from_body(witness),
                note_code=None if body["note_code"] is None else text_of(body, "note_code"),
                amends=None if body["amends"] is None else text_of(body, "amends"),
                algorithm=text_of(body, "algorithm"),
                details=_details(body.get("details", {})),
            )
        except KeyError as error:
            raise InputError(f"The event has no field {error}.", code="event_malformed") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(f"The event is malformed: {error}.", code="event_malformed") from error


@dataclass(frozen=True, slots=True)
class SignedEvent:
    """An event as it travels: the body, its hash and the kiosk's signature over the hash's canonical source."""

    body: Mapping[str, Any]
    hash: str
    signature: str

    def wire(self) -> dict[str, Any]:
        """The event as plain JSON values; ``from_wire`` is its inverse."""
        return {"body": dict(self.body), "hash": self.hash, "signature": self.signature}

    @property
    def event(self) -> AttendanceEvent:
        """The body as an event, unverified. Raises InputError."""
        return AttendanceEvent.from_body(self.body)

    @classmethod
    def from_wire(cls, wire: object) -> Self:
        """Read what ``wire`` wrote, unverified. Raises InputError if it has another shape or other fields."""
        if not isinstance(wire, Mapping) or set(wire) != {"body", "hash", "signature"}:
            raise InputError("An event is an object with body, hash and signature.", code="event_malformed")
        body, digest, signature = wire["body"], wire["hash"], wire["signature"]
        if not isinstance(body, Mapping) or not isinstance(digest, str) or not isinstance(signature, str):
            raise InputError("An event's body, hash or signature has a wrong type.", code="event_malformed")
        return cls(body, digest, signature)


def canonical(body: Mapping[str, Any]) -> bytes:
    """RFC 8785 canonical JSON. Raises InputError for what JSON cannot hold (NaN, integers beyond 2**53)."""
    try:
        return rfc8785.dumps(dict(body))
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeError) as error:
        raise InputError(f"The record cannot be written as canonical JSON: {error}.", code="event_malformed") from error


def event_hash(body: Mapping[str, Any]) -> str:
    """Lower-case hexadecimal SHA-256 of the canonical body."""
    return sha256_hex(canonical(body))


def sha256_hex(content: bytes) -> str:
    """Lower-case hexadecimal SHA-256."""
    digest = Hash(SHA256())
    digest.update(content)
    return digest.finalize().hex()


def sign_event(event: AttendanceEvent, key: Ed25519PrivateKey) -> SignedEvent:
    """The event with its hash and the kiosk's Ed25519 signature over its canonical body. Raises InputError."""
    body = event.body()
    content = canonical(body)
    return SignedEvent(body, sha256_hex(content), key.sign(content).hex())


def verify_event(signed: SignedEvent, key: Ed25519PublicKey, *, content: bytes | None = None) -> AttendanceEvent:
    """The event, if hash and signature hold. Raises SignatureInvalid or InputError.

    ``content`` is the canonical body, for a caller who has made it already.
    """
    content = canonical(signed.body) if content is None else content
    if sha256_hex(content) != signed.hash:
        raise SignatureInvalid("The event's hash is not the hash of its content.", code="event_hash_mismatch")
    try:
        if not _SIGNATURE.fullmatch(signed.signature):  # bytes.fromhex would take capitals and spaces too
            raise ValueError("not 64 bytes in lower-case hexadecimal")
        key.verify(bytes.fromhex(signed.signature), content)
    except (InvalidSignature, ValueError) as error:
        raise SignatureInvalid("The event's signature is not its kiosk's.", code="event_signature_invalid") from error
    event = signed.event
    if event.algorithm != ALGORITHM:
        raise InputError("The event is signed with an algorithm that is not known here.", code="algorithm_unknown")
    if event.body() != signed.body:  # no second spelling of a record, no stowaway fields
        raise InputError("The event has fields or spellings that are not part of the format.", code="event_malformed")
    return event


def uuid7(now: datetime) -> str:
    """A time-ordered UUID (RFC 9562 section 5.7) for ``now``."""
    milliseconds = int(now.timestamp() * 1000) & ((1 << 48) - 1)
    random = int.from_bytes(os.urandom(10), "big")
    value = milliseconds << 80 | 0x7 << 76 | (random >> 68) << 64 | 0b10 << 62 | random & ((1 << 62) - 1)
    return str(UUID(int=value))


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and ``Z``: one spelling for one moment."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """The inverse of ``format_time``; raises ValueError on any other spelling."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def _captured(text: str) -> datetime:
    """A time that every zone can tell; a kiosk's clock without a battery begins in 1970. Raises ValueError."""
    moment = parse_time(text)
    if not 1970 <= moment.year <= 9998:
        raise ValueError(f"nothing was captured in the year {moment.year}")
    return moment


def utc_now() -> datetime:
    """The wall clock, aware. Rules take a ``now`` instead, so that tests can hand in theirs."""
    return datetime.fromtimestamp(time.time(), UTC)


def with_position(event: AttendanceEvent, *, seq: int, prev_hash: str) -> AttendanceEvent:
    """The same event at its place in the chain."""
    return replace(event, seq=seq, prev_hash=prev_hash)


def _details(values: object) -> dict[str, Detail]:
    """Named plain values. Raises TypeError or ValueError for anything else."""
    if not isinstance(values, Mapping) or len(values) > _MOST_DETAILS:
        raise TypeError("details are a few named values")
    for name, value in values.items():
        if not isinstance(name, str) or not _DETAIL_NAME.fullmatch(name):
            raise ValueError("a detail has a name that is none")
        if not isinstance(value, str | int | bool) or (isinstance(value, str) and len(value) > _LONGEST_DETAIL):
            raise TypeError(f"the detail {name} is neither a short text nor a whole number nor yes or no")
    return dict(values)


def _whole(body: Mapping[str, Any], name: str) -> int:
    value = body[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is not a whole number")
    return value
