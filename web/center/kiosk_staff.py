"""Staff members at kiosks: their PIN and how a gallery lists them. Owns these use cases; refuses templates.

A PIN is set by the staff member alone, under the password of the account. A gallery lists who may serve at the site
now: switched on, not ended, with a PIN, of this site or of all.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from enrollment.staff_repository import bump_for_staff, forget_staff, staff_home, staff_key_of, staff_references
from enrollment.vault import WrappedKey
from models.attendance import format_time
from models.errors import InputError
from models.people import shown_name
from models.store.center import StaffRow
from web.center.access import RIGHTS, Act, account_usable
from web.center.accounts import password_right
from web.center.context import Center
from web.center.vaults import vault_of

LEAST_PIN_DIGITS, MOST_PIN_DIGITS = 6, 12
AT_KIOSKS = RIGHTS[Act.PERSON_ENROLL]  # the roles that have hands at a kiosk


def set_pin(center: Center, staff_id: str, *, password: str, pin: str, again: str) -> None:
    """Set one's own PIN for kiosks. Raises InputError: password_wrong, pins_differ, pin_invalid, pin_plain or
    pin_not_for_role."""
    with center.reading() as session:
        row = session.get_one(StaffRow, staff_id)
    if row.role not in AT_KIOSKS:
        raise InputError("This account has nothing to do at kiosks.", code="pin_not_for_role")
    if not password_right(center.hasher, row.password_hash, password):
        raise InputError("The present password is wrong.", code="password_wrong")
    if pin != again:
        raise InputError("The two PINs differ.", code="pins_differ")
    flaw = pin_flaw(pin)
    if flaw:
        raise InputError("This PIN cannot be used.", code=flaw)
    hashed = center.hasher.hash(pin)
    with center.writing() as session:
        current = session.get_one(StaffRow, staff_id)
        current.pin_hash = hashed
        bump_for_staff(session, {current.site_id}, center.clock())


def remove_from_kiosks(center: Center, session: Session, staff_id: str) -> None:
    """Take PIN, key and references of an account away. After the transaction call ``forget_deleted``."""
    row = session.get(StaffRow, staff_id)
    if row is None:
        raise InputError("There is no such account.", code="not_found")
    row.pin_hash = None
    session.flush()
    forget_staff(session, staff_id, center.clock())


def pin_flaw(pin: str) -> str | None:
    """Why a PIN is refused, as a code, or None. One digit repeated and digits in a row are tried first."""
    if not (pin.isascii() and pin.isdigit() and LEAST_PIN_DIGITS <= len(pin) <= MOST_PIN_DIGITS):
        return "pin_invalid"
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    return "pin_plain" if steps in ({0}, {1}, {9}) else None


def staff_listed(center: Center, session: Session, site_id: str) -> list[dict[str, Any]]:
    """The ``staff`` of a site's gallery document."""
    query = (
        select(StaffRow)
        .where(StaffRow.pin_hash.isnot(None), or_(StaffRow.site_id == site_id, StaffRow.site_id.is_(None)))
        .order_by(StaffRow.staff_id)
    )
    now = center.clock()
    return [
        _listed(center, session, row, site_id)
        for row in session.scalars(query)
        if row.role in AT_KIOSKS and account_usable(active=row.active, expires_at=row.expires_at, now=now)
    ]


def _listed(center: Center, session: Session, row: StaffRow, site_id: str) -> dict[str, Any]:
    key = _key_for(center, session, row.staff_id, site_id)
    return {
        "staff_id": row.staff_id,
        "shown_name": shown_name(row.name),
        "role": row.role,
        "pin_hash": row.pin_hash,
        "expires_at": None if row.expires_at is None else format_time(row.expires_at),
        "wrapped_key": key.to_json() if key else None,
        "references": [sealed.to_json() for sealed in staff_references(session, row.staff_id)] if key else [],
    }


def _key_for(center: Center, session: Session, staff_id: str, site_id: str) -> WrappedKey | None:
    """The staff member's key as the kiosks of this site can open it."""
    key, home = staff_key_of(session, staff_id), staff_home(session, staff_id)
    if key is None or home is None or home == site_id:
        return key
    return vault_of(center, home).rewrap(key, vault_of(center, site_id))
