"""Making a kiosk known. Owns the life of a pairing: opened and revealed by the kiosk, approved by an admin's digits.

The kiosk commits to a nonce, the center answers with its own, the kiosk reveals: only then are there digits, computed
on both sides from nonces and keys, which prove that nobody stands in between. The center keeps only their hash. The
site key reaches the kiosk sealed to its agreement key, in an answer that the center signs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from enrollment.repository import bump_gallery
from models.attendance import format_time, uuid7
from models.errors import InputError
from models.ledger_store import last_arrival
from models.store.center import KioskRow, PairingRow, SiteRow
from models.text import decode_bytes
from models.wire import (
    PAIRING_NONCE_BYTES,
    decode_key,
    encode_bytes,
    encode_key,
    pairing_code,
    pairing_commitment,
    seal_to,
    sign_document,
)
from web.center.api.schemas import PairingOpened, PairingRequest, PairingReveal, PairingState
from web.center.context import Center
from web.center.vaults import site_key
from web.shared.errors import ApiError


def open_pairing(center: Center, asked: PairingRequest) -> PairingOpened:
    """Note a kiosk that asks to be paired. Raises InputError for keys that are none, ApiError 409 or 429."""
    decode_key(asked.signing_key)
    _check_agreement(decode_bytes(asked.agreement_key))
    now = center.clock()
    row = PairingRow(
        pairing_id=secrets.token_urlsafe(18),
        name=asked.name,
        software=asked.software,
        signing_key=asked.signing_key,
        agreement_key=asked.agreement_key,
        commitment=asked.commitment,
        center_nonce=encode_bytes(secrets.token_bytes(PAIRING_NONCE_BYTES)),
        created_at=now,
        expires_at=now + timedelta(seconds=center.settings.pairing_valid_s),
    )
    opened = PairingOpened(
        pairing_id=row.pairing_id,
        center_key=encode_key(center.key.public_key()),
        center_nonce=row.center_nonce,
        expires_at=format_time(row.expires_at),
    )
    with center.writing() as session:
        _expire(session, now)
        if session.scalar(select(KioskRow).where(KioskRow.signing_key == asked.signing_key)):
            raise ApiError(409, "kiosk_known", "A kiosk with this key was paired before; it must make a new key.")
        if session.scalar(select(PairingRow.pairing_id).where(PairingRow.commitment == asked.commitment)):
            raise ApiError(409, "commitment_used", "This commitment was used before; every pairing needs a new nonce.")
        session.execute(  # asked again after a restart: the newest request is the one that counts
            update(PairingRow)
            .where(PairingRow.signing_key == asked.signing_key, PairingRow.status == "pending")
            .values(status="expired")
        )
        waiting = session.scalar(select(func.count()).where(PairingRow.status == "pending")) or 0
        if waiting >= center.settings.pending_pairings:
            raise ApiError(429, "pairings_full", "Too many kiosks wait to be paired; try again later.")
        session.add(row)
    return opened


def reveal_pairing(center: Center, pairing_id: str, told: PairingReveal) -> PairingState:
    """Take the nonce of a kiosk that committed to it; from now on the pairing has digits.

    Raises ApiError 409 if the pairing was revealed before or waits no more, 422 if it is not the nonce committed to.
    """
    with center.writing() as session:
        _expire(session, center.clock())
        row = session.get_one(PairingRow, pairing_id)
        if row.code_hash is not None:
            raise ApiError(409, "pairing_revealed", "This pairing was revealed before.")
        if row.status != "pending":
            raise ApiError(409, "pairing_over", "This pairing waits no more; the kiosk must ask again.")
        nonce, signing, agreement = (decode_bytes(text) for text in (told.nonce, row.signing_key, row.agreement_key))
        commitment = pairing_commitment(nonce, signing_key=signing, agreement_key=agreement)
        if not hmac.compare_digest(commitment, decode_bytes(row.commitment)):
            raise ApiError(422, "commitment_broken", "This is not the nonce that the kiosk committed to.")
        code = pairing_code(
            pairing_id,
            kiosk_nonce=nonce,
            center_nonce=decode_bytes(row.center_nonce),
            signing_key=signing,
            agreement_key=agreement,
            center_key=center.key.public_key().public_bytes_raw(),
        )
        row.code_hash = code_hash(code)
    return PairingState(status="pending", revealed=True)


def pairing_state(center: Center, pairing_id: str) -> PairingState:
    """Where a pairing stands; with the sealed site key, signed, once it is approved."""
    with center.writing() as session:
        _expire(session, center.clock())
        row = session.get_one(PairingRow, pairing_id)
        if row.status != "approved":
            return PairingState.model_validate({"status": row.status, "revealed": row.code_hash is not None})
        kiosk = session.get_one(KioskRow, str(row.kiosk_id))
        if kiosk.status != "active":
            raise ApiError(403, "kiosk_revoked", "This kiosk was revoked.")
        kiosk_id, site_id, agreement = kiosk.kiosk_id, kiosk.site_id, kiosk.agreement_key
    key = site_key(center, site_id)
    approved = {
        "status": "approved",
        "revealed": True,
        "kiosk_id": kiosk_id,
        "site_id": site_id,
        "sealed_site_key": seal_to(decode_bytes(agreement), key.to_json(), context=pairing_id),
    }
    signature = sign_document({"pairing_id": pairing_id, **approved}, center.key)["signature"]
    return PairingState.model_validate({**approved, "signature": signature})


def waiting_pairings(session: Session, now: datetime) -> list[PairingRow]:
    """Pairings that wait for their digits, newest first. One that is not revealed has none yet and is left out."""
    rows = select(PairingRow).where(
        PairingRow.status == "pending", PairingRow.code_hash.is_not(None), PairingRow.expires_at > now
    )
    return list(session.scalars(rows.order_by(PairingRow.created_at.desc())))


def approve_pairing(center: Center, session: Session, digits: str, *, site_id: str, name: str) -> str:
    """Pair the waiting kiosk that shows ``digits`` with a site; answers its kiosk_id.

    Raises InputError if no waiting kiosk shows these digits, or the site does not exist.
    """
    now = center.clock()
    if session.get(SiteRow, site_id) is None:
        raise InputError("There is no such site.", code="site_unknown")
    wanted = code_hash(digits)
    waiting = waiting_pairings(session, now)
    row = next((row for row in waiting if hmac.compare_digest(row.code_hash or "", wanted)), None)
    if row is None:
        raise InputError("No waiting kiosk shows these digits.", code="pairing_code_wrong")
    kiosk = KioskRow(
        kiosk_id=uuid7(now),
        site_id=site_id,
        name=name or row.name,
        signing_key=row.signing_key,
        agreement_key=row.agreement_key,
        paired_at=now,
        software=row.software,
    )
    session.add(kiosk)
    row.status, row.kiosk_id = "approved", kiosk.kiosk_id
    bump_gallery(session, site_id, center.clock())
    return kiosk.kiosk_id


def reject_pairing(session: Session, pairing_id: str) -> None:
    """Refuse a waiting kiosk. Raises InputError if it does not wait."""
    row = session.get(PairingRow, pairing_id)
    if row is None or row.status != "pending":
        raise InputError("This kiosk does not wait to be paired.", code="pairing_unknown")
    row.status = "rejected"


def revoke_kiosk(center: Center, session: Session, kiosk_id: str) -> None:
    """End a kiosk's trust for ever. Its events stay; it purges its references at its next request.

    Not before its newest event arrived, whatever the center's clock says now: that event would look forged.
    """
    kiosk = session.get(KioskRow, kiosk_id)
    if kiosk is None or kiosk.status != "active":
        raise InputError("There is no such kiosk in use.", code="kiosk_unknown")
    arrived, now = last_arrival(session, kiosk_id), center.clock()
    kiosk.status, kiosk.revoked_at = "revoked", now if arrived is None else max(now, arrived)


def code_hash(code: str) -> str:
    """SHA-256 of the twelve digits, however they were typed (full-width digits, spaces and hyphens allowed)."""
    digits = re.sub(r"\D", "", "".join(str(int(sign)) if sign.isdecimal() else "" for sign in code))
    return hashlib.sha256(digits.encode()).hexdigest()


def _expire(session: Session, now: datetime) -> None:
    session.execute(
        update(PairingRow).where(PairingRow.status == "pending", PairingRow.expires_at <= now).values(status="expired")
    )


def _check_agreement(raw: bytes) -> None:
    if len(raw) != 32:
        raise InputError("A public key has 32 bytes.", code="key_malformed")
    X25519PublicKey.from_public_bytes(raw)
    seal_to(raw, {}, context=b"probe")  # refuses points of small order before anybody relies on the key
