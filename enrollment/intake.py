"""Taking over what was enrolled at a kiosk, of a person or of a staff member. Owns the rules; works inside the caller's
transaction. Refuses to know who may enroll whom: the center's table of rights says that.

Nothing is taken on trust: every reference is opened once with the site's key, so that a template of somebody else, or
noise, never lies among a person's references.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from enrollment.handover import Handover
from enrollment.notice import check_notice
from enrollment.repository import audit, bump_gallery, row_of, store_key, wrapped_key_of
from enrollment.staff_repository import save_staff_references, staff_key_of
from enrollment.vault import SealedReference, Vault, WrappedKey
from models.biometrics import Modality
from models.errors import InputError, VaultError
from models.store.center import AuditRow, NoticeRow, PersonRow, ReferenceRow, StaffReferenceRow

_CLOCK_TOLERANCE = timedelta(minutes=5)
_SOURCES = frozenset({"image", "sensor"})


def take_person(
    session: Session, handover: Handover, *, site_id: str, vault: Vault, kiosk_id: str, now: datetime
) -> None:
    """Store a person's references from a kiosk of ``site_id``; with ``re_enroll`` earlier ones of the modalities end.

    Raises InputError: person_unknown (or erased), person_other_site, notice_missing, enrollment_outdated, key_missing,
    key_changed, reference_malformed or reference_known.
    """
    person = session.get(PersonRow, handover.person_id)
    if person is None:
        raise InputError("The person is not there any more.", code="person_unknown")
    if person.site_id != site_id:
        raise InputError("The person belongs to another site.", code="person_other_site")
    check_notice(handover.notice, now=now)
    _check_newest(session, handover)
    key = _key(handover, wrapped_key_of(session, person.person_id))
    check_references(session, handover.references, key=key, vault=vault, now=now)
    store_key(session, key)
    if handover.re_enroll:
        session.execute(
            update(ReferenceRow)
            .where(ReferenceRow.person_id == person.person_id, ReferenceRow.revoked_at.is_(None))
            .where(ReferenceRow.modality.in_(modalities_of(handover.references)))
            .values(revoked_at=now)
        )
    session.add_all(row_of(item) for item in handover.references)
    session.add(
        NoticeRow(
            notice_id=str(uuid4()),
            person_id=person.person_id,
            version=handover.notice.version,
            language=handover.notice.language,
            given_at=handover.notice.given_at,
            staff_id=handover.notice.staff_id,
            missing_reason=None if handover.missing_reason is None else handover.missing_reason.value,
        )
    )
    _write_down(session, handover, kiosk_id=kiosk_id, now=now)
    bump_gallery(session, site_id, now)


def take_staff(
    session: Session,
    handover: Handover,
    *,
    site_id: str,
    vault: Vault,
    home: Vault | None,
    kiosk_id: str,
    now: datetime,
) -> None:
    """Store a staff member's own references from a kiosk of ``site_id``; earlier ones of the modalities end.

    ``home`` is the vault of the site where the staff member was enrolled before, None at the first time.
    Raises InputError as ``take_person`` does.
    """
    check_notice(handover.notice, now=now)
    known = staff_key_of(session, handover.person_id)
    if known is not None and home is not None and known.key_id != vault.key_id:
        known = home.rewrap(known, vault)
    key = _key(handover, known)
    check_references(session, handover.references, key=key, vault=vault, now=now)
    save_staff_references(session, handover.references, key=key, site_id=site_id, now=now)
    _write_down(session, handover, kiosk_id=kiosk_id, now=now)


def check_references(
    session: Session, references: tuple[SealedReference, ...], *, key: WrappedKey, vault: Vault, now: datetime
) -> None:
    """Raises InputError unless each is new, valid, of a known source, not from the future, and opens."""
    ids = [item.reference_id for item in references]
    known = {
        reference_id
        for table in (ReferenceRow, StaffReferenceRow)
        for reference_id in session.scalars(select(table.reference_id).where(table.reference_id.in_(ids)))
    }
    if known or len(set(ids)) != len(ids):
        raise InputError("A reference with this id is there already.", code="reference_known")
    for item in references:
        in_future = item.enrolled_at > now + _CLOCK_TOLERANCE
        if item.revoked_at is not None or item.source not in _SOURCES or in_future or not 0 <= item.quality <= 1:
            raise InputError("A reference says something of itself that cannot be.", code="reference_malformed")
        try:
            vault.open(item, key)
        except VaultError as error:
            raise InputError("A reference does not open with its person's key.", code="reference_malformed") from error


def _check_newest(session: Session, handover: Handover) -> None:
    """Raises InputError (enrollment_outdated) if the person's enrollment was withdrawn after this one was made, or if
    this one would end references of a later one: a parcel that waited long, or was kept back, undoes neither.
    """
    person_id, since = handover.person_id, handover.notice.given_at
    withdrawn = select(AuditRow.at).where(AuditRow.act == "enrollment_withdrawn", AuditRow.object == person_id)
    later = select(NoticeRow.notice_id).where(NoticeRow.person_id == person_id, NoticeRow.given_at > since)
    if session.scalars(withdrawn.where(AuditRow.at > since).limit(1)).first() is not None:
        raise InputError("The enrollment was withdrawn meanwhile.", code="enrollment_outdated")
    if handover.re_enroll and session.scalars(later.limit(1)).first() is not None:
        raise InputError("The person was enrolled again meanwhile.", code="enrollment_outdated")


def modalities_of(references: tuple[SealedReference, ...]) -> set[str]:
    """Which modalities were enrolled."""
    return {Modality(item.modality).value for item in references}


def _key(handover: Handover, known: WrappedKey | None) -> WrappedKey:
    if handover.wrapped is not None:
        if known is not None and known != handover.wrapped:
            raise InputError("Somebody else enrolled this person at the same time.", code="key_changed")
        return handover.wrapped
    if known is None:
        raise InputError("The references came without their key.", code="key_missing")
    return known


def _write_down(session: Session, handover: Handover, *, kiosk_id: str, now: datetime) -> None:
    detail = {
        "references": len(handover.references),
        "missing_reason": None if handover.missing_reason is None else handover.missing_reason.value,
        "re_enroll": handover.re_enroll,
        "cleared": handover.cleared,
        "kiosk": kiosk_id,
        "notice": handover.notice.version,
    }
    act = "staff_enrolled" if handover.of_staff else "person_enrolled"
    audit(session, now, staff_id=handover.notice.staff_id, act=act, about=handover.person_id, detail=detail)
