"""Taking an enrollment back. Owns revoking and erasing; works inside the caller's transaction.

Revoked references stay, sealed and unused, so that a kiosk can say why somebody is not recognised. Erasing deletes the
wrapped key (the templates become noise, also in backups) and every row about the person; events keep an opaque id that
leads nowhere. After the transaction call ``models.store.engine.forget_deleted``, so that no file keeps the old pages.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from enrollment.repository import audit, bump_gallery
from models.errors import InputError
from models.store.center import DueRow, NoticeRow, ParcelRow, PersonKeyRow, PersonRow, ReferenceRow


def revoke_reference(session: Session, reference_id: str, *, now: datetime, staff_id: str, reason: str) -> None:
    """Revoke one reference; a second time changes nothing. Raises InputError (reference_unknown)."""
    row = session.get(ReferenceRow, reference_id)
    if row is None:
        raise InputError("There is no such reference.", code="reference_unknown")
    if row.revoked_at is not None:
        return
    row.revoked_at = now
    audit(session, now, staff_id=staff_id, act="reference_revoked", about=reference_id, detail={"reason": reason})
    bump_gallery(session, _person(session, row.person_id).site_id, now)


def withdraw_enrollment(session: Session, person_id: str, *, now: datetime, staff_id: str, reason: str) -> int:
    """Revoke every reference of a person; returns how many were valid. Raises InputError (person_unknown)."""
    person = _person(session, person_id)
    valid = select(ReferenceRow).where(ReferenceRow.person_id == person_id, ReferenceRow.revoked_at.is_(None))
    rows = session.scalars(valid).all()
    for row in rows:
        row.revoked_at = now
    audit(session, now, staff_id=staff_id, act="enrollment_withdrawn", about=person_id, detail={"reason": reason})
    bump_gallery(session, person.site_id, now)
    return len(rows)


def erase_person(session: Session, person_id: str, *, now: datetime, staff_id: str, reason: str) -> None:
    """Erase a person: key, references, notices, written reports, what was due and the person's own row.

    Raises InputError (person_unknown).
    """
    person = _person(session, person_id)
    site_id = person.site_id
    notices = session.scalars(select(NoticeRow.version).where(NoticeRow.person_id == person_id)).all()
    for table in (PersonKeyRow, ReferenceRow, NoticeRow, DueRow, ParcelRow, PersonRow):
        session.execute(delete(table).where(table.person_id == person_id))
    session.expire_all()
    detail = {"reason": reason, "notices": sorted(set(notices))}
    audit(session, now, staff_id=staff_id, act="person_erased", about=person_id, detail=detail)
    bump_gallery(session, site_id, now)


def _person(session: Session, person_id: str) -> PersonRow:
    row = session.get(PersonRow, person_id)
    if row is None:
        raise InputError("There is no such person.", code="person_unknown")
    return row
