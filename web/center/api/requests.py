"""Reading a request that may be anything. Owns media type, strict JSON and signatures; refuses to act on it.

The order is fixed: signature first, then revocation, then JSON, then its shape. Nothing unsigned is ever parsed,
except a request for pairing, which has no key yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import request
from pydantic import BaseModel, ValidationError
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from models.errors import SignatureInvalid
from models.store.center import KioskRow, NonceRow, PairingRow
from models.wire import decode_key, verify_request
from web.center.context import Center
from web.shared.errors import ApiError

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Caller:
    """The kiosk that signed the request."""

    kiosk_id: str
    site_id: str
    name: str


def signed_kiosk(center: Center) -> Caller:
    """The paired kiosk that signed the request; notes that it was seen.

    Raises ApiError 401 (missing, unknown, invalid, stale), 409 (replayed) or 403 (revoked).
    """
    key_id = _verified(center, of_pairing=False)
    with center.writing() as session:
        kiosk = session.get_one(KioskRow, key_id)
        if kiosk.status != "active":
            raise ApiError(403, "kiosk_revoked", "This kiosk was revoked.")
        kiosk.last_seen_at = center.clock()
        return Caller(kiosk.kiosk_id, kiosk.site_id, kiosk.name)


def signed_pairing(center: Center, pairing_id: str) -> None:
    """Check that the request was signed with the key that ``pairing_id`` was opened with."""
    if _verified(center, of_pairing=True) != pairing_id:
        raise ApiError(403, "access_denied", "A kiosk may ask for its own pairing only.")


def read_body(model: type[Model]) -> Model:
    """The request's JSON as ``model``. Raises ApiError 415, 400 (no JSON) or 422 (another shape)."""
    if request.mimetype != "application/json":
        raise ApiError(415, "media_type_unsupported", "The body must be application/json.")
    try:
        return model.model_validate_json(request.get_data())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise ApiError(400, "json_malformed", "The body is not JSON.") from error
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise ApiError(422, "body_invalid", f"{place}: {first['msg']}.") from error


def _verified(center: Center, *, of_pairing: bool) -> str:
    if "Signature" not in request.headers or "Signature-Input" not in request.headers:
        raise ApiError(401, "signature_missing", "The request is not signed.")
    unknown: list[str] = []

    def key_of(key_id: str) -> Ed25519PublicKey | None:
        with center.reading() as session:
            row = session.get(PairingRow, key_id) if of_pairing else session.get(KioskRow, key_id)
        if row is None:
            unknown.append(key_id)
            return None
        return decode_key(row.signing_key)

    try:
        return verify_request(
            request.method,
            request.url,
            dict(request.headers.items()),
            request.get_data(),
            key_of=key_of,
            now=center.clock(),
            seen_nonce=lambda key_id, nonce, _now: _seen(center, key_id, nonce),
            max_age_s=center.settings.request_age_s,
        )
    except SignatureInvalid as error:
        if unknown:
            raise ApiError(401, "kiosk_unknown", "No kiosk is known by this key id.") from error
        raise


def _seen(center: Center, key_id: str, nonce: str) -> bool:
    now = center.clock()
    try:
        with center.writing() as session:
            old = now - timedelta(seconds=2 * center.settings.request_age_s)
            session.execute(delete(NonceRow).where(NonceRow.seen_at < old))
            session.add(NonceRow(key_id=key_id, nonce=nonce, seen_at=now))
    except IntegrityError:
        return True
    return False
