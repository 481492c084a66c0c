"""Staff members' own references in the center's database. Owns their rows; works inside the caller's transaction.

They lie in tables of their own: a search for duplicates among people, a person's page and a gallery's people never see
one. A key is wrapped for the site where the staff member was enrolled; other sites get it wrapped anew.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from enrollment.repository import bump_gallery
from enrollment.vault import SealedReference, WrappedKey
from models.biometrics import FingerPosition, Modality, TemplateFormat
from models.errors import InputError
from models.store.center import SiteRow, StaffKeyRow, StaffReferenceRow, StaffRow


def staff_key_of(session: Session, staff_id: str) -> WrappedKey | None:
    """The staff member's wrapped key; None before the first enrollment."""
    row = session.get(StaffKeyRow, staff_id)
    return None if row is None else WrappedKey(row.staff_id, row.key_id, row.nonce, row.ciphertext)


def staff_home(session: Session, staff_id: str) -> str | None:
    """The site whose key wraps the staff member's key."""
    row = session.get(StaffKeyRow, staff_id)
    return None if row is None else row.site_id


def staff_references(session: Session, staff_id: str) -> list[SealedReference]:
    """Everything enrolled of a staff member, revoked references included."""
    rows = (
        select(StaffReferenceRow).where(StaffReferenceRow.staff_id == staff_id).order_by(StaffReferenceRow.reference_id)
    )
    return [_sealed(row) for row in session.scalars(rows)]


def save_staff_references(
    session: Session, references: tuple[SealedReference, ...], *, key: WrappedKey, site_id: str, now: datetime
) -> None:
    """Store references of one staff member; earlier ones of the same modalities end, kiosks will learn of it.

    Raises InputError (staff_unknown) if there is no such account.
    """
    member = session.get(StaffRow, key.person_id)
    if member is None:
        raise InputError("There is no such account.", code="staff_unknown")
    if session.get(StaffKeyRow, member.staff_id) is None:
        session.add(
            StaffKeyRow(
                staff_id=member.staff_id,
                site_id=site_id,
                key_id=key.key_id,
                nonce=key.nonce,
                ciphertext=key.ciphertext,
            )
        )
        session.flush()
    session.execute(
        update(StaffReferenceRow)
        .where(StaffReferenceRow.staff_id == member.staff_id, StaffReferenceRow.revoked_at.is_(None))
        .where(StaffReferenceRow.modality.in_({item.modality.value for item in references}))
        .values(revoked_at=now)
    )
    session.add_all(_row(member.staff_id, item) for item in references)
    session.flush()
    bump_for_staff(session, {member.site_id}, now)


def forget_staff(session: Session, staff_id: str, now: datetime) -> None:
    """Erase a staff member's key and references. After the transaction call ``forget_deleted``."""
    member = session.get(StaffRow, staff_id)
    for table in (StaffReferenceRow, StaffKeyRow):
        session.execute(delete(table).where(table.staff_id == staff_id))
    session.expire_all()
    bump_for_staff(session, {member.site_id if member else None}, now)


def bump_for_staff(session: Session, site_ids: set[str | None], now: datetime) -> None:
    """Say that the staff of these sites changed; None stands for an account of every site."""
    everywhere = None in site_ids
    for site_id in session.scalars(select(SiteRow.site_id)).all():
        if everywhere or site_id in site_ids:
            bump_gallery(session, site_id, now)


def _sealed(row: StaffReferenceRow) -> SealedReference:
    return SealedReference(
        row.reference_id,
        row.staff_id,
        Modality(row.modality),
        None if row.position is None else FingerPosition(row.position),
        TemplateFormat.parse(row.format),
        row.quality,
        row.enrolled_at,
        row.revoked_at,
        row.nonce,
        row.ciphertext,
        row.source,
    )


def _row(staff_id: str, item: SealedReference) -> StaffReferenceRow:
    return StaffReferenceRow(
        reference_id=item.reference_id,
        staff_id=staff_id,
        modality=item.modality.value,
        position=None if item.position is None else int(item.position),
        format=str(item.format),
        quality=item.quality,
        enrolled_at=item.enrolled_at,
        revoked_at=item.revoked_at,
        nonce=item.nonce,
        ciphertext=item.ciphertext,
        source=item.source,
    )
