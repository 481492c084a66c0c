"""Bodies of requests and answers as pydantic models. Owns their strictness: ``false`` is no number, nothing is extra.

``web.center.api.openapi`` describes them to the world from the same classes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_RAW_32 = Field(pattern=r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$", description="32 raw bytes, base64url, no padding")
PublicKeyText = Annotated[str, _RAW_32]
NonceText = Annotated[str, _RAW_32]
CommitmentText = Annotated[str, _RAW_32]
HashText = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256, lower-case hexadecimal")]
SignatureText = Annotated[str, Field(pattern=r"^[0-9a-f]{128}$", description="Ed25519, lower-case hexadecimal")]
TimeText = Annotated[str, Field(description="RFC 3339, UTC, microseconds, Z")]
PlainText = Annotated[str, Field(max_length=80, pattern=r"^[^\u0000-\u001f\u007f]*$")]

MOST_EVENTS = 200


class Strict(BaseModel):
    """No coercion and no stowaway fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class PairingRequest(Strict):
    """A kiosk asks to be paired and commits to a nonce that it tells later. Its private keys never leave it."""

    signing_key: PublicKeyText
    agreement_key: PublicKeyText
    commitment: CommitmentText
    name: PlainText
    software: PlainText


class PairingOpened(Strict):
    """The center's part of the digits, and what the kiosk needs to ask again."""

    pairing_id: str
    center_key: PublicKeyText
    center_nonce: NonceText
    expires_at: TimeText


class PairingReveal(Strict):
    """The nonce that the kiosk committed to; told once, after it saw the center's."""

    nonce: NonceText


class SealedMessage(Strict):
    """A message that only the holder of the agreement key reads."""

    algorithm: str
    ephemeral: str
    nonce: str
    ciphertext: str


class PairingState(Strict):
    """Where a pairing stands; a kiosk may show its digits once it is revealed.

    Once approved, the site key is there, and the center's signature over the canonical JSON of ``pairing_id`` and the
    other fields.
    """

    status: Literal["pending", "approved", "rejected", "expired"]
    revealed: bool
    kiosk_id: str | None = None
    site_id: str | None = None
    sealed_site_key: SealedMessage | None = None
    signature: SignatureText | None = None


class EventSubmission(Strict):
    """An attendance event as the kiosk signed it."""

    body: dict[str, Any]
    hash: HashText
    signature: SignatureText


class EventBatch(Strict):
    """Events of one kiosk, in the order of their chain."""

    events: Annotated[list[EventSubmission], Field(min_length=1, max_length=MOST_EVENTS)]


class EventStored(Strict):
    """The event is in the ledger; ``duplicate`` says it had been there before."""

    event_id: str
    status: Literal["stored", "duplicate"]
    leaf_index: int
    received_at: TimeText


class ErrorBody(Strict):
    """A stable code for machines and one English sentence for logs."""

    code: str
    message: str


class ErrorAnswer(Strict):
    """Every error has this shape."""

    error: ErrorBody


class EventResult(Strict):
    """One event's part of a batch's answer."""

    event_id: str | None
    status: Literal["stored", "duplicate", "rejected"]
    leaf_index: int | None = None
    received_at: TimeText | None = None
    error: ErrorBody | None = None


class BatchStored(Strict):
    """Results in the order of the events; it ends with the first one rejected, the rest was not looked at."""

    results: list[EventResult]


class ParcelSubmission(Strict):
    """A sealed parcel: pages of a written report, or an enrollment made at the kiosk."""

    parcel_id: Annotated[str, Field(min_length=36, max_length=36, description="UUID of version 7")]
    kind: Literal["written_report", "enrollment"]
    person_id: Annotated[str, Field(min_length=1, max_length=64)]
    created_at: TimeText
    key_id: Annotated[str, Field(min_length=1, max_length=64)]
    sealed: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", description="sealed bytes, base64url, no padding")]
    sha256: HashText


class ParcelStored(Strict):
    """The parcel is at the center; ``duplicate`` says it had been there before."""

    parcel_id: str
    status: Literal["stored", "duplicate"]
    received_at: TimeText


class SignedDocument(Strict):
    """A document and the center's signature over its canonical bytes (RFC 8785)."""

    document: dict[str, Any]
    signature: SignatureText


class LedgerHead(Strict):
    """The ledger's size now and the newest signed tree head, which may be a little older."""

    size: int
    signed_head: dict[str, Any] | None
    center_key: PublicKeyText


class Health(Strict):
    """The center works and can read its store."""

    status: Literal["ok"]
    version: str
    time: TimeText
