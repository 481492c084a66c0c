"""Enrollments in the center's database. Owns their rows; works inside the caller's transaction, refuses HTTP.

References of all sites are opened for the search for duplicates only; each site's own key opens its people's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from enrollment.session import Enrollment
from enrollment.vault import SealedReference, Vault, WrappedKey
from models.biometrics import FingerPosition, Modality, Reference, TemplateFormat
from models.errors import InputError
from models.people import Category, Person, SupervisionLevel
from models.store.center import AuditRow, GalleryVersionRow, NoticeRow, PersonKeyRow, PersonRow, ReferenceRow

VaultOf = Callable[[str], Vault]  # site_id -> the vault of that site


def person_by_number(session: Session, number: str, *, site_id: str | None = None) -> Person:
    """The person with this number. Raises InputError (person_unknown), also if the person is another site's."""
    row = session.scalar(select(PersonRow).where(PersonRow.number == number))
    if row is None or (site_id is not None and row.site_id != site_id):
        raise InputError("There is no person with this number at this site.", code="person_unknown")
    return person_of(row)


def person_of(row: PersonRow) -> Person:
    """A row as a person."""
    return Person(
        row.person_id,
        row.number,
        row.name,
        row.site_id,
        SupervisionLevel(row.level),
        Category(row.category),
        row.active,
        row.term_end,
    )


def wrapped_key_of(session: Session, person_id: str) -> WrappedKey | None:
    """The person's wrapped key; None before the first enrollment and after an erasure."""
    row = session.get(PersonKeyRow, person_id)
    return None if row is None else WrappedKey(row.person_id, row.key_id, row.nonce, row.ciphertext)


def sealed_of(row: ReferenceRow) -> SealedReference:
    """A row as a sealed reference."""
    return SealedReference(
        row.reference_id,
        row.person_id,
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


def sealed_references(session: Session, person_id: str) -> list[SealedReference]:
    """Everything enrolled of a person, revoked references included, in the order of their ids."""
    rows = select(ReferenceRow).where(ReferenceRow.person_id == person_id).order_by(ReferenceRow.reference_id)
    return [sealed_of(row) for row in session.scalars(rows)]


def open_everyone(session: Session, vault_of: VaultOf, *, site_id: str | None = None) -> list[Reference]:
    """The valid image-derived references of all people of all sites, opened: what a search for duplicates needs.

    ``site_id`` restricts them to one site's people.

    ``vault_of(site_id)`` may raise VaultError; so does a reference that does not open.
    """
    query = (
        select(ReferenceRow, PersonKeyRow, PersonRow.site_id)
        .join(PersonKeyRow, PersonKeyRow.person_id == ReferenceRow.person_id)
        .join(PersonRow, PersonRow.person_id == ReferenceRow.person_id)
        .where(ReferenceRow.revoked_at.is_(None), ReferenceRow.source == "image")
        .order_by(ReferenceRow.reference_id)
    )
    if site_id is not None:
        query = query.where(PersonRow.site_id == site_id)
    vaults: dict[str, Vault] = {}
    opened = []
    for row, key, home in session.execute(query):
        if home not in vaults:
            vaults[home] = vault_of(home)
        wrapped = WrappedKey(key.person_id, key.key_id, key.nonce, key.ciphertext)
        opened.append(vaults[home].open(sealed_of(row), wrapped))
    return opened


def save_enrollment(session: Session, enrollment: Enrollment) -> None:
    """Store an enrollment; earlier references of the same modalities are revoked, and the site's kiosks will fetch it.

    Raises InputError (person_unknown) if the person was erased meanwhile.
    """
    person = session.get(PersonRow, enrollment.person_id)
    if person is None:
        raise InputError("The person is not there any more.", code="person_unknown")
    store_key(session, enrollment.wrapped)
    now = enrollment.enrolled_at
    modalities = {item.modality.value for item in enrollment.references}
    session.execute(
        update(ReferenceRow)
        .where(ReferenceRow.person_id == person.person_id, ReferenceRow.modality.in_(modalities))
        .where(ReferenceRow.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    session.add_all(row_of(item) for item in enrollment.references)
    session.add(
        NoticeRow(
            notice_id=str(uuid4()),
            person_id=person.person_id,
            version=enrollment.notice.version,
            language=enrollment.notice.language,
            given_at=enrollment.notice.given_at,
            staff_id=enrollment.notice.staff_id,
            missing_reason=None if enrollment.missing_reason is None else enrollment.missing_reason.value,
        )
    )
    bump_gallery(session, person.site_id, now)
    _audit_enrollment(session, enrollment)
    session.flush()


def bump_gallery(session: Session, site_id: str, now: datetime) -> int:
    """Say that what the site's kiosks must know has changed; returns the new version."""
    session.flush()
    counted = (  # by the database: two transactions that count for themselves may come to the same number
        update(GalleryVersionRow)
        .where(GalleryVersionRow.site_id == site_id)
        .values(version=GalleryVersionRow.version + 1, changed_at=now)
        .execution_options(synchronize_session=False)
    )
    if not cast(CursorResult[Any], session.execute(counted)).rowcount:
        session.add(GalleryVersionRow(site_id=site_id, version=1, changed_at=now))
        session.flush()
    return session.get_one(GalleryVersionRow, site_id, populate_existing=True).version


def audit(session: Session, now: datetime, *, staff_id: str | None, act: str, about: str, detail: object = "") -> None:
    """Write down who did what; ``detail`` holds codes and opaque ids only."""
    text = detail if isinstance(detail, str) else json.dumps(detail, sort_keys=True)
    session.add(AuditRow(at=now, staff_id=staff_id, act=act, object=about, detail=text))


def _audit_enrollment(session: Session, enrollment: Enrollment) -> None:
    detail = {
        "references": len(enrollment.references),
        "missing_reason": None if enrollment.missing_reason is None else enrollment.missing_reason.value,
        "duplicates": sorted({item.person_id for item in enrollment.duplicates}),
        "cleared_by": enrollment.cleared_by,
    }
    audit(
        session,
        enrollment.enrolled_at,
        staff_id=enrollment.notice.staff_id,
        act="person_enrolled",
        about=enrollment.person_id,
        detail=detail,
    )


def store_key(session: Session, wrapped: WrappedKey) -> None:
    """Keep a person's key. Raises InputError (key_changed) if another one is there."""
    known = wrapped_key_of(session, wrapped.person_id)
    if known is None:
        session.add(
            PersonKeyRow(
                person_id=wrapped.person_id,
                key_id=wrapped.key_id,
                nonce=wrapped.nonce,
                ciphertext=wrapped.ciphertext,
            )
        )
    elif known != wrapped:
        raise InputError("The person was enrolled by somebody else at the same time; begin again.", code="key_changed")
    session.flush()


def row_of(item: SealedReference) -> ReferenceRow:
    """A sealed reference as a row; the inverse of ``sealed_of``."""
    return ReferenceRow(
        reference_id=item.reference_id,
        person_id=item.person_id,
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
