"""Reading a request that may be anything. Owns media type, strict JSON and signatures; refuses to act on it.

The order is fixed: signature first, then revocation, then JSON, then its shape. Nothing unsigned is ever parsed,
except a request for pairing, which has no key yet. Of a large body nothing is read before its headers were found to be
those of a paired kiosk in use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import request
from pydantic import BaseModel, ValidationError
from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.errors import SignatureInvalid
from models.store.center import KioskRow, NonceRow, PairingRow
from models.wire import decode_key, verify_headers, verify_request
from web.center.context import Center
from web.shared.errors import ApiError

Model = TypeVar("Model", bound=BaseModel)

# every request runs these, so they are made once
_KIOSKS, _NONCES = cast(Table, KioskRow.__table__), cast(Table, NonceRow.__table__)
_KIOSK = select(_KIOSKS.c.kiosk_id, _KIOSKS.c.site_id, _KIOSKS.c.name, _KIOSKS.c.signing_key, _KIOSKS.c.status).where(
    _KIOSKS.c.kiosk_id == bindparam("wanted")
)
_VISITED = (
    update(_KIOSKS)
    .where(_KIOSKS.c.kiosk_id == bindparam("wanted"), _KIOSKS.c.status == "active")
    .values(last_seen_at=bindparam("now"))
)
_FORGET = delete(_NONCES).where(_NONCES.c.seen_at < bindparam("before"))
_ADD_NONCE = insert(_NONCES)


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
    found: list[Caller] = []
    revoked: list[bool] = []
    active: list[bool] = []

    def key_of(key_id: str) -> str | None:
        with center.reading() as session:
            row = session.connection().execute(_KIOSK, {"wanted": key_id}).first()
        if row is None:
            return None
        found.append(Caller(row.kiosk_id, row.site_id, row.name))
        revoked.append(row.status != "active")
        return str(row.signing_key)

    def proven() -> None:
        if revoked[-1]:
            raise ApiError(403, "kiosk_revoked", "This kiosk was revoked.")

    def seen(key_id: str, nonce: str, now: datetime) -> bool:
        with center.writing() as session:  # one transaction for the nonce and the visit: each costs a write to the disk
            _remember(center, session, key_id, nonce)
            visited = session.connection().execute(_VISITED, {"wanted": key_id, "now": now})
            active.append(visited.rowcount == 1)
        return False

    _verified(center, key_of, seen, proven)
    if not active[-1]:
        raise ApiError(403, "kiosk_revoked", "This kiosk was revoked.")
    return found[-1]


def signed_pairing(center: Center, pairing_id: str) -> None:
    """Check that the request was signed with the key that ``pairing_id`` was opened with."""

    def key_of(key_id: str) -> str | None:
        with center.reading() as session:
            row = session.get(PairingRow, key_id)
            return None if row is None else row.signing_key

    def seen(key_id: str, nonce: str, _now: datetime) -> bool:
        with center.writing() as session:
            _remember(center, session, key_id, nonce)
        return False

    if _verified(center, key_of, seen) != pairing_id:
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


def _verified(
    center: Center,
    signing_key_of: Callable[[str], str | None],
    remember: Callable[[str, str, datetime], bool],
    proven: Callable[[], None] = lambda: None,
) -> str:
    """The key id of the request. ``proven`` is called once the headers of a large one hold, before its body is read."""
    if "Signature" not in request.headers or "Signature-Input" not in request.headers:
        raise ApiError(401, "signature_missing", "The request is not signed.")
    unknown: list[str] = []

    def key_of(key_id: str) -> Ed25519PublicKey | None:
        known = signing_key_of(key_id)
        if known is None:
            unknown.append(key_id)
            return None
        return decode_key(known)

    def seen_nonce(key_id: str, nonce: str, now: datetime) -> bool:
        try:
            return remember(key_id, nonce, now)
        except IntegrityError:
            return True

    headers, age_s = dict(request.headers.items()), center.settings.request_age_s
    try:
        if _large(center):
            verify_headers(request.method, request.url, headers, key_of=key_of, now=center.clock(), max_age_s=age_s)
            proven()
        return verify_request(
            request.method,
            request.url,
            headers,
            request.get_data(),
            key_of=key_of,
            now=center.clock(),
            seen_nonce=seen_nonce,
            max_age_s=age_s,
        )
    except SignatureInvalid as error:
        if unknown:
            raise ApiError(401, "kiosk_unknown", "No kiosk is known by this key id.") from error
        raise


def _large(center: Center) -> bool:
    """Whether the body is larger than what is read of anybody, or of a size that it does not tell."""
    if request.method == "GET":
        return False
    return request.content_length is None or request.content_length > center.settings.unproven_body_bytes


def _remember(center: Center, session: Session, key_id: str, nonce: str) -> None:
    """Note a nonce and forget those of requests that are too old anyway. Raises IntegrityError if it is known."""
    now = center.clock()
    connection = session.connection()
    connection.execute(_FORGET, {"before": now - timedelta(seconds=2 * center.settings.request_age_s)})
    connection.execute(_ADD_NONCE, {"key_id": key_id, "nonce": nonce, "seen_at": now})
