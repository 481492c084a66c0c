"""Making a kiosk known. Owns the life of a pairing: opened by the kiosk, approved by the digits an admin types.

The digits are computed on both sides from the keys, so they prove that nobody stands in between; the center keeps
only their hash. The site key reaches the kiosk sealed to its agreement key.
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
from models.store.center import KioskRow, PairingRow, SiteRow
from models.text import decode_bytes
from models.wire import decode_key, encode_key, pairing_code, seal_to
from web.center.api.schemas import PairingOpened, PairingRequest, PairingState, SealedMessage
from web.center.context import Center
from web.center.vaults import site_key
from web.shared.errors import ApiError


def open_pairing(center: Center, asked: PairingRequest) -> PairingOpened:
    """Note a kiosk that asks to be paired. Raises InputError for keys that are none, ApiError 409 or 429."""
    decode_key(asked.signing_key)
    agreement = decode_bytes(asked.agreement_key)
    _check_agreement(agreement)
    own = center.key.public_key()
    code = pairing_code(decode_bytes(asked.signing_key), agreement, own.public_bytes_raw())
    now = center.clock()
    row = PairingRow(
        pairing_id=secrets.token_urlsafe(18),
        name=asked.name,
        software=asked.software,
        signing_key=asked.signing_key,
        agreement_key=asked.agreement_key,
        code_hash=code_hash(code),
        created_at=now,
        expires_at=now + timedelta(seconds=center.settings.pairing_valid_s),
    )
    opened = PairingOpened(
        pairing_id=row.pairing_id, center_key=encode_key(own), expires_at=format_time(row.expires_at)
    )
    with center.writing() as session:
        _expire(session, now)
        if session.scalar(select(KioskRow).where(KioskRow.signing_key == asked.signing_key)):
            raise ApiError(409, "kiosk_known", "A kiosk with this key was paired before; it must make a new key.")
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


def pairing_state(center: Center, pairing_id: str) -> PairingState:
    """Where a pairing stands; with the sealed site key once it is approved."""
    with center.writing() as session:
        _expire(session, center.clock())
        row = session.get_one(PairingRow, pairing_id)
        if row.status != "approved":
            return PairingState.model_validate({"status": row.status})
        kiosk = session.get_one(KioskRow, str(row.kiosk_id))
        if kiosk.status != "active":
            raise ApiError(403, "kiosk_revoked", "This kiosk was revoked.")
        kiosk_id, site_id, agreement = kiosk.kiosk_id, kiosk.site_id, kiosk.agreement_key
    key = site_key(center, site_id)
    sealed = seal_to(decode_bytes(agreement), key.to_json(), context=pairing_id)
    return PairingState(
        status="approved", kiosk_id=kiosk_id, site_id=site_id, sealed_site_key=SealedMessage.model_validate(sealed)
    )


def waiting_pairings(session: Session, now: datetime) -> list[PairingRow]:
    """Pairings that wait for their digits, newest first."""
    rows = select(PairingRow).where(PairingRow.status == "pending", PairingRow.expires_at > now)
    return list(session.scalars(rows.order_by(PairingRow.created_at.desc())))


def approve_pairing(center: Center, session: Session, digits: str, *, site_id: str, name: str) -> str:
    """Pair the waiting kiosk that shows ``digits`` with a site; answers its kiosk_id.

    Raises InputError if no waiting kiosk shows these digits, or the site does not exist.
    """
    now = center.clock()
    if session.get(SiteRow, site_id) is None:
        raise InputError("There is no such site.", code="site_unknown")
    wanted = code_hash(digits)
    row = next((row for row in waiting_pairings(session, now) if hmac.compare_digest(row.code_hash, wanted)), None)
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
    """End a kiosk's trust for ever. Its events stay; it purges its references at its next request."""
    kiosk = session.get(KioskRow, kiosk_id)
    if kiosk is None or kiosk.status != "active":
        raise InputError("There is no such kiosk in use.", code="kiosk_unknown")
    kiosk.status, kiosk.revoked_at = "revoked", center.clock()


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
