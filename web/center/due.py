"""What people have to come for: entered by staff, computed from the last report, done by an event.

Owns these use cases. The cadence's rule stands in ``models.cadence``, who may enter something in ``web.center.access``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from enrollment.repository import audit, bump_gallery
from models.attendance import CheckInOutcome, EventType, parse_time, uuid7
from models.cadence import reports_due
from models.errands import DueItem, Errand
from models.errors import InputError
from models.people import SupervisionLevel
from models.store.center import DueRow, EventRow, KioskRow, PersonRow, SiteRow
from models.supervision import SitePolicy
from web.center.access import Account
from web.center.context import Center
from web.center.people import person_for
from web.center.sites import policy_of

ENTERED_ERRANDS = (Errand.LEAVE_RETURN, Errand.EDUCATION_IN, Errand.SERVICE_IN, Errand.WRITTEN_REPORT)
MOST_OPEN = 30  # of one person: more than that nobody reads
LONGEST = timedelta(days=366)

_COUNTED = (CheckInOutcome.ACCEPTED.value, CheckInOutcome.WITNESSED.value)
_REPORTS = (EventType.REPORT_IN_PERSON.value, EventType.WITNESSED_CHECK_IN.value)
_BY_EVENT = {errand.event_type.value for errand in ENTERED_ERRANDS}


class DueNote(StrEnum):
    """Why something was entered. Codes: free text about a person would find its way to a kiosk."""

    AGREED = "agreed"
    PLAN = "plan"
    MAKE_UP = "make_up"


def enter_due(
    center: Center, session: Session, account: Account, person_id: str, *, item: DueItem, note: str | None
) -> str:
    """Enter something for a person; answers its id.

    Raises InputError: due_errand, due_long, due_many or note_unknown.
    """
    person = person_for(session, account, person_id)
    if item.errand not in ENTERED_ERRANDS:
        raise InputError("This is not entered by hand.", code="due_errand")
    if item.until - item.since > LONGEST:
        raise InputError("What is due ends within a year.", code="due_long")
    if note is not None and note not in {code.value for code in DueNote}:
        raise InputError("There is no such note.", code="note_unknown")
    if len(open_rows(session, [person_id])) >= MOST_OPEN:
        raise InputError(f"At most {MOST_OPEN} things are open at a time.", code="due_many")
    now, due_id = center.clock(), uuid7(center.clock())
    session.add(
        DueRow(
            due_id=due_id,
            person_id=person_id,
            errand=item.errand.value,
            since=item.since,
            until=item.until,
            note_code=note,
            entered_by=account.staff_id,
            entered_at=now,
        )
    )
    audit(session, now, staff_id=account.staff_id, act="due_entered", about=person_id, detail=item.errand.value)
    bump_gallery(session, person.site_id, now)
    return due_id


def withdraw_due(center: Center, session: Session, account: Account, person_id: str, due_id: str) -> None:
    """Take back what was entered. Raises InputError (due_unknown), also if it is done already."""
    person = person_for(session, account, person_id)
    row = session.get(DueRow, due_id)
    if row is None or row.person_id != person_id or row.closed_how is not None:
        raise InputError("Nothing like that is open.", code="due_unknown")
    now = center.clock()
    row.closed_how, row.closed_by, row.closed_at = "withdrawn", account.staff_id, now
    audit(session, now, staff_id=account.staff_id, act="due_withdrawn", about=person_id, detail=row.errand)
    bump_gallery(session, person.site_id, now)


def open_rows(session: Session, person_ids: Sequence[str]) -> list[DueRow]:
    """What is open for these people, the oldest first."""
    query = select(DueRow).where(DueRow.person_id.in_(person_ids), DueRow.closed_how.is_(None))
    return list(session.scalars(query.order_by(DueRow.since, DueRow.due_id)))


def last_reports(session: Session, person_ids: Sequence[str]) -> dict[str, datetime]:
    """When each person's last report counted, at any kiosk. A clock that ran ahead does not move it into the future."""
    moment = case((EventRow.captured_at > EventRow.received_at, EventRow.received_at), else_=EventRow.captured_at)
    query = (
        select(EventRow.person_id, func.max(moment))
        .where(EventRow.person_id.in_(person_ids), EventRow.type.in_(_REPORTS), EventRow.outcome.in_(_COUNTED))
        .group_by(EventRow.person_id)
    )
    return {str(person_id): last for person_id, last in session.execute(query)}


