"""Sealed parcels of kiosks at the center: taking them, listing and opening written reports. Owns these use cases.

A written report stays sealed as it came and is opened for one look at a time. An enrollment is taken out of its parcel
at once, by the rules of ``enrollment.intake``, and only the note that it came stays.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from enrollment.handover import Handover, read_enrollment
from enrollment.intake import take_person, take_staff
from enrollment.staff_repository import staff_home
from enrollment.vault import Vault
from models.errors import InputError, VaultError
from models.parcels import Parcel, ParcelKind, unpack_pages
from models.store.center import EventRow, ParcelRow, PersonRow, StaffRow
from web.center.access import RIGHTS, Act, account_usable
from web.center.context import Center
from web.center.vaults import vault_of
from web.shared.errors import ApiError


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A report as a page lists it. ``event`` is the record that names it; None before it arrived, or if none does."""

    parcel: ParcelRow
    event: EventRow | None


def take_parcel(
    center: Center, session: Session, parcel: Parcel, *, kiosk_id: str, site_id: str
) -> tuple[ParcelRow, bool]:
    """Store a parcel of a kiosk; answers its row, and False if it was there before.

    Raises InputError for one that cannot be used, ApiError 409 (parcel_conflict) for another one under the same id.
    """
    known = session.get(ParcelRow, parcel.parcel_id)
    if known is not None:
        if (known.sha256, known.kiosk_id) != (parcel.sha256, kiosk_id):
            raise ApiError(409, "parcel_conflict", "Another parcel with the same id was received before.")
        return known, False
    content = _opened(vault_of(center, site_id), parcel, site_id)
    if parcel.kind is ParcelKind.ENROLLMENT:
        _take_enrollment(center, session, parcel, content, kiosk_id=kiosk_id, site_id=site_id)
    else:
        _check_report(session, parcel, content, site_id)
    row = ParcelRow(
        parcel_id=parcel.parcel_id,
        kind=parcel.kind.value,
        person_id=parcel.person_id,
        site_id=site_id,
        kiosk_id=kiosk_id,
        created_at=parcel.created_at,
        received_at=center.clock(),
        key_id=parcel.key_id,
        sha256=parcel.sha256,
        size_bytes=len(parcel.sealed),
        sealed=None if parcel.kind is ParcelKind.ENROLLMENT else parcel.sealed,
    )
    session.add(row)
    session.flush()
    return row, True


def written_reports(session: Session, person_id: str, *, rows: int) -> list[WrittenReport]:
    """The newest written reports of a person, without their content."""
    wanted = (
        select(ParcelRow)
        .options(defer(ParcelRow.sealed))
        .where(ParcelRow.person_id == person_id, ParcelRow.kind == ParcelKind.WRITTEN_REPORT.value)
        .order_by(ParcelRow.created_at.desc(), ParcelRow.parcel_id)
        .limit(rows)
    )
    return [WrittenReport(row, _event_of(session, row)) for row in session.scalars(wanted)]


def report_for(session: Session, person_id: str, parcel_id: str) -> ParcelRow:
    """A written report of this person. Raises InputError (report_unknown)."""
    row = session.get(ParcelRow, parcel_id)
    if row is None or row.person_id != person_id or row.kind != ParcelKind.WRITTEN_REPORT.value:
        raise InputError("There is no such written report.", code="report_unknown")
    return row


def open_pages(center: Center, row: ParcelRow) -> tuple[bytes, ...]:
    """The pages of a stored report, JPEG files. Raises InputError (parcel_damaged, pages_malformed) or VaultError."""
    parcel = Parcel(row.parcel_id, ParcelKind(row.kind), row.person_id, row.created_at, row.key_id, row.sealed or b"")
    if parcel.sha256 != row.sha256:
        raise InputError("The stored report was changed after it was received.", code="parcel_damaged")
    return unpack_pages(vault_of(center, row.site_id).open_content(parcel.sealed, parcel.binding(row.site_id)))


def _opened(vault: Vault, parcel: Parcel, site_id: str) -> bytes:
    try:
        return vault.open_content(parcel.sealed, parcel.binding(site_id))
    except VaultError as error:
        raise InputError("The parcel does not open with the site's key.", code="parcel_unreadable") from error


def _check_report(session: Session, parcel: Parcel, content: bytes, site_id: str) -> None:
    person = session.get(PersonRow, parcel.person_id)
    if person is None:
        raise InputError("The person is not there any more.", code="person_unknown")
    if person.site_id != site_id:
        raise InputError("The person belongs to another site.", code="person_other_site")
    unpack_pages(content)


def _take_enrollment(
    center: Center, session: Session, parcel: Parcel, content: bytes, *, kiosk_id: str, site_id: str
) -> None:
    handover = read_enrollment(content)
    if handover.person_id != parcel.person_id:
        raise InputError("The parcel is about somebody else than its content.", code="enrollment_malformed")
    member = _checked_staff(session, handover, site_id)
    vault, now = vault_of(center, site_id), center.clock()
    if not handover.of_staff:
        take_person(session, handover, site_id=site_id, vault=vault, kiosk_id=kiosk_id, now=now)
        return
    home = staff_home(session, handover.person_id)
    _check_own(member, home, site_id)
    take_staff(
        session,
        handover,
        site_id=site_id,
        vault=vault,
        home=None if home is None else vault_of(center, home),
        kiosk_id=kiosk_id,
        now=now,
    )


def _check_own(member: StaffRow, home: str | None, site_id: str) -> None:
    """Raises InputError: staff_not_at_kiosks for whoever has no PIN (any more): what was erased does not come back with
    a late parcel. staff_other_site where somebody of all sites was enrolled at another one: the kiosks of one site must
    not say whom those of every other site let in.
    """
    if member.pin_hash is None:
        raise InputError("This account has nothing to do at kiosks.", code="staff_not_at_kiosks")
    if member.site_id is None and home not in (None, site_id):
        raise InputError("Staff of all sites enroll anew where they were enrolled before.", code="staff_other_site")


def _checked_staff(session: Session, handover: Handover, site_id: str) -> StaffRow:
    """The account. Raises InputError (staff_unknown) unless it could enroll here when the notice was given.

    An account that ended since then did end after its work; one that was switched off is not trusted at all.
    """
    row = session.get(StaffRow, handover.notice.staff_id)
    usable = row is not None and account_usable(
        active=row.active, expires_at=row.expires_at, now=handover.notice.given_at
    )
    if row is None or not usable or row.role not in RIGHTS[Act.PERSON_ENROLL] or row.site_id not in (None, site_id):
        raise InputError("No such staff member enrolls at this site.", code="staff_unknown")
    return row


def _event_of(session: Session, row: ParcelRow) -> EventRow | None:
    query = (
        select(EventRow)
        .where(EventRow.person_id == row.person_id, EventRow.type == "written_report")
        .where(EventRow.kiosk_id == row.kiosk_id, EventRow.body.contains(f'"parcel":"{row.sha256}"', autoescape=True))
    )
    return session.scalars(query).first()