def due_of(
    person: PersonRow, policy: SitePolicy, rows: Sequence[DueRow], *, last: datetime | None, today: date
) -> tuple[DueItem, ...]:
    """Everything that a person has to come for: by the site's cadence and by staff."""
    reports = reports_due(
        policy.days_between(SupervisionLevel(person.level)),
        last=None if last is None else policy.local_day(last),
        start=policy.local_day(person.created_at),
        today=today,
    )
    entered = [DueItem(Errand(row.errand), row.since, row.until) for row in rows if row.person_id == person.person_id]
    return (*reports, *entered)


@dataclass(frozen=True, slots=True)
class DueLine:
    """One line of a page. ``row`` is None for what the cadence says."""

    item: DueItem
    row: DueRow | None
    late: bool


def due_lines(center: Center, session: Session, person: PersonRow) -> list[DueLine]:
    """What a person has to come for now, as a page shows it; the earliest end first."""
    policy = policy_of(session.get_one(SiteRow, person.site_id))
    today, rows = policy.local_day(center.clock()), open_rows(session, [person.person_id])
    last = last_reports(session, [person.person_id]).get(person.person_id)
    report = due_of(person, policy, (), last=last, today=today)[:1]
    entered = [(DueItem(Errand(row.errand), row.since, row.until), row) for row in rows]
    lines = [DueLine(item, row, item.until < today) for item, row in [*((item, None) for item in report), *entered]]
    return sorted(lines, key=lambda line: line.item.until)


def settle(center: Center, session: Session, bodies: Sequence[Mapping[str, Any]], *, kiosk_id: str) -> None:
    """Close what new events did, and tell other kiosks of the person's site that something changed.

    The kiosk that recorded the event knows it from its own journal.
    """
    relevant = [body for body in bodies if body["person_id"] is not None and _changes_what_is_due(body)]
    if not relevant:
        return
    people = {str(body["person_id"]) for body in relevant}
    known = {row.person_id: row for row in session.scalars(select(PersonRow).where(PersonRow.person_id.in_(people)))}
    rows = open_rows(session, list(known))
    for body in relevant:
        person = known.get(str(body["person_id"]))
        if person is not None:
            site = session.get_one(SiteRow, person.site_id)
            when = min(parse_time(body["captured_at"]), center.clock())  # a kiosk's clock may be ahead
            _close(rows, body, policy_of(site).local_day(when), center.clock())
    for site_id in {person.site_id for person in known.values()}:
        if _others_listen(session, site_id, kiosk_id):
            bump_gallery(session, site_id, center.clock())


def _changes_what_is_due(body: Mapping[str, Any]) -> bool:
    counted = body["type"] in _REPORTS and body["outcome"] in _COUNTED
    return counted or body["type"] in _BY_EVENT


def _close(rows: list[DueRow], body: Mapping[str, Any], day: date, now: datetime) -> None:
    """Close the oldest open item that this event does; whoever is back from leave early is back."""
    for row in rows:
        fits = row.person_id == body["person_id"] and row.errand == body["type"] and row.closed_how is None
        if fits and (row.since <= day or row.errand == Errand.LEAVE_RETURN.value):
            row.closed_how, row.closed_by, row.closed_at = "done", str(body["event_id"]), now
            return


def _others_listen(session: Session, site_id: str, kiosk_id: str) -> bool:
    query = select(KioskRow.kiosk_id).where(KioskRow.site_id == site_id, KioskRow.status == "active")
    return session.scalars(query.where(KioskRow.kiosk_id != kiosk_id).limit(1)).first() is not None
